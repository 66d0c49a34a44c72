#include "llm/limits.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "llm_test_tools.h"

namespace tapir::llm {
namespace {

TEST(Limits, NeverMoreThanAllowedAtATime) {
  FakeChatModel inner(FakeChatModel::echo, {.slow = 0.3, .slow_by = std::chrono::milliseconds(1)},
                      /*threads=*/8);
  LimitedModel model(inner, {.max_concurrent_requests = 3});
  Replies replies;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (const ChatRequest& one : requests(50, std::to_string(caller) + "-"))
        replies.submit(model, one);
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const ChatReply& reply : replies.wait(200)) EXPECT_TRUE(reply.ok());
  EXPECT_LE(inner.most_unanswered(), 3U);
}

TEST(Limits, AStopFreesWhoWaitsForRoom) {
  FakeChatModel inner;
  inner.hold();
  LimitedModel model(inner, {.max_concurrent_requests = 1});
  Replies replies;
  replies.submit(model, request("first"));
  std::stop_source stop;
  std::thread blocked([&] { replies.submit(model, request("second"), stop.get_token()); });
  stop.request_stop();
  blocked.join();
  const ChatReply stopped = replies.wait(1).at(0);
  EXPECT_EQ(stopped.row_id, "row second");
  EXPECT_EQ(stopped.failure, Failure::stopped);
  EXPECT_EQ(stopped.attempts_charged, 0);
  inner.release();
  EXPECT_TRUE(replies.wait(1).at(0).ok());
}

TEST(Limits, RoomForNobodyIsABug) {
  FakeChatModel inner;
  EXPECT_THROW(LimitedModel(inner, {.max_concurrent_requests = 0}), Error);
}

}  // namespace
}  // namespace tapir::llm
