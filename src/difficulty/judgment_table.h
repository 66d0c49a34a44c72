// What is known of each pair and order: the judgments so far, and what is still to be asked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "difficulty/difficulty.h"

namespace tapir::difficulty {

inline constexpr std::array<Order, 2> kOrders = {Order::teacher_first, Order::student_first};
inline std::size_t index_of(Order order) { return order == Order::teacher_first ? 0 : 1; }
inline Order other(Order order) {
  return order == Order::teacher_first ? Order::student_first : Order::teacher_first;
}

// One pair in one order.
struct OrderState {
  std::optional<double> gap;  // teacher - student of the reading that counts
  int attempts = 0;           // used up so far
  int read_attempt = -1;      // of the reading that counts
  std::string failure;        // of the last reading, while there is no gap
  bool terminal = false;      // the endpoint will not answer this request
  std::string last_text;      // of the last unread reply: shown when asking again
  std::string transient;      // why this sitting got no answer; empty otherwise

  bool settled(int max_attempts) const { return gap || terminal || attempts >= max_attempts; }
};

// Rows are the pairs, by their place in the span.
class JudgmentTable {
 public:
  // Error{data} when two pairs are the same instruction. Judgments of other pairs or authors are
  // passed over.
  JudgmentTable(std::span<const Pair> pairs, const std::vector<Judgment>& already);

  OrderState& at(std::size_t pair, Order order) { return states_[pair][index_of(order)]; }
  const OrderState& at(std::size_t pair, Order order) const {
    return states_[pair][index_of(order)];
  }
  void add(std::size_t pair, const Judgment& judgment);
  // Readings that gave no scores, of all sittings.
  std::int64_t unread() const { return unread_; }
  // Whether any reading gave scores.
  bool any_read() const { return any_read_; }

 private:
  std::vector<std::array<OrderState, 2>> states_;
  std::int64_t unread_ = 0;
  bool any_read_ = false;
};

// Books one pair into the summary: done, failed by reason, or missing for now. drawn: the order
// whose failure is told when neither was read.
void book(const JudgmentTable& table, std::size_t pair, Order drawn, const Threshold& threshold,
          JudgeSummary& summary);

// A failure that is a matter of the judge's words: it is asked again. Other failures are the
// endpoint's and terminal.
bool is_unread(const std::string& failure);

}  // namespace tapir::difficulty
