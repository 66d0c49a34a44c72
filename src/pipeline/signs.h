// Signs that figures fool us, as stages leave them in their info for the report: "signs", a list of
// sentences, beside the figures they are about. Internal to the pipeline.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "evaluate/outputs.h"
#include "pipeline/recipe.h"
#include "records/instruction.h"

namespace tapir::pipeline {

// {"who", "asked", "answers", "blank", "distinct", "duplicate_share", "commonest_share",
// "commonest_text", "median_length", "reference": {"duplicate_share", "commonest_share",
// "median_length"} or null}.
Json output_figures(const evaluate::OutputCheck& check);

// How many of the instructions hold an item of data.decontaminate_against or, in the gym, are items
// that are kept for exams. Nothing when there is nothing to look for.
std::optional<std::int64_t> count_near_copies(const Recipe& recipe,
                                              std::span<const Instruction> rows);

// "tapir/round-2" -> "tapir/round-1"; empty where no round of that arm came before.
std::string round_before(const std::string& student);

}  // namespace tapir::pipeline
