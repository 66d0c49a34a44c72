#include "llm/budget.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tapir::llm {
namespace {

// Room for what a chat format puts around the messages.
constexpr std::int64_t kTokensPerMessage = 16;
constexpr std::int64_t kTokensPerRequest = 64;

// price per million tokens in dollars = picodollars per token * 1e-6.
std::int64_t picodollars(std::int64_t tokens, double price) {
  return static_cast<std::int64_t>(std::ceil(static_cast<double>(tokens) * price * 1e6));
}

bool cost_unknown(const ChatReply& reply) {
  if (reply.usage.prompt_tokens > 0 || reply.usage.completion_tokens > 0 ||
      reply.attempts_charged == 0)
    return false;
  return reply.ok() || reply.failure == Failure::timeout || reply.failure == Failure::connection ||
         reply.failure == Failure::malformed || reply.failure == Failure::stopped;
}

}  // namespace

Amount cost(const Usage& usage, const Prices& prices) {
  const std::int64_t cached =
      std::clamp<std::int64_t>(usage.cached_prompt_tokens, 0, usage.prompt_tokens);
  return {picodollars(usage.prompt_tokens - cached, prices.input) +
              picodollars(cached, prices.cached_input.value_or(prices.input)) +
              picodollars(usage.completion_tokens, prices.output),
          usage.prompt_tokens + usage.completion_tokens};
}

Amount worst_case(const ChatRequest& request, const Prices& prices) {
  std::int64_t prompt = kTokensPerRequest + static_cast<std::int64_t>(request.prompt.size());
  for (const Message& message : request.messages) {
    prompt += static_cast<std::int64_t>(message.content.size()) + kTokensPerMessage;
  }
  const double input = std::max(prices.input, prices.cached_input.value_or(prices.input));
  return {picodollars(prompt, input) + picodollars(request.sampling.max_tokens, prices.output),
          prompt + request.sampling.max_tokens};
}

bool Budget::fits(const Amount& amount) const {
  const auto most =
      caps_.max_usd ? static_cast<std::int64_t>(std::llround(*caps_.max_usd * 1e12)) : 0;
  return (!caps_.max_usd || amount.picodollars <= most) &&
         (!caps_.max_tokens || amount.tokens <= *caps_.max_tokens);
}

Budget::Admission Budget::reserve(const Amount& worst, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const auto with = [&](const Amount& others) {
    Amount all = spent_;
    all += held_;
    all += others;
    all += worst;
    return fits(all);
  };
  const bool decided = !stop.stop_requested() && changed_.wait(lock, stop, [&] {
    return with(reserved_) || !with(Amount{});
  });
  if (!decided) return Admission::stopped;
  if (!with(Amount{})) {
    exhausted_ = true;
    return Admission::over;
  }
  reserved_ += worst;
  return Admission::granted;
}

void Budget::book(const Amount& worst, Amount& to, const Amount& amount) {
  const std::lock_guard lock(mutex_);
  reserved_ -= worst;
  to += amount;
  changed_.notify_all();
}

void Budget::settle(const Amount& worst, const Amount& actual) { book(worst, spent_, actual); }

void Budget::hold(const Amount& worst) { book(worst, held_, worst); }

Amount Budget::spent() const {
  const std::lock_guard lock(mutex_);
  return spent_;
}

bool Budget::exhausted() const {
  const std::lock_guard lock(mutex_);
  return exhausted_;
}

BudgetedModel::BudgetedModel(ChatModel& inner, Budget& budget, const Prices& prices)
    : inner_(inner), budget_(budget), prices_(prices) {}

BudgetedModel::~BudgetedModel() { in_flight_.wait(); }

void BudgetedModel::turn_away(const ChatRequest& request, Completion done, Failure failure) {
  ChatReply reply;
  reply.row_id = request.row_id;
  reply.key = reply_key(identity(), request);
  reply.failure = failure;
  if (failure == Failure::budget)
    reply.error = "the budget would be passed; raise budget.max_usd or budget.max_tokens";
  thread_.post([this, reply = std::move(reply), done = std::move(done)] {
    done(reply);
    in_flight_.leave();
  });
}

void BudgetedModel::submit(ChatRequest request, Completion done, std::stop_token stop) {
  in_flight_.enter();
  const Amount worst = worst_case(request, prices_);
  switch (budget_.reserve(worst, stop)) {
    case Budget::Admission::granted:
      break;
    case Budget::Admission::over:
      return turn_away(request, std::move(done), Failure::budget);
    case Budget::Admission::stopped:
      return turn_away(request, std::move(done), Failure::stopped);
  }
  try {
    inner_.submit(
        std::move(request),
        [this, worst, done = std::move(done)](ChatReply reply) {
          if (reply.failure == Failure::waiting) {
            budget_.hold(worst);
          } else {
            const Amount spent = cost_unknown(reply) ? worst : cost(reply.usage, prices_);
            budget_.settle(worst, spent);
            reply.usd = spent.usd();
          }
          done(std::move(reply));
          in_flight_.leave();
        },
        std::move(stop));
  } catch (...) {
    budget_.settle(worst, {});
    in_flight_.leave();
    throw;
  }
}

}  // namespace tapir::llm
