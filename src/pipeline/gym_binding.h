// Where the pipeline meets the gym: items as records, exam and grader, novelty by canonical prompt.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "evaluate/exam.h"
#include "pipeline/recipe.h"
#include "records/instruction.h"

namespace tapir::pipeline {

struct GymRow {
  Instruction instruction;
  std::string answer;  // the teacher's, terse
};
std::vector<GymRow> gym_pool(const Recipe& recipe);

// Rows outside D, drawn from the dev part as the pool is distributed.
std::vector<GymRow> gym_held_out(std::int64_t rows, std::uint64_t seed);

// The sets of the exam; `all_sets` false: the uniform one only.
std::vector<evaluate::ExamItem> gym_exam(const Recipe& recipe, bool all_sets);

std::unique_ptr<evaluate::Grader> gym_grader();

// The canonical prompt, or the text itself where no family knows it.
std::string gym_canonical(const Instruction& instruction);

// "" for prompts that may be trained on, else the reason: "held_out" (dev or test part), "not_an_item", "other_task".
std::string gym_reject(const Instruction& candidate);

// The family and level of a prompt, for reports; {"", 0} where no family knows it.
std::pair<std::string, int> gym_family_level(const std::string& prompt);

}  // namespace tapir::pipeline
