// Every family's own file under families/ gives one function; families.cpp lists them.
#pragma once

#include "gym/family.h"

namespace tapir::gym {

const Family& add_family();
const Family& modsum_family();
const Family& boolean_family();
const Family& shuffle_family();
const Family& synth_family();
const Family& debug_token_family();
const Family& trace_family();
const Family& base_add_family();
const Family& dyck_family();
const Family& kb_family();
const Family& layered_family();
const Family& counterfactual_family();
const Family& translate_family();
const Family& grammar_family();
const Family& paraphrase_family();
const Family& persona_family();

}  // namespace tapir::gym
