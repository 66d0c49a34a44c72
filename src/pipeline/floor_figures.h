// What is told of the floor under new instructions: in a stage's info, in `tapir status` and in the
// report.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "difficulty/floor.h"

namespace tapir::pipeline {

// {"score", "rows", "judged", "filtered", "hard_share" (of the new rows: each task's share weighted
// by its rows; null when nothing was judged), "tasks": {task: {"rows", "judged", "mean", "low",
// "high", "filtered", "verdict": "stands" | "doubtful" | "below", "hard", "hard_share", "hard_low",
// "hard_high"}}}. Intervals are of 95 %. filtered: rows by task that the floor takes out.
Json floor_figures(const std::map<std::string, difficulty::TaskFloor>& floors,
                   const std::map<std::string, std::int64_t>& filtered, double score);

// What is off, in sentences: tasks below the floor, and those that may be.
std::vector<std::string> floor_warnings(const Json& figures);

// For people: what it came to, without a newline; and that with a table of tasks, lines that each
// end with one.
std::string floor_line(const Json& figures);
std::string floor_figures_text(const Json& figures);

}  // namespace tapir::pipeline
