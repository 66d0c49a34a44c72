// What may be spent, and what a request costs.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

#include "llm/chat_model.h"
#include "llm/completion_thread.h"

namespace tapir::llm {

struct Prices {  // dollars per million tokens
  double input = 0;
  double output = 0;
  std::optional<double> cached_input;  // nothing: as input
};

struct Caps {
  std::optional<double> max_usd;
  std::optional<std::int64_t> max_tokens;  // prompt and completion together
};

// Money is counted in whole picodollars (1e-12 dollars), so that sums do not drift.
struct Amount {
  std::int64_t picodollars = 0;
  std::int64_t tokens = 0;
  double usd() const { return static_cast<double>(picodollars) * 1e-12; }
  Amount& operator+=(const Amount& other) {
    picodollars += other.picodollars;
    tokens += other.tokens;
    return *this;
  }
  Amount& operator-=(const Amount& other) {
    picodollars -= other.picodollars;
    tokens -= other.tokens;
    return *this;
  }
};

// Rounded up.
Amount cost(const Usage& usage, const Prices& prices);
// No answer to this request can cost more: one token a byte of its messages and a margin for the
// chat format, all of them at the dearer input price, and max_tokens of output.
Amount worst_case(const ChatRequest& request, const Prices& prices);

// The purse of a run, shared by its roles. Thread-safe.
class Budget {
 public:
  // spent: by earlier sittings (the store's usage()).
  explicit Budget(const Caps& caps, const Amount& spent = {}) : caps_(caps), spent_(spent) {}

  enum class Admission { granted, over, stopped };
  // Sets `worst` aside. Waits while only what others have set aside stands in the way; `over` when
  // it could not fit even without them.
  Admission reserve(const Amount& worst, const std::stop_token& stop);
  // Gives back what was set aside and books what was spent.
  void settle(const Amount& worst, const Amount& actual);
  // What was set aside stays so, for a reply that comes after this sitting. Nobody waits for it.
  void hold(const Amount& worst);
  Amount spent() const;
  bool exhausted() const;  // a request was turned away

 private:
  bool fits(const Amount& amount) const;
  // Gives back what was set aside, and books an amount where `to` says.
  void book(const Amount& worst, Amount& to, const Amount& amount);

  const Caps caps_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  Amount spent_;
  Amount reserved_;
  Amount held_;
  bool exhausted_ = false;
};

// Sets reply.usd. Over the cap: Failure::budget, not sent. What waits for a batch is held at its
// worst case, so that no more waits than the cap can pay for. Where it is not known what an attempt
// cost (timeout, cut connection, malformed answer; any answer without usage) its worst case is
// booked in the purse. Thread-safe. Inner model and budget must outlive it.
class BudgetedModel final : public ChatModel {
 public:
  BudgetedModel(ChatModel& inner, Budget& budget, const Prices& prices);
  ~BudgetedModel() override;

  const ModelIdentity& identity() const override { return inner_.identity(); }
  void submit(ChatRequest request, Completion done, std::stop_token stop) override;

 private:
  void turn_away(const ChatRequest& request, Completion done, Failure failure);

  ChatModel& inner_;
  Budget& budget_;
  const Prices prices_;
  InFlight in_flight_;
  CompletionThread thread_;
};

}  // namespace tapir::llm
