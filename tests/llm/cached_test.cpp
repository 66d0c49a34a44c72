#include "llm/cached.h"

#include <atomic>
#include <set>
#include <stdexcept>

#include <gmock/gmock.h>

#include "base/error.h"
#include "llm_test_tools.h"
#include "store/sqlite.h"
#include "test_data.h"

namespace tapir::llm {
namespace {

class CachedTest : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "run.db"; }
  void next_sitting() {
    store_.reset();
    store_ = store::RunStore::open(file(), store::OpenMode::create);
  }
  std::string status_of(const ChatRequest& one, const ChatModel& model) const {
    const auto reply = store_->reply(reply_key(model.identity(), one));
    return reply ? reply->status : "none";
  }

  const tapir::testing::TemporaryFolder folder_;
  std::unique_ptr<store::RunStore> store_ = store::RunStore::open(file(), store::OpenMode::create);
};

// Ends in `failure` as often as told, then answers.
struct Fails {
  Failure failure;
  std::shared_ptr<std::atomic<int>> times = std::make_shared<std::atomic<int>>(1);
  ChatReply operator()(const ChatRequest& one) const {
    ChatReply reply = FakeChatModel::echo(one);
    if ((*times)-- > 0) {
      reply.failure = failure;
      reply.error = "the endpoint's words";
      reply.text = "half an ans";
    }
    return reply;
  }
};

TEST_F(CachedTest, ADurableReplyIsNeverSentAgain) {
  FakeChatModel inner([](const ChatRequest& one) {
    ChatReply reply = FakeChatModel::echo(one);
    reply.finish_reason = FinishReason::length;
    reply.usage = {100, 40, 7};
    reply.usd = 0.5;
    reply.top_logprobs = {{{"yes", -0.25}, {"no", -1.5}}, {}, {{"\xc3", -2}}};
    return reply;
  });
  ChatReply first;
  {
    CachedModel model(inner, *store_, "judge");
    first = ask(model, request("q"));
    EXPECT_FALSE(first.from_cache);
    EXPECT_DOUBLE_EQ(first.usd, 0.5);
    EXPECT_EQ(first.attempts_charged, 1);
  }
  next_sitting();
  CachedModel model(inner, *store_, "judge");
  const ChatReply again = ask(model, request("another row", "q"));
  EXPECT_EQ(inner.sends(), 1);
  EXPECT_TRUE(again.ok());
  EXPECT_TRUE(again.from_cache);
  EXPECT_EQ(again.row_id, "another row");
  EXPECT_EQ(again.key, first.key);
  EXPECT_EQ(again.text, "answer to q");
  EXPECT_EQ(again.finish_reason, FinishReason::length);
  EXPECT_EQ(again.usage.prompt_tokens, 100);
  EXPECT_EQ(again.usage.cached_prompt_tokens, 40);
  EXPECT_EQ(again.usage.completion_tokens, 7);
  EXPECT_EQ(again.usd, 0);
  EXPECT_EQ(again.attempts_charged, 0);
  ASSERT_EQ(again.top_logprobs.size(), 3U);
  EXPECT_EQ(again.top_logprobs[0][1].token, "no");
  EXPECT_DOUBLE_EQ(again.top_logprobs[0][1].logprob, -1.5);
  EXPECT_EQ(again.top_logprobs[2][0].token, "\xef\xbf\xbd");  // half a character
  const auto usage = store_->usage();
  ASSERT_EQ(usage.size(), 1U);
  EXPECT_EQ(usage[0].stage, "test");
  EXPECT_EQ(usage[0].role, "judge");
  EXPECT_EQ(usage[0].model, "fake-model");
  EXPECT_EQ(usage[0].sends, 1);
  EXPECT_DOUBLE_EQ(usage[0].usd, 0.5);
}

TEST_F(CachedTest, AReplyIsDurableBeforeItIsGivenOut) {
  FakeChatModel inner;
  CachedModel model(inner, *store_, "judge");
  Replies replies;
  std::atomic<int> missing{0};
  for (const ChatRequest& one : requests(50)) {
    replies.submit(model, one);
  }
  const auto other = store::RunStore::open(file(), store::OpenMode::read_only);
  for (std::size_t taken = 0; taken < 50;) {
    for (const ChatReply& reply : replies.wait(1)) {
      missing += other->reply(reply.key) ? 0 : 1;
      ++taken;
    }
  }
  EXPECT_EQ(missing, 0);
}

TEST_F(CachedTest, AnotherModelIsAnotherKey) {
  FakeChatModel inner;
  ask(*std::make_unique<CachedModel>(inner, *store_, "judge"), request("q"));
  inner.change_identity().settings = "new knobs";
  CachedModel model(inner, *store_, "judge");
  EXPECT_FALSE(ask(model, request("q")).from_cache);
  EXPECT_EQ(inner.distinct(), 2U);
}

TEST_F(CachedTest, AskingAgainUnderAnotherAttemptIsSent) {
  FakeChatModel inner;
  CachedModel model(inner, *store_, "judge");
  ask(model, request("q"));
  ChatRequest again = request("q");
  again.attempt = 1;
  EXPECT_FALSE(ask(model, again).from_cache);
  EXPECT_EQ(inner.sends(), 2);
}

TEST_F(CachedTest, TransientFailuresAreNeverAnswers) {
  for (const Failure failure : {Failure::rate_limited, Failure::server_error, Failure::connection,
                                Failure::timeout, Failure::malformed, Failure::unauthorized}) {
    FakeChatModel inner{Fails{failure}};
    const ChatRequest one = request(std::string(to_string(failure)));
    {
      CachedModel model(inner, *store_, "judge");
      EXPECT_EQ(ask(model, one).failure, failure);
      EXPECT_EQ(status_of(one, model), to_string(failure));
    }
    next_sitting();
    CachedModel model(inner, *store_, "judge");
    const ChatReply reply = ask(model, one);
    EXPECT_TRUE(reply.ok());
    EXPECT_FALSE(reply.from_cache);
    EXPECT_EQ(status_of(one, model), "ok");
    EXPECT_EQ(store_->reply(reply.key)->sends, 2);
  }
}

TEST_F(CachedTest, TerminalFailuresWaitForARetry) {
  for (const Failure failure :
       {Failure::length, Failure::content_filter, Failure::invalid_request}) {
    FakeChatModel inner{Fails{failure}};
    const ChatRequest one = request(std::string(to_string(failure)));
    {
      CachedModel model(inner, *store_, "judge");
      EXPECT_EQ(ask(model, one).failure, failure);
      const ChatReply again = ask(model, one);
      EXPECT_EQ(again.failure, failure);
      EXPECT_EQ(again.error, "the endpoint's words");
      EXPECT_EQ(again.text, "half an ans");
      EXPECT_TRUE(again.from_cache);
      EXPECT_EQ(inner.sends(), 1);
    }
    // A retry is a further attempt: a request of its own.
    ChatRequest further = one;
    further.attempt = 1000;
    CachedModel model(inner, *store_, "judge");
    EXPECT_EQ(ask(model, one).failure, failure);
    EXPECT_EQ(inner.sends(), 1);
    EXPECT_TRUE(ask(model, further).ok());
    EXPECT_TRUE(ask(model, further).from_cache);
    EXPECT_EQ(inner.sends(), 2);
  }
}

TEST_F(CachedTest, WhatWasNotSentIsNotKept) {
  FakeChatModel inner;
  inner.hold();
  CachedModel model(inner, *store_, "judge");
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(ask(model, request("q"), stop.get_token()).failure, Failure::stopped);
  EXPECT_EQ(status_of(request("q"), model), "none");
}

TEST_F(CachedTest, AHundredEqualRequestsAreOneSend) {
  FakeChatModel inner([](const ChatRequest& one) {
    ChatReply reply = FakeChatModel::echo(one);
    reply.usd = 1;
    return reply;
  });
  inner.hold();
  CachedModel model(inner, *store_, "judge");
  Replies replies;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; i < 25; ++i)
        replies.submit(model, request(std::to_string(caller * 25 + i), "the same"));
    });
  }
  for (std::thread& caller : callers) caller.join();
  inner.release();
  std::set<std::string> rows;
  double usd = 0;
  int fresh = 0;
  for (const ChatReply& reply : replies.wait(100)) {
    EXPECT_TRUE(reply.ok());
    EXPECT_EQ(reply.text, "answer to the same");
    rows.insert(reply.row_id);
    usd += reply.usd;
    fresh += reply.from_cache ? 0 : 1;
  }
  EXPECT_EQ(rows.size(), 100U);
  EXPECT_EQ(inner.sends(), 1);
  EXPECT_DOUBLE_EQ(usd, 1);
  EXPECT_EQ(fresh, 1);
  EXPECT_EQ(store_->usage().at(0).sends, 1);
}

TEST_F(CachedTest, AFailureOfOneFlightIsTheFailureOfAllWhoWait) {
  FakeChatModel inner{Fails{Failure::server_error}};
  inner.hold();
  CachedModel model(inner, *store_, "judge");
  Replies replies;
  for (int i = 0; i < 5; ++i) replies.submit(model, request(std::to_string(i), "the same"));
  inner.release();
  for (const ChatReply& reply : replies.wait(5)) EXPECT_EQ(reply.failure, Failure::server_error);
  EXPECT_TRUE(ask(model, request("the same")).ok());
}

TEST_F(CachedTest, AStopOfTheSenderDoesNotStopWhoJoined) {
  FakeChatModel inner;
  inner.hold();
  CachedModel model(inner, *store_, "judge");
  std::stop_source stop;
  Replies first;
  Replies second;
  first.submit(model, request("first", "the same"), stop.get_token());
  second.submit(model, request("second", "the same"));
  stop.request_stop();
  EXPECT_EQ(first.wait(1).at(0).failure, Failure::stopped);
  inner.release();
  const ChatReply reply = second.wait(1).at(0);
  EXPECT_TRUE(reply.ok());
  EXPECT_EQ(reply.row_id, "second");
  EXPECT_EQ(inner.sends(), 1);
}

TEST_F(CachedTest, ARequestIsBookedBeforeItLeaves) {
  FakeChatModel inner;
  inner.hold();
  CachedModel model(inner, *store_, "judge", {.book_before_send = true});
  Replies replies;
  replies.submit(model, request("q"));
  EXPECT_EQ(status_of(request("q"), model), "unknown");
  EXPECT_EQ(store_->usage().at(0).sends, 1);
  inner.release();
  EXPECT_TRUE(replies.wait(1).at(0).ok());
  EXPECT_EQ(status_of(request("q"), model), "ok");
  EXPECT_EQ(store_->usage().at(0).sends, 1);

  inner.hold();
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(ask(model, request("never sent"), stop.get_token()).failure, Failure::stopped);
  EXPECT_EQ(status_of(request("never sent"), model), "stopped");
  EXPECT_EQ(store_->usage().at(0).sends, 1);
}

TEST_F(CachedTest, AnUnknownReplyIsAskedAgain) {
  FakeChatModel inner;
  store::ReplyRecord unknown;
  unknown.key = reply_key(inner.identity(), request("q"));
  unknown.status = "unknown";
  unknown.sends = 1;
  store_->put_reply(unknown);
  CachedModel model(inner, *store_, "judge");
  EXPECT_TRUE(ask(model, request("q")).ok());
  EXPECT_EQ(inner.sends(), 1);
  EXPECT_EQ(store_->reply(unknown.key)->sends, 2);
}

// A store that cannot write any more loses no completion: every request ends, none as an answer.
TEST_F(CachedTest, WhatCannotBeKeptIsNoAnswer) {
  FakeChatModel inner;
  inner.hold();
  CachedModel model(inner, *store_, "judge");
  Replies replies;
  for (const ChatRequest& one : requests(40)) replies.submit(model, one);
  store_->flush();
  store::Connection(file(), SQLITE_OPEN_READWRITE)
      .execute(
          "CREATE TRIGGER no_room BEFORE INSERT ON replies BEGIN SELECT RAISE(ABORT, 'no room'); "
          "END");
  inner.release();
  for (const ChatReply& reply : replies.wait(40)) {
    EXPECT_EQ(reply.failure, Failure::stopped);
    EXPECT_THAT(reply.error, ::testing::HasSubstr("no room"));
  }
  EXPECT_EQ(ask(model, request("later")).failure, Failure::stopped);
  EXPECT_THROW(store_->flush(), Error);
}

TEST_F(CachedTest, AnExceptionOfTheModelReachesItsCallerOnly) {
  class ThrowingModel : public FakeChatModel {
   public:
    void submit(ChatRequest one, Completion done, std::stop_token stop) override {
      if (throws) throw std::runtime_error("from the model");
      FakeChatModel::submit(std::move(one), std::move(done), std::move(stop));
    }
    bool throws = true;
  } inner;
  CachedModel model(inner, *store_, "judge");
  Replies replies;
  EXPECT_THROW(replies.submit(model, request("q")), std::runtime_error);
  inner.throws = false;
  EXPECT_TRUE(ask(model, request("other")).ok());
}

}  // namespace
}  // namespace tapir::llm
