// Line 2 of the algorithm: the student answers, the judge compares, the hard rows are selected.
#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "base/error.h"
#include "base/json.h"
#include "difficulty/difficulty.h"
#include "pipeline/gym_binding.h"
#include "pipeline/options.h"
#include "pipeline/run.h"

namespace tapir::pipeline {

Run::StageEnd Run::answer(const std::string& stage, const std::string& student,
                          const std::string& author, const std::vector<Instruction>& rows) {
  ask_student(stage, student, author, rows, generate_options(recipe_));
  return end_of(stage, rows.size());
}

Run::StageEnd Run::answer_for_difficulty(const std::string& stage,
                                         const std::vector<Instruction>& rows) {
  if (!recipe_.difficulty.cross_fit) return answer(stage, "s0", author_of("s0"), rows);
  for (std::size_t half = 0; half < kHalfStudents.size(); ++half) {
    std::vector<Instruction> unseen;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(unseen),
                 [&](const Instruction& row) { return half_of(row) != half; });
    ask_student(stage, kHalfStudents[half], author_of("s0"), unseen, generate_options(recipe_));
  }
  return end_of(stage, rows.size());
}

void Run::ask_student(const std::string& stage, const std::string& student,
                      const std::string& author, const std::vector<Instruction>& rows,
                      const student::GenerateOptions& options) {
  std::set<std::string> answered;
  for (const Response& response : store_->responses(author))
    answered.insert(response.instruction_id);
  std::vector<student::GenerateRequest> requests;
  for (const Instruction& row : rows) {
    if (answered.contains(row.id)) {
      // Again: a kill may have come between the answer and its outcome.
      store_->put_outcome(stage, row.id, Outcome::done, "");
    } else {
      requests.push_back({row.id, row.messages, ""});
    }
  }
  std::uint64_t done = rows.size() - requests.size();
  const auto keep = [&](const student::Generation& generation) {
    if (generation.failure.empty()) {
      store_->put_response(stage, {generation.id, author, generation.text, generation.finish_reason,
                                   generation.completion_tokens, ""});
      store_->put_outcome(stage, generation.id, Outcome::done, "");
    } else {
      store_->put_outcome(stage, generation.id, Outcome::failed, generation.failure);
    }
    progress_.update({stage, ++done, 0, rows.size(), 0, ""});
  };
  if (!requests.empty()) {
    engine_->load(options_.run_dir / student_folder(student))
        ->generate(requests, options, keep, stop_);
  }
}

Corpus Run::rows_to_judge() const {
  Corpus judged = corpus_;
  const auto wanted = static_cast<std::size_t>(recipe_.difficulty.rows);
  if (wanted == 0 || wanted >= judged.rows.size()) return judged;
  RandomStream(recipe_.seed, "rows_to_judge").shuffle(judged.rows);
  judged.rows.resize(wanted);
  return judged;
}

Run::StageEnd Run::measure_difficulty(const std::string& stage, const std::string& author,
                                      const Corpus& rows) {
  return recipe_.difficulty.method == "ifd" ? measure_losses(stage, author, rows)
                                            : judge_rows(stage, author, rows);
}

Corpus Run::gym_rows_outside(const std::string& stage) {
  Corpus outside;
  for (GymRow& row : gym_held_out(recipe_.difficulty.held_out_rows, recipe_.seed)) {
    if (!outside.answers.emplace(row.instruction.id, row.answer).second) continue;
    row.instruction.round = kOutsideD;
    store_->put_instruction(stage, row.instruction);
    outside.rows.push_back(std::move(row.instruction));
  }
  return outside;
}

Corpus Run::some_held_out() const {
  Corpus some{held_out_, corpus_.answers};
  RandomStream(recipe_.seed, "held_out_rows").shuffle(some.rows);
  const auto wanted = static_cast<std::size_t>(recipe_.difficulty.held_out_rows);
  some.rows.resize(std::min(wanted, some.rows.size()));
  return some;
}

Run::StageEnd Run::judge_held_out(const std::string& stage) {
  const std::string author = author_of("s0@held_out");
  const Corpus held_out = recipe_.data.gym_rows > 0 ? gym_rows_outside(stage) : some_held_out();
  if (recipe_.difficulty.method == "mfd") answer(stage, "s0", author, held_out.rows);
  return measure_difficulty(stage, author, held_out);
}

Run::StageEnd Run::select(const std::string& stage) {
  const std::vector<Fit> fits = store_->fits(author_of("s0"));
  const std::set<std::string> hard = difficulty::hard_of(fits, select_options(recipe_));
  std::set<std::string> measured;
  double lowest = 0;  // difficulty of a hard row
  for (const Fit& fit : fits) {
    const bool kept = hard.contains(fit.instruction_id);
    if (kept) lowest = lowest == 0 ? fit.difficulty() : std::min(lowest, fit.difficulty());
    const bool no_help = fit.ifd && *fit.ifd >= 1;
    measured.insert(fit.instruction_id);
    store_->put_outcome(stage, fit.instruction_id, kept ? Outcome::done : Outcome::filtered,
                        kept      ? ""
                        : no_help ? "instruction_no_help"
                                  : "easy");
  }
  for (const Instruction& row : corpus_.rows) {
    if (!measured.contains(row.id))
      store_->put_outcome(stage, row.id, Outcome::filtered, "not_judged");
  }
  if (hard.empty()) {
    throw Error(ErrorKind::data, "no instruction passes the threshold: the hard set is empty",
                "lower difficulty.threshold; `tapir inspect` and the report's histogram show what "
                "each would keep");
  }
  Json info = {{"hard", hard.size()}, {"lowest", lowest}, {"thresholds", Json::array()}};
  for (const difficulty::ThresholdRow& row : difficulty::threshold_table(fits)) {
    info["thresholds"].push_back({row.threshold, row.kept_above, row.kept_at_least});
  }
  const bool judged = recipe_.difficulty.method == "mfd";
  progress_.message(fmt::format(
      "{} of {} instructions are hard ({} {})", hard.size(), corpus_.rows.size(),
      judged ? "gap above" : "ratio of losses from",
      Json(judged ? recipe_.difficulty.threshold : std::round(lowest * 1000) / 1000).dump()));
  return end_of(stage, corpus_.rows.size(), info.dump());
}

std::set<std::string> Run::hard_ids(const std::string& student) const {
  return difficulty::hard_of(store_->fits(author_of(student)), select_options(recipe_));
}

}  // namespace tapir::pipeline
