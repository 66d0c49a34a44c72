// A model of the tests that writes its answers word by word, can be held, and notices cancellation.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "llm/chat_model.h"

namespace tapir::testing {

// Every request has a thread of its own.
class TypewriterModel final : public llm::StreamingChatModel {
 public:
  using Answer = std::function<llm::ChatReply(const llm::ChatRequest&)>;
  explicit TypewriterModel(Answer answer = &TypewriterModel::echo) : answer_(std::move(answer)) {}
  ~TypewriterModel() override {
    release();
    for (std::jthread& thread : threads_) thread.join();
  }

  // The last message or the prompt again.
  static llm::ChatReply echo(const llm::ChatRequest& request) {
    llm::ChatReply reply;
    reply.text = request.messages.empty() ? request.prompt : request.messages.back().content;
    reply.usage = {7, 0, static_cast<std::int64_t>(split(reply.text, ' ').size())};
    return reply;
  }

  // Answers wait before their first word until release().
  void hold() { held_ = true; }
  void release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  std::chrono::milliseconds pause{0};  // before every word
  std::size_t cancelled() const { return cancelled_; }
  std::size_t waiting() const { return waiting_; }
  std::vector<llm::ChatRequest> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  // Streaming::prompt of each.
  std::vector<std::shared_ptr<llm::SharedPrompt>> prompts() const {
    const std::lock_guard lock(mutex_);
    return prompts_;
  }

  const llm::ModelIdentity& identity() const override { return identity_; }
  void submit(llm::ChatRequest request, llm::Completion done, std::stop_token stop) override {
    submit_streaming(std::move(request), {}, std::move(done), std::move(stop));
  }
  void submit_streaming(llm::ChatRequest request, llm::Streaming streaming, llm::Completion done,
                        std::stop_token /*stop*/) override {
    const std::lock_guard lock(mutex_);
    asked_.push_back(request);
    prompts_.push_back(streaming.prompt);
    threads_.emplace_back([this, request = std::move(request), streaming = std::move(streaming),
                           done = std::move(done)] { write(request, streaming, done); });
  }

 private:
  void write(const llm::ChatRequest& request, const llm::Streaming& streaming,
             const llm::Completion& done) {
    {
      std::unique_lock lock(mutex_);
      ++waiting_;
      changed_.wait(lock, streaming.cancel, [&] { return !held_; });
      --waiting_;
    }
    llm::ChatReply reply = answer_(request);
    const std::vector<std::string> words = split(reply.text, ' ');
    for (std::size_t i = 0; reply.ok() && i < words.size(); ++i) {
      std::this_thread::sleep_for(pause);
      if (streaming.cancel.stop_requested()) {
        ++cancelled_;
        reply.failure = llm::Failure::stopped;
      } else if (streaming.on_delta) {
        llm::ChatDelta delta{(i > 0 ? " " : "") + words[i], {}, {}};
        if (i < reply.logprobs.size()) {
          delta.logprobs = {reply.logprobs[i]};
          delta.top_logprobs = {reply.top_logprobs[i]};
        }
        streaming.on_delta(std::move(delta));
      }
    }
    done(std::move(reply));
  }

  Answer answer_;
  llm::ModelIdentity identity_{"test", "typewriter", ""};
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<llm::ChatRequest> asked_;
  std::vector<std::shared_ptr<llm::SharedPrompt>> prompts_;
  std::atomic<bool> held_{false};
  std::atomic<std::size_t> cancelled_{0};
  std::atomic<std::size_t> waiting_{0};
  std::vector<std::jthread> threads_;
};

}  // namespace tapir::testing
