// Line 2 of the algorithm: the student answers, the judge compares, the hard rows are selected.
#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "base/json.h"
#include "difficulty/difficulty.h"
#include "pipeline/gym_binding.h"
#include "pipeline/options.h"
#include "pipeline/run.h"

namespace tapir::pipeline {
namespace {

std::string author_of(const std::string& student) { return "student/" + student; }

difficulty::JudgeOptions judge_options(const Recipe& recipe) {
  difficulty::JudgeOptions options;
  options.orders = difficulty::parse_orders(recipe.judge_orders, "judge.orders");
  options.threshold = recipe.difficulty.threshold;
  options.pilot_rows = static_cast<int>(recipe.difficulty.pilot_rows);
  options.max_attempts = static_cast<int>(recipe.judge_max_attempts);
  options.sampling = sampling_of(recipe.judge);
  options.seed = recipe.seed;
  options.max_in_flight = in_flight(recipe.judge);
  return options;
}

std::string summary_info(const difficulty::JudgeSummary& summary, const Recipe& recipe) {
  const double both = static_cast<double>(std::max<std::int64_t>(1, summary.two_orders));
  return Json{{"threshold", recipe.difficulty.threshold},
              {"strict", recipe.difficulty.strict},
              {"band", summary.band},
              {"one_order", summary.one_order},
              {"two_orders", summary.two_orders},
              {"flip_rate", static_cast<double>(summary.flips) / both},
              {"unread_replies", summary.unread_replies}}
      .dump();
}

difficulty::SelectOptions select_options(const Recipe& recipe) {
  return {recipe.difficulty.threshold, recipe.difficulty.strict, recipe.difficulty.max_gap};
}

std::map<std::string, std::vector<Judgment>> by_instruction(std::vector<Judgment> judgments) {
  std::map<std::string, std::vector<Judgment>> out;
  for (Judgment& judgment : judgments) out[judgment.instruction_id].push_back(std::move(judgment));
  return out;
}

}  // namespace

Run::StageEnd Run::answer(const std::string& stage, const std::string& student,
                          const std::string& author, const std::vector<Instruction>& rows) {
  ask_student(stage, student, author, rows);
  return end_of(stage, rows.size());
}

Run::StageEnd Run::answer_for_difficulty(const std::string& stage,
                                         const std::vector<Instruction>& rows) {
  if (!recipe_.difficulty.cross_fit) return answer(stage, "s0", author_of("s0"), rows);
  for (std::size_t half = 0; half < kHalfStudents.size(); ++half) {
    std::vector<Instruction> unseen;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(unseen),
                 [&](const Instruction& row) { return half_of(row) != half; });
    ask_student(stage, kHalfStudents[half], author_of("s0"), unseen);
  }
  return end_of(stage, rows.size());
}

void Run::ask_student(const std::string& stage, const std::string& student,
                      const std::string& author, const std::vector<Instruction>& rows) {
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
        ->generate(requests, generate_options(recipe_), keep, stop_);
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
  std::map<std::string, Response> answers;
  for (Response& response : store_->responses(author))
    answers[response.instruction_id] = std::move(response);
  std::vector<difficulty::Pair> pairs;
  for (const Instruction& row : rows.rows) {
    const auto answer = answers.find(row.id);
    const auto teacher = rows.answers.find(row.id);
    if (answer == answers.end() || teacher == rows.answers.end()) {
      store_->put_outcome(stage, row.id, Outcome::filtered, "no_answer");
      continue;
    }
    pairs.push_back({row, teacher->second, answer->second.text, author,
                     answer->second.finish_reason == FinishReason::length});
  }
  const auto keep = [&](const Judgment& judgment) { store_->put_judgment(stage, judgment); };
  const auto summary = difficulty::judge_pairs(*judge_, prompts_, pairs, store_->judgments(author),
                                               judge_options(recipe_), keep, progress_, stop_);
  check_complete(summary.complete, stage, "judge");
  const auto judgments = by_instruction(store_->judgments(author));
  for (const difficulty::Pair& pair : pairs) {
    const auto found = judgments.find(pair.instruction.id);
    const auto fit =
        found == judgments.end() ? std::nullopt : difficulty::fit_of(found->second, pair.truncated);
    if (fit) {
      store_->put_fit(stage, *fit);
      store_->put_outcome(stage, pair.instruction.id, Outcome::done, "");
    } else {
      const std::string reason =
          found == judgments.end() ? "not_judged" : found->second.back().failure;
      store_->put_outcome(stage, pair.instruction.id, Outcome::failed, reason);
    }
  }
  return end_of(stage, rows.rows.size(), summary_info(summary, recipe_));
}

Run::StageEnd Run::judge_held_out(const std::string& stage) {
  const std::string author = author_of("s0@held_out");
  Corpus held_out;
  for (GymRow& row : gym_held_out(recipe_.difficulty.held_out_rows, recipe_.seed)) {
    if (!held_out.answers.emplace(row.instruction.id, row.answer).second) continue;
    row.instruction.round = kOutsideD;
    store_->put_instruction(stage, row.instruction);
    held_out.rows.push_back(std::move(row.instruction));
  }
  answer(stage, "s0", author, held_out.rows);
  return measure_difficulty(stage, author, held_out);
}

Run::StageEnd Run::select(const std::string& stage) {
  const std::vector<Fit> fits = store_->fits(author_of("s0"));
  std::set<std::string> judged;
  std::int64_t hard = 0;
  for (const Fit& fit : fits) {
    const bool kept = difficulty::is_hard(fit, select_options(recipe_));
    hard += kept ? 1 : 0;
    judged.insert(fit.instruction_id);
    store_->put_outcome(stage, fit.instruction_id, kept ? Outcome::done : Outcome::filtered,
                        kept ? "" : "easy");
  }
  for (const Instruction& row : corpus_.rows) {
    if (!judged.contains(row.id))
      store_->put_outcome(stage, row.id, Outcome::filtered, "not_judged");
  }
  if (hard == 0) {
    throw Error(ErrorKind::data, "no instruction passes the threshold: the hard set is empty",
                "lower difficulty.threshold; `tapir inspect` and the report's histogram show what "
                "each would keep");
  }
  Json table = Json::array();
  for (const difficulty::ThresholdRow& row : difficulty::threshold_table(fits)) {
    table.push_back({row.threshold, row.kept_above, row.kept_at_least});
  }
  progress_.message(std::to_string(hard) + " of " + std::to_string(corpus_.rows.size()) +
                    " instructions are hard (gap above " +
                    Json(recipe_.difficulty.threshold).dump() + ")");
  return end_of(stage, corpus_.rows.size(), Json{{"hard", hard}, {"thresholds", table}}.dump());
}

std::set<std::string> Run::hard_ids(const std::string& student) const {
  std::set<std::string> ids;
  for (const Fit& fit : store_->fits(author_of(student))) {
    if (difficulty::is_hard(fit, select_options(recipe_))) ids.insert(fit.instruction_id);
  }
  return ids;
}

}  // namespace tapir::pipeline
