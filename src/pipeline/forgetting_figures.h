// What an arm's rounds broke, as JSON: made by the run after every exam of a round, kept in that
// stage's info, shown by `tapir status` and the report. Internal to the pipeline.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "evaluate/forgetting.h"
#include "store/run_store.h"

namespace tapir::pipeline {

inline constexpr const char* kForgettingFigures = "forgetting";  // key in the info, and in status

// {"arm", "students": [S_0's, round 1's, ...],
//  "sets": [{"set", "kind", "cells": [{"items", "accuracy", "interval": [low, high], "score"} or
//            null per student], "best", "last_minus_best", "last_minus_first"}],
//  "overall": [{"accuracy", "interval"} or null per student],
//  "backward_transfer": CHANGE, "mean_drop", "general": CHANGE, "instruction": CHANGE, "safety":
//  CHANGE, "gate"?: [{"round", "from", "tripped", "words"}]}; any figure may be null; the gate's
// is there for the main arm, where one is set; from: 0 is S_0. CHANGE: {"sets", "difference",
// "interval", "p"}. Accuracies are shares; kinds as of evaluate::SetKind.
Json forgetting_json(const evaluate::Forgetting& forgetting, const std::string& arm,
                     const std::vector<std::string>& students);

Json gate_json(const evaluate::GateWalk& walk);

// Of the last exam of each arm that has one, in the order of the plan.
Json forgetting_of_arms(const store::RunStore& store);

// Of one arm.
std::string forgetting_text(const Json& figures);

}  // namespace tapir::pipeline
