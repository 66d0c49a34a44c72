#include <algorithm>

#include "difficulty/difficulty.h"
#include "difficulty/judgment_table.h"
#include "difficulty/orders.h"
#include "llm/ask_rows.h"

namespace tapir::difficulty {
namespace {

struct Turn {
  std::size_t pair = 0;
  Order order = Order::teacher_first;
};

// What the judge is told when its scores could not be used.
std::string complaint_about(const std::string& failure) {
  if (failure == "out_of_range") return "A score lay outside the scale from 1 to 10.";
  return "The two scores could not be read: the reply did not end with the two lines \"Score A:\" "
         "and \"Score "
         "B:\" with one number each.";
}

// One ask of the judge per turn, until its scores can be read.
class Judging : public llm::RowQuestions {
 public:
  Judging(const prompting::PromptSet& prompts, std::span<const Pair> pairs,
          const JudgeOptions& options, JudgmentTable& table,
          const std::function<void(const Judgment&)>& keep)
      : prompts_(prompts), pairs_(pairs), options_(options), table_(table), keep_(keep) {}

  // Only what is not settled yet is asked.
  void ask(llm::ChatModel& judge, const std::vector<Turn>& turns, ProgressSink& progress,
           std::stop_token stop) {
    turns_.clear();
    for (const Turn& turn : turns) {
      OrderState& state = table_.at(turn.pair, turn.order);
      if (state.settled(options_.max_attempts)) continue;
      state.transient =
          std::string(to_string(llm::Failure::stopped));  // until a reply says otherwise
      turns_.push_back(turn);
    }
    llm::AskRowsOptions ask_options{options_.max_attempts, "difficulty", options_.max_in_flight};
    if (table_.any_read()) ask_options.unread_at_first = 0;
    llm::ask_rows(judge, *this, ask_options, progress, std::move(stop));
  }

  std::size_t rows() const override { return turns_.size(); }

  int first_attempt(std::size_t row) const override { return state(row).attempts; }

  llm::ChatRequest request(std::size_t row, int attempt) override {
    const Turn& turn = turns_[row];
    const Pair& pair = pairs_[turn.pair];
    const bool teacher_first = turn.order == Order::teacher_first;
    const std::string& a = teacher_first ? pair.teacher_answer : pair.student_answer;
    const std::string& b = teacher_first ? pair.student_answer : pair.teacher_answer;
    llm::ChatRequest request;
    request.row_id = pair.instruction.id + "/" + std::string(to_string(turn.order));
    request.sampling = options_.sampling;
    if (attempt == 0) {
      request.messages = prompts_.judge_pair(pair.instruction.messages, a, b);
    } else {
      const OrderState& before = state(row);
      request.messages = prompts_.judge_pair_again(
          pair.instruction.messages, a, b, before.last_text, complaint_about(before.failure));
    }
    return request;
  }

  bool read(std::size_t row, int attempt, const llm::ChatReply& reply) override {
    const prompting::PairScores scores = prompting::read_pair_scores(reply.text);
    Judgment judgment = judgment_of(row, attempt, reply);
    judgment.failure = scores.failure;
    if (scores.ok()) {
      const bool teacher_first = judgment.order == Order::teacher_first;
      judgment.teacher_score = teacher_first ? scores.a : scores.b;
      judgment.student_score = teacher_first ? scores.b : scores.a;
    }
    take(row, judgment);
    return scores.ok();
  }

  void unanswered(std::size_t row, int attempt, const llm::ChatReply& reply) override {
    const std::string reason(to_string(reply.failure));
    if (llm::is_transient(reply.failure)) {
      state(row).transient = reason;
      return;
    }
    Judgment judgment = judgment_of(row, attempt, reply);
    judgment.failure = reason;
    take(row, judgment);
  }

 private:
  OrderState& state(std::size_t row) { return table_.at(turns_[row].pair, turns_[row].order); }
  const OrderState& state(std::size_t row) const {
    return table_.at(turns_[row].pair, turns_[row].order);
  }

  Judgment judgment_of(std::size_t row, int attempt, const llm::ChatReply& reply) const {
    const Turn& turn = turns_[row];
    Judgment judgment;
    judgment.instruction_id = pairs_[turn.pair].instruction.id;
    judgment.author = pairs_[turn.pair].author;
    judgment.order = turn.order;
    judgment.attempt = attempt;
    judgment.text = reply.text;
    judgment.reply_key = reply.key;
    return judgment;
  }

  void take(std::size_t row, const Judgment& judgment) {
    keep_(judgment);
    table_.add(turns_[row].pair, judgment);
    if (state(row).settled(options_.max_attempts)) state(row).transient.clear();
  }

  const prompting::PromptSet& prompts_;
  std::span<const Pair> pairs_;
  const JudgeOptions& options_;
  JudgmentTable& table_;
  const std::function<void(const Judgment&)>& keep_;
  std::vector<Turn> turns_;
};

// The first order of every pair, and the second one of the pilot (adaptive) or of all (both).
std::vector<Turn> opening_turns(std::span<const Pair> pairs,
                                const std::vector<std::size_t>& in_both,
                                const JudgeOptions& options) {
  std::vector<Turn> turns;
  auto next_in_both = in_both.begin();
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const Order first = drawn_order(pairs[i].instruction.id, options.seed);
    turns.push_back({i, first});
    if (next_in_both == in_both.end() || *next_in_both != i) continue;
    turns.push_back({i, other(first)});
    ++next_in_both;
  }
  return turns;
}

// Nothing while a judgment of the pilot is still missing: the band is a function of the whole
// pilot.
std::optional<double> band_from(const JudgmentTable& table, const std::vector<std::size_t>& pilot,
                                const JudgeOptions& options) {
  std::vector<TwoGaps> gaps;
  for (const std::size_t pair : pilot) {
    const OrderState& first = table.at(pair, Order::teacher_first);
    const OrderState& second = table.at(pair, Order::student_first);
    if (!first.settled(options.max_attempts) || !second.settled(options.max_attempts))
      return std::nullopt;
    if (first.gap && second.gap) gaps.push_back({*first.gap, *second.gap});
  }
  return band_of(gaps, {options.threshold, options.strict}, options.max_flip_rate);
}

std::vector<Turn> second_orders(std::span<const Pair> pairs, const JudgmentTable& table,
                                double band, const JudgeOptions& options) {
  std::vector<Turn> turns;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const Order first = drawn_order(pairs[i].instruction.id, options.seed);
    const std::optional<double>& gap = table.at(i, first).gap;
    if (gap && inside_band(*gap, options.threshold, band)) turns.push_back({i, other(first)});
  }
  return turns;
}

}  // namespace

JudgeSummary judge_pairs(llm::ChatModel& judge, const prompting::PromptSet& prompts,
                         std::span<const Pair> pairs, const std::vector<Judgment>& already,
                         const JudgeOptions& options,
                         const std::function<void(const Judgment&)>& keep, ProgressSink& progress,
                         std::stop_token stop) {
  JudgmentTable table(pairs, already);
  Judging judging(prompts, pairs, options, table, keep);
  JudgeSummary summary;

  std::vector<std::size_t> in_both;
  if (options.orders == Orders::adaptive) in_both = pilot_of(pairs, options);
  if (options.orders == Orders::both) {
    for (std::size_t i = 0; i < pairs.size(); ++i) in_both.push_back(i);
  }
  judging.ask(judge, opening_turns(pairs, in_both, options), progress, stop);

  if (options.orders == Orders::adaptive) {
    const std::optional<double> band = band_from(table, in_both, options);
    summary.band = band.value_or(0);
    summary.complete = band.has_value();
    if (band) judging.ask(judge, second_orders(pairs, table, *band, options), progress, stop);
  }
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    book(table, i, drawn_order(pairs[i].instruction.id, options.seed),
         {options.threshold, options.strict}, summary);
  }
  summary.unread_replies = table.unread();
  return summary;
}

}  // namespace tapir::difficulty
