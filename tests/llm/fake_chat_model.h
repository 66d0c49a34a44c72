// A model for tests: answers from a function on threads of its own, fails by seeded draw, can be
// held, and counts.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "llm/chat_model.h"

namespace tapir::llm {

// Shares of sends that go wrong, drawn by (seed, key, number of the send): the same in every run
// and order.
struct FaultPlan {
  std::uint64_t seed = 1;
  double rate_limited = 0;
  double server_error = 0;
  double connection = 0;  // cut in the middle
  double malformed = 0;   // an answer of the transport that is cut or no JSON
  double garbled =
      0;            // an ok reply with the first half of its text only, as unreadable as a real one
  double slow = 0;  // answers after `slow_by`
  std::chrono::milliseconds slow_by{20};
};

class FakeChatModel : public ChatModel {
 public:
  using Answer = std::function<ChatReply(const ChatRequest&)>;

  explicit FakeChatModel(Answer answer = &FakeChatModel::echo, const FaultPlan& plan = {},
                         std::size_t threads = 4)
      : answer_(std::move(answer)), plan_(plan) {
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }
  ~FakeChatModel() override {
    release();
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
      changed_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
  }

  static ChatReply echo(const ChatRequest& request) {
    ChatReply reply;
    reply.text = std::string("answer to ").append(request.messages.back().content);
    reply.usage = {10, 0, 5};
    return reply;
  }

  const ModelIdentity& identity() const override { return identity_; }
  ModelIdentity& change_identity() { return identity_; }

  void submit(ChatRequest request, Completion done, std::stop_token stop) override {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({std::move(request), std::move(done), std::move(stop)});
    ++unanswered_;
    most_unanswered_ = std::max(most_unanswered_, unanswered_);
    changed_.notify_all();
  }

  // Between hold() and release() nothing is answered, but what is stopped.
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }

  int sends() const {
    const std::lock_guard lock(mutex_);
    int sum = 0;
    for (const auto& [key, count] : sends_) sum += count;
    return sum;
  }
  int faults() const {
    const std::lock_guard lock(mutex_);
    return faults_;
  }
  std::size_t distinct() const {
    const std::lock_guard lock(mutex_);
    return sends_.size();
  }
  std::size_t most_unanswered() const {
    const std::lock_guard lock(mutex_);
    return most_unanswered_;
  }
  std::size_t unanswered() const {
    const std::lock_guard lock(mutex_);
    return unanswered_;
  }

 private:
  struct Job {
    ChatRequest request;
    Completion done;
    std::stop_token stop;
  };

  bool take(Job& job) {
    std::unique_lock lock(mutex_);
    for (;;) {
      const auto ready = std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& one) {
        return !held_ || one.stop.stop_requested();
      });
      if (ready != jobs_.end()) {
        job = std::move(*ready);
        jobs_.erase(ready);
        return true;
      }
      if (closing_) return false;
      changed_.wait_for(lock, std::chrono::milliseconds(5));  // looks for stops
    }
  }

  void work() {
    Job job;
    while (take(job)) {
      ChatReply reply = job.stop.stop_requested() ? stopped() : answer(job.request);
      reply.row_id = job.request.row_id;
      reply.key = reply_key(identity_, job.request);
      {
        const std::lock_guard lock(mutex_);
        --unanswered_;
      }
      job.done(std::move(reply));
      job = {};
    }
  }

  static ChatReply stopped() {
    ChatReply reply;
    reply.failure = Failure::stopped;
    return reply;
  }

  ChatReply answer(const ChatRequest& request) {
    const std::string key = reply_key(identity_, request);
    int send = 0;
    {
      const std::lock_guard lock(mutex_);
      send = ++sends_[key];
    }
    RandomStream stream(plan_.seed, "fault " + std::to_string(send), key);
    double draw = stream.uniform();
    const auto hit = [&](double share) {
      draw -= share;
      return draw < 0;
    };
    if (hit(plan_.rate_limited)) return fault(Failure::rate_limited, "429");
    if (hit(plan_.server_error)) return fault(Failure::server_error, "503");
    if (hit(plan_.connection)) return fault(Failure::connection, "reset by peer");
    if (hit(plan_.malformed)) return fault(Failure::malformed, "{\"choices\": [{\"mess");
    const bool garbled = hit(plan_.garbled);
    if (hit(plan_.slow)) std::this_thread::sleep_for(plan_.slow_by);
    ChatReply reply = answer_(request);
    reply.attempts_charged = 1;
    if (garbled) reply.text.resize(reply.text.size() / 2);
    return reply;
  }

  ChatReply fault(Failure failure, const std::string& words) {
    const std::lock_guard lock(mutex_);
    ++faults_;
    ChatReply reply;
    reply.failure = failure;
    reply.error = words;
    reply.attempts_charged = 1;
    return reply;
  }

  const Answer answer_;
  const FaultPlan plan_;
  ModelIdentity identity_{"fake", "fake-model", ""};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::map<std::string, int> sends_;  // by key
  int faults_ = 0;
  std::size_t unanswered_ = 0;
  std::size_t most_unanswered_ = 0;
  bool held_ = false;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tapir::llm
