// How much a model is asked at a time. Limits per minute belong to endpoints: llm/pacing.h.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "llm/chat_model.h"
#include "llm/completion_thread.h"

namespace tapir::llm {

// Speed only.
struct LimitOptions {
  std::size_t max_concurrent_requests = 256;
};

// submit() blocks while the limit is reached, or until stop (then Failure::stopped). Thread-safe.
// The inner model must outlive it.
class LimitedModel final : public ChatModel {
 public:
  LimitedModel(ChatModel& inner, const LimitOptions& options);
  ~LimitedModel() override;

  const ModelIdentity& identity() const override { return inner_.identity(); }
  void submit(ChatRequest request, Completion done, std::stop_token stop) override;

 private:
  bool admit(const std::stop_token& stop);  // false: stopped
  void release();

  ChatModel& inner_;
  const LimitOptions options_;
  InFlight in_flight_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::size_t running_ = 0;
  CompletionThread thread_;
};

}  // namespace tapir::llm
