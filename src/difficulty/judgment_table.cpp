#include "difficulty/judgment_table.h"

#include <algorithm>

#include "base/error.h"

namespace tapir::difficulty {

bool is_unread(const std::string& failure) {
  return failure == "unreadable" || failure == "out_of_range";
}

JudgmentTable::JudgmentTable(std::span<const Pair> pairs, const std::vector<Judgment>& already)
    : states_(pairs.size()) {
  std::unordered_map<std::string_view, std::size_t> place;  // looked up only
  place.reserve(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (!place.emplace(pairs[i].instruction.id, i).second) {
      throw Error(ErrorKind::data, "two pairs to judge have the id " + pairs[i].instruction.id,
                  "ids of instructions must be unique");
    }
  }
  for (const Judgment& judgment : already) {
    const auto found = place.find(judgment.instruction_id);
    if (found != place.end() && pairs[found->second].author == judgment.author) {
      add(found->second, judgment);
    }
  }
}

void JudgmentTable::add(std::size_t pair, const Judgment& judgment) {
  OrderState& state = at(pair, judgment.order);
  const bool latest = judgment.attempt + 1 >= state.attempts;
  state.attempts = std::max(state.attempts, judgment.attempt + 1);
  if (judgment.failure.empty() && judgment.teacher_score && judgment.student_score) {
    any_read_ = true;
    // Should there be two readings, the first attempt counts, in whatever order they come.
    if (state.gap && state.read_attempt <= judgment.attempt) return;
    state.gap = *judgment.teacher_score - *judgment.student_score;
    state.read_attempt = judgment.attempt;
    return;
  }
  if (is_unread(judgment.failure))
    ++unread_;
  else
    state.terminal = true;
  if (latest) {
    state.failure = judgment.failure;
    state.last_text = judgment.text;
  }
}

void book(const JudgmentTable& table, std::size_t pair, Order drawn, const Threshold& threshold,
          JudgeSummary& summary) {
  const OrderState& first = table.at(pair, Order::teacher_first);
  const OrderState& second = table.at(pair, Order::student_first);
  ++summary.ledger.in;
  for (const OrderState* state : {&first, &second}) {
    if (state->transient.empty()) continue;
    summary.complete = false;
    ++summary.ledger.failed[state->transient];
    return;
  }
  if (!first.gap && !second.gap) {
    ++summary.ledger.failed[table.at(pair, drawn).failure];
    return;
  }
  ++summary.ledger.done;
  const bool both = first.gap && second.gap;
  ++(both ? summary.two_orders : summary.one_order);
  if (both && threshold.passed_by(*first.gap) != threshold.passed_by(*second.gap)) ++summary.flips;
}

}  // namespace tapir::difficulty
