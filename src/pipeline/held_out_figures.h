// What the held-out rows of a run say of its students, as JSON: made by the run after every exam,
// shown by `tapir status`, the summary and the report. Internal to the pipeline.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "pipeline/run.h"
#include "store/run_store.h"

namespace tapir::pipeline {

inline constexpr const char* kHeldOutFigures = "held_out";  // under which name the run keeps them

// held_out: the rows with their recorded answers. {"items", "reference": {"characters"},
// "students": [{"student", "items", "loss", "score",
//  "reached", "characters", "by_source": {FILE: {...}}, "to_s0"?: COMPARISON, "to_plain"?: ...}]}.
// COMPARISON: {"items", "loss": {"difference", "interval": [low, high], "p"}, "wins": {"share",
// "interval", "ties"}, "characters": {...}}; to_plain: with the arm plain after as many rounds.
Json held_out_json(const store::RunStore& store, const Corpus& held_out, std::uint64_t seed);

std::string held_out_text(const Json& figures);

}  // namespace tapir::pipeline
