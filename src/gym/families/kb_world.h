// The fixed world of the family kb: 30 people, each with one boss, one friend and one teacher.
#pragma once

#include <string_view>

#include "gym/families/grammar_words.h"

namespace tapir::gym {

const Words& kb_people();     // 30 names
const Words& kb_relations();  // 3 relations
// The person that stands in the relation to this one; never the person itself.
std::size_t kb_fact(std::size_t person, std::size_t relation);

// True for a question of one hop: it asks for a bare fact. All of these belong to the train part as
// well, since nobody can derive a fact that he was never told. Total.
bool kb_is_open_fact(std::string_view prompt);

}  // namespace tapir::gym
