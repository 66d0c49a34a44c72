#include "difficulty/pair_scorers.h"

#include <cstdint>

#include <fmt/format.h>

#include "difficulty/judgment_table.h"
#include "rubric/final_answer.h"
#include "stats/rouge_l.h"

namespace tapir::difficulty {
namespace {

constexpr double kBest = 10;
constexpr double kWorst = 1;

class AnswerMatch final : public PairScorer {
 public:
  std::string_view name() const override { return "answer_match"; }
  Verdict score(const Pair& pair) const override {
    const auto wanted = rubric::final_answer(pair.teacher_answer);
    if (!wanted) return {kBest, kWorst, "", "no_final_answer"};
    auto given = rubric::final_answer(pair.student_answer);
    const bool right_as_stated = given && rubric::same_answer(*wanted, *given);
    if (!given && rubric::is_checkable(*wanted)) given = rubric::last_number(pair.student_answer);
    const bool right = right_as_stated || (given && rubric::same_answer(*wanted, *given));
    return {kBest, right ? kBest : kWorst,
            fmt::format("wanted {}; found {}", *wanted, given ? *given : "no final answer"), ""};
  }
};

// Every character that is not white space, for scripts that ROUGE's tokens do not know.
std::vector<std::uint64_t> characters(std::string_view utf8) {
  std::vector<std::uint64_t> found;
  for (const char c : utf8) {
    const auto byte = static_cast<std::uint8_t>(c);
    const bool goes_on = (byte & 0xC0) == 0x80;
    if (goes_on && !found.empty()) {
      found.back() = found.back() << 8 | byte;
    } else if (byte > ' ') {
      found.push_back(byte);
    }
  }
  return found;
}

class Overlap final : public PairScorer {
 public:
  std::string_view name() const override { return "overlap"; }
  Verdict score(const Pair& pair) const override {
    auto wanted = stats::rouge_tokens(pair.teacher_answer);
    const bool by_words = !wanted.empty();
    if (!by_words) wanted = characters(pair.teacher_answer);
    if (wanted.empty()) return {kBest, kWorst, "", "no_words"};
    const auto given =
        by_words ? stats::rouge_tokens(pair.student_answer) : characters(pair.student_answer);
    const double f1 = stats::rouge_l_f1(given, wanted);
    return {kBest, kWorst + (kBest - kWorst) * f1, fmt::format("ROUGE-L {:.3f}", f1), ""};
  }
};

Judgment judgment_of(const Pair& pair, const PairScorer::Verdict& verdict) {
  Judgment judgment;
  judgment.instruction_id = pair.instruction.id;
  judgment.author = pair.author;
  judgment.failure = verdict.failure;
  judgment.text = verdict.words;
  if (verdict.failure.empty()) {
    judgment.teacher_score = verdict.teacher;
    judgment.student_score = verdict.student;
  }
  return judgment;
}

}  // namespace

std::unique_ptr<PairScorer> make_answer_match() { return std::make_unique<AnswerMatch>(); }
std::unique_ptr<PairScorer> make_overlap() { return std::make_unique<Overlap>(); }

std::unique_ptr<PairScorer> make_pair_scorer(std::string_view name) {
  for (auto& scorer : {make_answer_match, make_overlap}) {
    auto made = scorer();
    if (made->name() == name) return made;
  }
  return nullptr;
}

JudgeSummary score_pairs(const PairScorer& scorer, std::span<const Pair> pairs,
                         const std::vector<Judgment>& already, const Threshold& threshold,
                         const std::function<void(const Judgment&)>& keep, ProgressSink& progress,
                         std::stop_token stop) {
  JudgmentTable table(pairs, already);
  JudgeSummary summary;
  ProgressUpdate update{"difficulty", 0, 0, pairs.size(), 0, ""};
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    OrderState& state = table.at(i, Order::teacher_first);
    if (!state.settled(/*max_attempts=*/1)) {
      if (stop.stop_requested()) {
        state.transient = std::string(to_string(llm::Failure::stopped));
      } else {
        const Judgment judgment = judgment_of(pairs[i], scorer.score(pairs[i]));
        keep(judgment);
        table.add(i, judgment);
      }
    }
    book(table, i, Order::teacher_first, threshold, summary);
    ++(state.gap ? update.done : update.failed);
    progress.update(update);
  }
  return summary;
}

}  // namespace tapir::difficulty
