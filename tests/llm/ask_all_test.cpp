#include "llm/ask_all.h"

#include <set>
#include <stdexcept>

#include <gmock/gmock.h>

#include "llm_test_tools.h"

namespace tapir::llm {
namespace {

TEST(AskAll, TakesEveryReplyInOnce) {
  FakeChatModel model(FakeChatModel::echo, {.slow = 0.1, .slow_by = std::chrono::milliseconds(2)});
  ListSource source(requests(500));
  ListSink sink;
  ask_all(model, source, sink, {.max_in_flight = 32}, {});
  std::set<std::string> rows;
  for (const ChatReply& reply : sink.replies) {
    EXPECT_EQ("answer to " + reply.row_id.substr(4), reply.text);
    rows.insert(reply.row_id);
  }
  EXPECT_EQ(rows.size(), 500U);
  EXPECT_EQ(sink.replies.size(), 500U);
  EXPECT_LE(model.most_unanswered(), 32U);
}

TEST(AskAll, ACutReplyIsAnAnswerWhereTheRequestSaysSo) {
  FakeChatModel model([](const ChatRequest& request) {
    ChatReply reply = FakeChatModel::echo(request);
    reply.failure = request.row_id == "row-2" ? Failure::content_filter : Failure::length;
    return reply;
  });
  std::vector<ChatRequest> asked = requests(4);
  for (ChatRequest& request : asked) request.cut_is_answer = request.row_id != "row-1";
  ListSource source(asked);
  ListSink sink;
  ask_all(model, source, sink, {}, {});
  ASSERT_EQ(sink.replies.size(), 4U);
  for (const ChatReply& reply : sink.replies) {
    EXPECT_EQ(reply.failure, reply.row_id == "row-1"   ? Failure::length
                             : reply.row_id == "row-2" ? Failure::content_filter
                                                       : Failure::none);
    if (reply.ok()) {
      EXPECT_EQ(reply.finish_reason, FinishReason::length);
    }
  }
}

TEST(AskAll, FailuresAreRepliesToo) {
  FakeChatModel model(FakeChatModel::echo,
                      {.rate_limited = 0.2, .connection = 0.2, .malformed = 0.2});
  ListSource source(requests(200));
  ListSink sink;
  ask_all(model, source, sink, {}, {});
  ASSERT_EQ(sink.replies.size(), 200U);
  int failed = 0;
  for (const ChatReply& reply : sink.replies) failed += reply.ok() ? 0 : 1;
  EXPECT_EQ(failed, model.faults());
  EXPECT_GT(failed, 80);
}

TEST(AskAll, AnEmptySourceIsDoneAtOnce) {
  FakeChatModel model;
  ListSource source({});
  ListSink sink;
  ask_all(model, source, sink, {.max_in_flight = 0}, {});
  EXPECT_TRUE(sink.replies.empty());
}

// A reply may bring a new request: the second order of a pair, or a repair.
class Chain : public RequestSource, public ReplySink {
 public:
  std::optional<ChatRequest> next() override {
    if (!ready_) return std::nullopt;
    ready_ = false;
    return request(std::to_string(taken));
  }
  void take(ChatReply) override { ready_ = ++taken < 50; }
  int taken = 0;

 private:
  bool ready_ = true;
};

TEST(AskAll, AsksTheSourceAgainAfterEachReply) {
  FakeChatModel model;
  Chain chain;
  ask_all(model, chain, chain, {}, {});
  EXPECT_EQ(chain.taken, 50);
}

TEST(AskAll, AStopEndsAdmissionAndTakesInWhatWasAdmitted) {
  FakeChatModel model;
  std::stop_source stop;
  class StoppingSink : public ListSink {
   public:
    explicit StoppingSink(std::stop_source& source) : stop_(source) {}
    void take(ChatReply reply) override {
      ListSink::take(std::move(reply));
      if (replies.size() == 20) stop_.request_stop();
    }

   private:
    std::stop_source& stop_;
  } sink(stop);
  ListSource source(requests(1000));
  ask_all(model, source, sink, {.max_in_flight = 8}, stop.get_token());
  EXPECT_EQ(sink.replies.size(), source.given());
  EXPECT_GE(source.given(), 20U);
  EXPECT_LE(source.given(), 40U);

  ListSource untouched(requests(3));
  ask_all(model, untouched, sink, {}, stop.get_token());
  EXPECT_EQ(untouched.given(), 0U);
}

TEST(AskAll, AnExceptionOfTheSinkIsRethrownWhenAllHaveCome) {
  FakeChatModel model(FakeChatModel::echo, {.slow = 0.5, .slow_by = std::chrono::milliseconds(5)});
  class ThrowingSink : public ReplySink {
   public:
    void take(ChatReply) override {
      if (++taken == 5) throw std::runtime_error("from the sink");
    }
    int taken = 0;
  } sink;
  ListSource source(requests(200));
  EXPECT_THROW(ask_all(model, source, sink, {.max_in_flight = 16}, {}), std::runtime_error);
  EXPECT_EQ(model.unanswered(), 0U);
  EXPECT_EQ(sink.taken, 5);
  EXPECT_LT(source.given(), 50U);
}

TEST(AskAll, AnExceptionOfTheSourceIsRethrownWhenAllHaveCome) {
  FakeChatModel model;
  class ThrowingSource : public RequestSource {
   public:
    std::optional<ChatRequest> next() override {
      if (++given == 10) throw std::runtime_error("from the source");
      return request(std::to_string(given));
    }
    int given = 0;
  } source;
  ListSink sink;
  model.hold();  // what is in flight is told to stop, else this would never end
  EXPECT_THROW(ask_all(model, source, sink, {}, {}), std::runtime_error);
  EXPECT_EQ(model.unanswered(), 0U);
}

TEST(AskAll, AnExceptionOfTheModelIsRethrown) {
  class ThrowingModel : public FakeChatModel {
   public:
    void submit(ChatRequest one, Completion done, std::stop_token stop) override {
      if (one.row_id == "row q7") throw std::runtime_error("from the model");
      FakeChatModel::submit(std::move(one), std::move(done), std::move(stop));
    }
  } model;
  ListSource source(requests(20));
  ListSink sink;
  EXPECT_THROW(ask_all(model, source, sink, {}, {}), std::runtime_error);
  EXPECT_EQ(model.unanswered(), 0U);
}

}  // namespace
}  // namespace tapir::llm
