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

// "" for prompts that may be trained on, else the reason: "held_out" (dev or test part),
// "not_an_item", "other_task".
std::string gym_reject(const Instruction& candidate);

// An item of the exam as records, for the report's examples: the instruction (round kOutsideD) with
// the teacher's answer in explicit steps; and the judge's words on an answer to it.
inline constexpr int kOutsideD = -1;
// The teacher's answer to an item, tersely or in explicit steps.
std::string gym_right_answer(const evaluate::ExamItem& item, bool in_steps);
GymRow gym_exam_record(const evaluate::ExamItem& item);
std::string gym_judge_words(const evaluate::ExamItem& item, const std::string& answer);

}  // namespace tapir::pipeline
