// A round as the store of a run has it: where it started from, what it was trained on and how.
// Internal to the pipeline.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "evaluate/forgetting.h"
#include "pipeline/recipe.h"
#include "records/instruction.h"
#include "store/run_store.h"
#include "student/student.h"

namespace tapir::pipeline {

// Instruction::round of the rows that data.held_out sets aside.
inline constexpr int kHeldOut = -2;

// Whatever is read here, nothing is written. All of it outlives the view.
struct RunView {
  const Recipe& recipe;
  const store::RunStore& store;
  const student::StudentEngine& engine;
  const std::filesystem::path& folder;
};

// The answers that D's rows have, by instruction id: the data's own, the teacher's before them.
std::map<std::string, std::string> recorded_answers(const store::RunStore& store);

// The exams of S_0 and of an arm's rounds up to that one.
std::vector<evaluate::Sitting> sittings_of(const store::RunStore& store, const std::string& arm,
                                           int round);
// The gate on forgetting over the main arm, up to that round.
evaluate::GateWalk walk_gate_of(const RunView& run, int round);
// The round whose student that round starts from; 0: S_0.
int starts_from(const RunView& run, const std::string& arm, int round);

// A round's mixture with its answers, in its order.
std::vector<Example> examples_of(const store::RunStore& store, const std::string& arm, int round);

// What a student of the run is trained with: options, chat format, seed.
student::TrainJob student_job(const Recipe& recipe, const std::string& student);
// train.between_rounds: merge: where the adapter of the round before stands merged into its base;
// empty: that student is trained on as it is.
std::filesystem::path merged_folder(const Recipe& recipe, const std::filesystem::path& before);
// The training of a round: with the student that it starts from, its rows, length and schedule.
// Where it goes to is the caller's to say.
student::TrainJob round_job(const RunView& run, const std::string& arm, int round);

// Optimizer steps that make so many tokens; at least 1.
std::int64_t steps_for(std::int64_t tokens, std::int64_t batch_tokens);
// Error{data} naming the first rows without a token to learn.
void refuse_rows_without_loss(const student::Preflight& preflight, const std::string& stage);

}  // namespace tapir::pipeline
