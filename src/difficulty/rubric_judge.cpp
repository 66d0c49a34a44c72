#include "difficulty/rubric_judge.h"

#include <array>

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "difficulty/pair_scorers.h"
#include "llm/ask_rows.h"

namespace tapir::difficulty {
namespace {

enum Side : std::size_t { teacher, student, kSides };
constexpr std::array<std::string_view, kSides> kSideNames = {"teacher", "student"};

// What the model said of one answer.
struct Confirmed {
  bool asked = false;
  rubric::Verdicts verdicts;
  std::string failure;    // for good
  std::string transient;  // why this sitting got no answer
  std::string last_text;  // of an unread reply
};
using PairConfirmed = std::array<Confirmed, kSides>;

const std::string& answer_of(const Pair& pair, Side side) {
  return side == teacher ? pair.teacher_answer : pair.student_answer;
}

prompting::Requirements requirements_of(const rubric::Rubric& rubric) {
  prompting::Requirements judged;
  for (const rubric::Component& one : rubric) {
    if (rubric::is_judged(one)) judged.emplace_back(one.id, one.text);
  }
  return judged;
}

std::vector<std::string> names_of(const prompting::Requirements& requirements) {
  std::vector<std::string> names;
  for (const auto& [name, text] : requirements) names.push_back(name);
  return names;
}

// One request for each answer that has judged components and is not blank.
class Confirming final : public llm::RowQuestions {
 public:
  Confirming(const RubricJudge& judge, std::span<const Pair> pairs, const JudgeOptions& options)
      : judge_(judge), pairs_(pairs), options_(options), confirmed_(pairs.size()) {
    for (std::size_t pair = 0; pair < pairs.size(); ++pair) {
      const auto found = judge.rubrics.find(pairs[pair].instruction.id);
      if (found == judge.rubrics.end() || !rubric::has_judged(found->second)) continue;
      for (const Side side : {teacher, student}) {
        if (trim(answer_of(pairs[pair], side)).empty()) continue;
        rows_.push_back({pair, side, requirements_of(found->second)});
        state(rows_.back()).transient = std::string(to_string(llm::Failure::stopped));
      }
    }
  }

  const std::vector<PairConfirmed>& confirmed() const { return confirmed_; }

  std::size_t rows() const override { return rows_.size(); }

  llm::ChatRequest request(std::size_t row, int attempt) override {
    const Row& asked = rows_[row];
    const Pair& pair = pairs_[asked.pair];
    const std::string& answer = answer_of(pair, asked.side);
    llm::ChatRequest request;
    request.row_id = fmt::format("{}/{}", pair.instruction.id, kSideNames[asked.side]);
    request.sampling = options_.sampling;
    request.messages =
        attempt == 0
            ? judge_.prompts.judge_components(pair.instruction.messages, answer, asked.requirements)
            : judge_.prompts.judge_components_again(pair.instruction.messages, answer,
                                                    asked.requirements, state(asked).last_text,
                                                    kComplaint);
    return request;
  }

  bool read(std::size_t row, int, const llm::ChatReply& reply) override {
    const Row& asked = rows_[row];
    Confirmed& confirmed = state(asked);
    confirmed.asked = true;
    confirmed.transient.clear();
    prompting::ComponentVerdicts verdicts =
        prompting::read_component_verdicts(reply.text, names_of(asked.requirements));
    confirmed.failure = verdicts.failure;
    confirmed.last_text = reply.text;
    confirmed.verdicts = std::move(verdicts.met);
    return confirmed.failure.empty();
  }

  void unanswered(std::size_t row, int, const llm::ChatReply& reply) override {
    Confirmed& confirmed = state(rows_[row]);
    const std::string reason(to_string(reply.failure));
    confirmed.asked = true;
    confirmed.transient = llm::is_transient(reply.failure) ? reason : "";
    confirmed.failure = reason;
  }

 private:
  static constexpr std::string_view kComplaint =
      "The verdicts could not be read: the reply did not end with one line \"name: met\" or "
      "\"name: not met\" for every requirement.";
  struct Row {
    std::size_t pair = 0;
    Side side = teacher;
    prompting::Requirements requirements;
  };
  Confirmed& state(const Row& row) { return confirmed_[row.pair][row.side]; }

  const RubricJudge& judge_;
  std::span<const Pair> pairs_;
  const JudgeOptions& options_;
  std::vector<PairConfirmed> confirmed_;
  std::vector<Row> rows_;
};

std::string_view met(bool kept) { return kept ? "met" : "not met"; }

std::string words_of(const rubric::Grade& of_teacher, const rubric::Grade& of_student) {
  std::string text;
  for (std::size_t i = 0; i < of_teacher.components.size(); ++i) {
    const rubric::ComponentResult& by_teacher = of_teacher.components[i];
    const rubric::ComponentResult& by_student = of_student.components[i];
    text += fmt::format("{} ({}, weight {:g}): {} by the teacher ({}), {} by the student ({})\n",
                        by_teacher.id, by_teacher.kind, by_teacher.weight,
                        met(by_teacher.finding.kept), by_teacher.finding.words,
                        met(by_student.finding.kept), by_student.finding.words);
  }
  return text;
}

// Scores of pairs whose judged components were confirmed before.
class RubricScorer final : public PairScorer {
 public:
  RubricScorer(const RubricJudge& judge, std::span<const Pair> pairs,
               const std::vector<PairConfirmed>& confirmed)
      : rubrics_(judge.rubrics) {
    for (std::size_t i = 0; i < pairs.size(); ++i)
      confirmed_.emplace(pairs[i].instruction.id, &confirmed[i]);
  }

  std::string_view name() const override { return "rubric"; }

  struct Graded {
    std::string failure;
    rubric::Grade teacher;
    rubric::Grade student;
  };
  Graded grade(const Pair& pair) const {
    const auto found = rubrics_.find(pair.instruction.id);
    if (found == rubrics_.end() || found->second.empty()) return {"no_rubric", {}, {}};
    const rubric::Rubric& rubric = found->second;
    const PairConfirmed& confirmed = *confirmed_.at(pair.instruction.id);
    for (const Side side : {teacher, student}) {
      const bool needed = rubric::has_judged(rubric) && !trim(answer_of(pair, side)).empty();
      if (needed && !confirmed[side].asked) return {"needs_judge", {}, {}};
      if (needed && !confirmed[side].failure.empty()) return {confirmed[side].failure, {}, {}};
    }
    return {"", rubric::grade(rubric, pair.teacher_answer, confirmed[Side::teacher].verdicts),
            rubric::grade(rubric, pair.student_answer, confirmed[Side::student].verdicts)};
  }

  Verdict score(const Pair& pair) const override {
    const Graded graded = grade(pair);
    if (!graded.failure.empty()) return {0, 0, "", graded.failure};
    return {graded.teacher.score(), graded.student.score(),
            words_of(graded.teacher, graded.student), ""};
  }

 private:
  const Rubrics& rubrics_;
  std::map<std::string, const PairConfirmed*> confirmed_;
};

void count(const RubricScorer::Graded& graded,
           std::map<std::string, ComponentDifficulty>& by_kind) {
  for (std::size_t i = 0; i < graded.teacher.components.size(); ++i) {
    const bool by_teacher = graded.teacher.components[i].finding.kept;
    const bool by_student = graded.student.components[i].finding.kept;
    ComponentDifficulty& kind = by_kind[graded.teacher.components[i].kind];
    ++kind.components;
    kind.teacher_kept += by_teacher ? 1 : 0;
    kind.student_kept += by_student ? 1 : 0;
    kind.teacher_only += by_teacher && !by_student ? 1 : 0;
  }
}

std::string transient_of(const PairConfirmed& confirmed) {
  const std::string& by_teacher = confirmed[teacher].transient;
  return by_teacher.empty() ? confirmed[student].transient : by_teacher;
}

}  // namespace

RubricSummary judge_by_rubric(const RubricJudge& judge, std::span<const Pair> pairs,
                              const std::vector<Judgment>& already, const JudgeOptions& options,
                              const std::function<void(const Judgment&)>& keep,
                              ProgressSink& progress, std::stop_token stop) {
  Confirming confirming(judge, pairs, options);
  std::vector<PairConfirmed> confirmed(pairs.size());
  if (judge.model != nullptr) {
    llm::ask_rows(*judge.model, confirming,
                  {options.max_attempts, "difficulty", options.max_in_flight}, progress, stop);
    confirmed = confirming.confirmed();
  }
  RubricSummary summary;
  std::vector<Pair> ready;
  std::map<std::string, std::int64_t> missing;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const std::string transient = transient_of(confirmed[i]);
    if (transient.empty()) {
      ready.push_back(pairs[i]);
    } else {
      ++missing[transient];
    }
  }
  const RubricScorer scorer(judge, pairs, confirmed);
  summary.judged = score_pairs(scorer, ready, already, {options.threshold, options.strict}, keep,
                               progress, std::move(stop));
  for (const auto& [reason, rows] : missing) {
    summary.judged.ledger.in += static_cast<std::uint64_t>(rows);
    summary.judged.ledger.failed[reason] += static_cast<std::uint64_t>(rows);
    summary.judged.complete = false;
  }
  for (const Pair& pair : ready) {
    const RubricScorer::Graded graded = scorer.grade(pair);
    if (graded.failure.empty()) count(graded, summary.by_kind);
  }
  return summary;
}

}  // namespace tapir::difficulty
