// Rubrics as rows of files have them.
#pragma once

#include <string>

#include "base/json.h"
#include "rubric/component.h"

namespace tapir::rubric {

// Either "components": [{"id"?, "kind", "weight"?, "at_least"?, "at_most"?, "exactly"?, "value"? or
// "values"?, "whole_words"?, "place"?, "text"?}] (an id that is missing is "c1", "c2", ...), or
// IFEval's own "instruction_id_list" with "kwargs", whose nulls count as not there and whose ids
// become those of the components with their place before them ("1-keywords-existence"). A row with
// neither has no requirements: empty.
// Error{data} "<where>: component 2 (c2): ...": what fault_of() says, an unknown key, an id that
// came before, kwargs that do not fit.
Rubric read_rubric(const Json& row, const std::string& where);

// The form with "components", as read_rubric() reads it; keys at their defaults are left out.
Json rubric_to_json(const Rubric& rubric);

// One of IFEval's 25 instructions with its arguments, as a component whose source is `name`.
// Error{data}.
Component read_ifeval_instruction(const std::string& name, const Json& arguments,
                                  const std::string& where);
// Their names, in IFEval's spelling.
std::vector<std::string> ifeval_instructions();

}  // namespace tapir::rubric
