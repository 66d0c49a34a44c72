// The outermost wrapper: single flight and the durable cache.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "llm/chat_model.h"
#include "llm/completion_thread.h"
#include "store/run_store.h"

namespace tapir::llm {

struct CacheOptions {
  // Book a request as "unknown" in the store before it leaves, so that after a kill the account
  // shows that it may have been paid. Not waited for: it is durable some milliseconds later. For
  // endpoints that cost something.
  bool book_before_send = false;
};

// What a reply leaves in the store. Who asked (row_id, stage, role, model) is not in it; sends are
// attempts_charged.
store::ReplyRecord record_of(const ChatReply& reply);

// A request with a durable ok reply is never sent again; two equal requests in flight are one send.
// What the inner model answers is made durable first and completed then. Terminal failures that
// would only repeat (length, content_filter, invalid_request) are remembered and returned as they
// were; every other failure is asked again. When the store cannot write any more, requests end as
// Failure::stopped with its reason. A reply that nothing was sent for has from_cache set and costs
// nothing. Thread-safe. Inner model and store must outlive it.
class CachedModel final : public ChatModel {
 public:
  // role: "teacher", "judge": for the accounts.
  CachedModel(ChatModel& inner, store::RunStore& store, std::string role,
              const CacheOptions& options = {});
  ~CachedModel() override;

  const ModelIdentity& identity() const override { return inner_.identity(); }
  void submit(ChatRequest request, Completion done, std::stop_token stop) override;

 private:
  struct Waiter {
    std::string row_id;
    Completion done;
    std::stop_token stop;
  };
  // All who wait for one key; the first one's request is the one that was sent.
  struct Flight {
    ChatRequest request;
    std::vector<Waiter> waiters;
  };
  using FlightPointer = std::shared_ptr<Flight>;
  struct Outcome {
    FlightPointer flight;
    ChatReply reply;
  };

  bool answer_from_store(const FlightPointer& flight, const std::string& key);
  void send(const FlightPointer& flight, const std::string& key);
  void abandon(const FlightPointer& flight, const std::string& key);
  void keep(const FlightPointer& flight, ChatReply reply);
  void settle(const Outcome& outcome);
  void complete_later(Outcome outcome);
  void submit_again(const ChatRequest& request, const Waiter& waiter);
  store::ReplyRecord record_of(const ChatRequest& request, const ChatReply& reply) const;

  ChatModel& inner_;
  store::RunStore& store_;
  const std::string role_;
  const CacheOptions options_;
  std::mutex mutex_;
  std::unordered_map<std::string, FlightPointer> flights_;  // by key
  InFlight in_flight_;
  CompletionThread thread_;
};

}  // namespace tapir::llm
