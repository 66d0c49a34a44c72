// Asks again after a failure that may pass, later and later.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "llm/chat_model.h"
#include "llm/completion_thread.h"

namespace tapir::llm {

// Speed and persistence only: the key of a reply does not hold these.
struct RetryOptions {
  int max_attempts = 6;  // sends of one request, the first included
  std::chrono::milliseconds first_delay{
      1'000};  // before the second send; doubles with every further one
  std::chrono::milliseconds max_delay{60'000};
  std::uint64_t seed = 0;  // of the jitter
};

// The wait before send number `retry` + 1 (retry counts from 1): uniform in [1/2, 1] of the doubled
// delay, drawn by (seed, key, retry), so that requests that failed together do not come back
// together.
std::chrono::milliseconds retry_delay(const RetryOptions& options, std::string_view key, int retry);

// Where the endpoint asked for a wait (ChatReply::retry_after), the delay is added to it. Charges
// (usd, attempts_charged) are summed over the sends. A stop ends the waiting at once, as
// Failure::stopped with the last failure's words. Thread-safe. The inner model must outlive it.
class RetryModel final : public ChatModel {
 public:
  explicit RetryModel(ChatModel& inner, const RetryOptions& options = {});
  ~RetryModel() override;

  const ModelIdentity& identity() const override { return inner_.identity(); }
  void submit(ChatRequest request, Completion done, std::stop_token stop) override;

 private:
  struct Call;
  using CallPointer = std::shared_ptr<Call>;
  using Clock = std::chrono::steady_clock;
  struct Waiting {
    Clock::time_point due;
    CallPointer call;
    ChatReply last;
  };

  void send(const CallPointer& call);
  void on_reply(const CallPointer& call, ChatReply reply);
  void finish(const CallPointer& call, ChatReply reply);
  void wait_and_resend();  // the timer's thread
  std::vector<Waiting> take_due();

  ChatModel& inner_;
  const RetryOptions options_;
  InFlight in_flight_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Waiting> waiting_;
  bool closing_ = false;
  std::thread timer_;  // last: it uses everything above
};

}  // namespace tapir::llm
