// How hard an instruction is: by the judge, by the student's losses; and whether the judge can be
// trusted.
#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "base/strings.h"
#include "difficulty/difficulty.h"
#include "difficulty/ifd.h"
#include "difficulty/judge_statistics.h"
#include "evaluate/outputs.h"
#include "pipeline/doctor.h"
#include "pipeline/judge_figures.h"
#include "pipeline/options.h"
#include "pipeline/row_judges.h"
#include "pipeline/rubric_rows.h"
#include "pipeline/run.h"

namespace tapir::pipeline {
namespace {

constexpr const char* kAudited = "s0@audit";  // under whom the auditor's judgments are booked

std::map<std::string, std::vector<Judgment>> by_instruction(std::vector<Judgment> judgments) {
  std::map<std::string, std::vector<Judgment>> out;
  for (Judgment& judgment : judgments) out[judgment.instruction_id].push_back(std::move(judgment));
  return out;
}

Json summary_info(const difficulty::JudgeSummary& summary, const Recipe& recipe) {
  const double both = static_cast<double>(std::max<std::int64_t>(1, summary.two_orders));
  return {{"method", "mfd"},
          {"threshold", recipe.difficulty.threshold},
          {"strict", recipe.difficulty.strict},
          {"band", summary.band},
          {"one_order", summary.one_order},
          {"two_orders", summary.two_orders},
          {"flip_rate", static_cast<double>(summary.flips) / both},
          {"unread_replies", summary.unread_replies}};
}

std::vector<difficulty::Pair> sample_of(const std::vector<difficulty::Pair>& pairs,
                                        std::int64_t rows, std::uint64_t seed) {
  std::vector<std::string> ids;
  ids.reserve(pairs.size());
  for (const difficulty::Pair& pair : pairs) ids.push_back(pair.instruction.id);
  std::vector<difficulty::Pair> sample;
  for (const std::size_t place :
       sample_places(ids, static_cast<std::size_t>(rows), seed, "audit")) {
    sample.push_back(pairs[place]);
  }
  return sample;
}

// "student/tapir/round-1@held_out" -> "tapir/round-1"
std::string student_of(const std::string& author) {
  const std::size_t slash = author.find('/');
  return author.substr(slash + 1, author.find('@') - slash - 1);
}

}  // namespace

std::vector<difficulty::Pair> Run::pairs_of(const std::string& author, const Corpus& rows) const {
  std::map<std::string, Response> answers;
  for (Response& response : store_->responses(author))
    answers[response.instruction_id] = std::move(response);
  std::vector<difficulty::Pair> pairs;
  for (const Instruction& row : rows.rows) {
    const auto answer = answers.find(row.id);
    const auto teacher = rows.answers.find(row.id);
    if (answer == answers.end() || teacher == rows.answers.end()) continue;
    pairs.push_back({row, teacher->second, answer->second.text, author,
                     answer->second.finish_reason == FinishReason::length});
  }
  return pairs;
}

void Run::keep_fits(const std::string& stage, const std::vector<difficulty::Pair>& pairs) {
  if (pairs.empty()) return;
  const auto judgments = by_instruction(store_->judgments(pairs.front().author));
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
}

Run::StageEnd Run::judge_rows(const std::string& stage, const std::string& author,
                              const Corpus& rows) {
  const std::vector<difficulty::Pair> pairs = pairs_of(author, rows);
  std::set<std::string> answered;
  for (const difficulty::Pair& pair : pairs) answered.insert(pair.instruction.id);
  for (const Instruction& row : rows.rows) {
    if (!answered.contains(row.id))
      store_->put_outcome(stage, row.id, Outcome::filtered, "no_answer");
  }
  const auto keep = [&](const Judgment& judgment) { store_->put_judgment(stage, judgment); };
  const difficulty::Threshold threshold{recipe_.difficulty.threshold, recipe_.difficulty.strict};
  Json components;  // figures by kind, where the judge goes by them
  const auto summary = [&] {
    if (recipe_.judge.kind == "rubric") return judge_by_components(pairs, author, keep, components);
    const RowJudges judges(recipe_, prompts_,
                           [this]() -> llm::ChatModel& { return judge_->model(); });
    return judges.judge(pairs, store_->judgments(author), keep, progress_, stop_);
  }();
  check_complete(summary.complete, stage,
                 recipe_.judge.kind == "rubric" ? recipe_.judge_rubric.role : "judge");
  keep_fits(stage, pairs);
  Json info = summary_info(summary, recipe_);
  if (!components.is_null()) info["components"] = components;
  const auto statistics = judge_statistics(store_->judgments(author), threshold);
  info["judge"] = judge_figures(statistics);
  info["signs"] = Json::array();
  if (const auto sign =
          evaluate::position_warning(statistics.both_orders, statistics.position_consistency())) {
    info["signs"].push_back(*sign);
    progress_.message("warning: " + stage + ": " + *sign);
  }
  for (const Json& warning : info["judge"]["warnings"])
    progress_.message("warning: " + stage + ": " + warning.get<std::string>());
  return end_of(stage, rows.rows.size(), info.dump());
}

difficulty::JudgeSummary Run::judge_by_components(const std::vector<difficulty::Pair>& pairs,
                                                  const std::string& author,
                                                  const std::function<void(const Judgment&)>& keep,
                                                  Json& components) {
  const difficulty::Rubrics rubrics = read_rubrics(recipe_);
  const auto summary = difficulty::judge_by_rubric(
      {rubrics, prompts_, confirmer()}, pairs, store_->judgments(author),
      confirming_options(recipe_), keep, progress_, stop_);
  components = component_figures(summary.by_kind);
  progress_.message(component_figures_text(components));
  return summary.judged;
}

Run::StageEnd Run::audit_judge(const std::string& stage, const Corpus& rows) {
  std::set<std::string> judged;
  const std::vector<Fit> fits = store_->fits(author_of("s0"));
  for (const Fit& fit : fits) judged.insert(fit.instruction_id);
  std::vector<difficulty::Pair> pairs = pairs_of(author_of("s0"), rows);
  std::erase_if(pairs, [&](const auto& pair) { return !judged.contains(pair.instruction.id); });
  pairs = sample_of(pairs, recipe_.judge_audit.rows, recipe_.seed);
  for (difficulty::Pair& pair : pairs) pair.author = author_of(kAudited);

  const bool by_teacher = recipe_.judge_audit.role == "teacher";
  difficulty::JudgeOptions options = judge_options(recipe_);
  const ModelPart& part = by_teacher ? recipe_.teacher : recipe_.auditor;
  options.sampling = sampling_of(part);
  options.max_in_flight = in_flight(part);
  options.orders = difficulty::Orders::both;
  llm::ChatModel& auditor = by_teacher ? teacher_->model() : auditor_->model();
  const auto keep = [&](const Judgment& judgment) { store_->put_judgment(stage, judgment); };
  const auto summary =
      difficulty::judge_pairs(auditor, prompts_, pairs, store_->judgments(author_of(kAudited)),
                              options, keep, progress_, stop_);
  check_complete(summary.complete, stage, recipe_.judge_audit.role);
  keep_fits(stage, pairs);
  const auto agreement =
      difficulty::agreement_of(fits, store_->fits(author_of(kAudited)), select_options(recipe_));
  const Json figures = audit_figures(agreement);
  progress_.message(trim(audit_figures_text(figures)));
  return end_of(stage, pairs.size(), Json{{"audit", figures}}.dump());
}

Run::StageEnd Run::measure_losses(const std::string& stage, const std::string& author,
                                  const Corpus& rows) {
  std::set<std::string> measured;
  for (const Fit& fit : store_->fits(author)) measured.insert(fit.instruction_id);
  // By student: with cross-fitting each half of D is measured by the student of the other.
  std::map<std::string, std::vector<difficulty::AnsweredRow>> todo;
  for (const Instruction& row : rows.rows) {
    const auto answer = rows.answers.find(row.id);
    if (measured.contains(row.id)) {
      store_->put_outcome(stage, row.id, Outcome::done, "");
    } else if (answer == rows.answers.end()) {
      store_->put_outcome(stage, row.id, Outcome::filtered, "no_answer");
    } else {
      const bool crossed = recipe_.difficulty.cross_fit && author == author_of("s0");
      const std::string student = crossed ? kHalfStudents[1 - half_of(row)] : student_of(author);
      todo[student].push_back({row, answer->second});
    }
  }
  const auto keep = [&](const Fit& fit) {
    store_->put_fit(stage, fit);
    store_->put_outcome(stage, fit.instruction_id, Outcome::done, "");
  };
  const auto failed = [&](const std::string& id) {
    store_->put_outcome(stage, id, Outcome::failed, "no_loss");
  };
  for (const auto& [student, answered] : todo) {
    const auto loaded = engine_->load(options_.run_dir / student_folder(student));
    const bool complete =
        difficulty::measure_ifd(*loaded, answered, author, keep, failed, progress_, stop_);
    check_complete(complete, stage, "student");
  }
  return end_of(stage, rows.rows.size(),
                Json{{"method", "ifd"}, {"share", recipe_.difficulty.ifd_share}}.dump());
}

}  // namespace tapir::pipeline
