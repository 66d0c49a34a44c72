// Requests, and ways to wait for their replies.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "fake_chat_model.h"
#include "llm/ask_all.h"
#include "llm/chat_model.h"

namespace tapir::llm {

inline ChatRequest request(const std::string& row_id, const std::string& text) {
  ChatRequest made;
  made.row_id = row_id;
  made.stage = "test";
  made.messages = {{Role::user, text}};
  return made;
}
inline ChatRequest request(const std::string& text) {
  return request(std::string("row ").append(text), text);
}

// Collects replies of any thread, and sees completions that run inside submit().
class Replies {
 public:
  void submit(ChatModel& model, ChatRequest one, std::stop_token stop = {}) {
    inside_submit() = true;
    model.submit(
        std::move(one), [this](ChatReply reply) { put(std::move(reply)); }, std::move(stop));
    inside_submit() = false;
  }
  // Waits for so many replies; they come in any order.
  std::vector<ChatReply> wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return replies_.size() >= count; });
    return std::exchange(replies_, {});
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return replies_.size();
  }

 private:
  static bool& inside_submit() {
    thread_local bool inside = false;
    return inside;
  }
  void put(ChatReply reply) {
    EXPECT_FALSE(inside_submit()) << "completed inside submit()";
    const std::lock_guard lock(mutex_);
    replies_.push_back(std::move(reply));
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ChatReply> replies_;
};

inline ChatReply ask(ChatModel& model, ChatRequest one, std::stop_token stop = {}) {
  Replies replies;
  replies.submit(model, std::move(one), std::move(stop));
  return replies.wait(1).at(0);
}

// Requests from a list.
class ListSource : public RequestSource {
 public:
  explicit ListSource(std::vector<ChatRequest> requests) : requests_(std::move(requests)) {}
  std::optional<ChatRequest> next() override {
    if (given_ == requests_.size()) return std::nullopt;
    return requests_[given_++];
  }
  std::size_t given() const { return given_; }

 private:
  std::vector<ChatRequest> requests_;
  std::size_t given_ = 0;
};

class ListSink : public ReplySink {
 public:
  void take(ChatReply reply) override {
    EXPECT_EQ(std::this_thread::get_id(), thread_);
    replies.push_back(std::move(reply));
  }
  std::vector<ChatReply> replies;

 private:
  const std::thread::id thread_ = std::this_thread::get_id();
};

inline std::string numbered(std::string prefix, int number) {
  return prefix.append(std::to_string(number));
}

inline std::vector<ChatRequest> requests(int count, const std::string& prefix = "q") {
  std::vector<ChatRequest> all;
  for (int i = 0; i < count; ++i) all.push_back(request(numbered(prefix, i)));
  return all;
}

}  // namespace tapir::llm
