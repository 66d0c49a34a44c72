#include "llm/retry.h"

#include <atomic>
#include <set>

#include <gmock/gmock.h>

#include "llm_test_tools.h"

namespace tapir::llm {
namespace {

using std::chrono::milliseconds;

RetryOptions quick(int max_attempts) { return {max_attempts, milliseconds(1), milliseconds(4), 0}; }

TEST(RetryDelay, DoublesUpToTheMostWithJitter) {
  const RetryOptions options{
      .first_delay = milliseconds(1000), .max_delay = milliseconds(10'000), .seed = 3};
  const std::vector<int> most = {1000, 2000, 4000, 8000, 10'000, 10'000};
  for (int key = 0; key < 50; ++key) {
    for (int retry = 1; retry <= 6; ++retry) {
      const auto delay = retry_delay(options, std::to_string(key), retry).count();
      EXPECT_LE(delay, most[static_cast<std::size_t>(retry - 1)]);
      EXPECT_GE(delay, most[static_cast<std::size_t>(retry - 1)] / 2);
    }
  }
}

TEST(RetryDelay, RepeatsAndSpreads) {
  const RetryOptions options;
  std::set<std::int64_t> delays;
  for (int key = 0; key < 100; ++key) {
    const auto delay = retry_delay(options, std::to_string(key), 1);
    EXPECT_EQ(delay, retry_delay(options, std::to_string(key), 1));
    delays.insert(delay.count());
  }
  EXPECT_GT(delays.size(), 60U);
  EXPECT_GT(retry_delay(options, "k", 2000).count(),
            0);  // a huge power of two is cut, not overflown
}

// Fails so many times, then answers; every send costs a cent.
class FailingModel : public FakeChatModel {
 public:
  FailingModel(int failures, Failure failure)
      : FakeChatModel([this, failure](const ChatRequest& one) {
          ChatReply reply = echo(one);
          if (failures_left_-- > 0) {
            reply.failure = failure;
            reply.text.clear();
          }
          reply.usd = 0.01;
          return reply;
        }),
        failures_left_(failures) {}

 private:
  std::atomic<int> failures_left_;
};

TEST(Retry, AsksAgainAfterTransientFailuresAndSumsTheCharges) {
  FailingModel inner(2, Failure::server_error);
  RetryModel model(inner, quick(5));
  const ChatReply reply = ask(model, request("q"));
  EXPECT_TRUE(reply.ok());
  EXPECT_EQ(reply.text, "answer to q");
  EXPECT_EQ(reply.attempts_charged, 3);
  EXPECT_DOUBLE_EQ(reply.usd, 0.03);
  EXPECT_EQ(inner.sends(), 3);
}

TEST(Retry, GivesUpWithTheLastFailure) {
  FailingModel inner(100, Failure::rate_limited);
  RetryModel model(inner, quick(4));
  const ChatReply reply = ask(model, request("q"));
  EXPECT_EQ(reply.failure, Failure::rate_limited);
  EXPECT_EQ(reply.attempts_charged, 4);
  EXPECT_EQ(inner.sends(), 4);
}

TEST(Retry, TerminalFailuresAreNotAskedAgain) {
  for (const Failure failure : {Failure::length, Failure::content_filter, Failure::invalid_request,
                                Failure::unauthorized, Failure::budget, Failure::stopped}) {
    FailingModel inner(1, failure);
    RetryModel model(inner, quick(5));
    EXPECT_EQ(ask(model, request("q")).failure, failure);
    EXPECT_EQ(inner.sends(), 1);
  }
}

TEST(Retry, AStopEndsTheWaiting) {
  FailingModel inner(100, Failure::connection);
  RetryModel model(inner,
                   {.first_delay = std::chrono::hours(1), .max_delay = std::chrono::hours(1)});
  std::stop_source stop;
  Replies replies;
  for (int i = 0; i < 10; ++i) replies.submit(model, request(numbered("q", i)), stop.get_token());
  while (inner.sends() < 10) std::this_thread::yield();
  EXPECT_EQ(replies.size(), 0U);
  stop.request_stop();
  for (const ChatReply& reply : replies.wait(10)) {
    EXPECT_EQ(reply.attempts_charged, 1);
    EXPECT_TRUE(is_transient(reply.failure));
  }
}

TEST(Retry, AWaitThatTheEndpointAskedForIsKept) {
  std::atomic<int> sends = 0;
  FakeChatModel inner([&](const ChatRequest& one) {
    ChatReply reply = FakeChatModel::echo(one);
    if (sends++ > 0) return reply;
    reply.failure = Failure::rate_limited;
    reply.retry_after = 0.15;
    return reply;
  });
  RetryModel model(inner, quick(3));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(ask(model, request("q")).ok());
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(150));
}

TEST(Retry, WhatCannotPassIsNotTriedAgain) {
  for (const Failure failure : {Failure::unauthorized, Failure::unavailable, Failure::budget}) {
    FailingModel inner(1, failure);
    RetryModel model(inner, quick(5));
    EXPECT_EQ(ask(model, request("q")).failure, failure);
    EXPECT_EQ(inner.sends(), 1);
  }
}

TEST(Retry, ManyAtOnceAllEnd) {
  FakeChatModel inner(FakeChatModel::echo,
                      {.rate_limited = 0.2, .server_error = 0.1, .malformed = 0.1});
  RetryModel model(inner, quick(50));
  Replies replies;
  for (const ChatRequest& one : requests(300)) replies.submit(model, one);
  int charged = 0;
  for (const ChatReply& reply : replies.wait(300)) {
    EXPECT_TRUE(reply.ok());
    charged += reply.attempts_charged;
  }
  EXPECT_EQ(charged, inner.sends());
  EXPECT_EQ(inner.sends(), 300 + inner.faults());
}

}  // namespace
}  // namespace tapir::llm
