// All wrappers together over a model that fails often.
#include <gmock/gmock.h>

#include "llm/budget.h"
#include "llm/cached.h"
#include "llm/limits.h"
#include "llm/retry.h"
#include "llm_test_tools.h"
#include "test_data.h"

namespace tapir::llm {
namespace {

struct Stack {
  Stack(ChatModel& endpoint, store::RunStore& store, Budget& budget)
      : limited(endpoint, {.max_concurrent_requests = 16}),
        budgeted(limited, budget, {.input = 1, .output = 2}),
        retried(budgeted, {.max_attempts = 30,
                           .first_delay = std::chrono::milliseconds(1),
                           .max_delay = std::chrono::milliseconds(3)}),
        cached(retried, store, "teacher") {}
  LimitedModel limited;
  BudgetedModel budgeted;
  RetryModel retried;
  CachedModel cached;
};

// 300 different requests, each asked twice.
std::vector<ChatRequest> twice() {
  std::vector<ChatRequest> all = requests(300);
  for (int i = 0; i < 300; ++i) all.push_back(request(numbered("again", i), numbered("q", i)));
  return all;
}

TEST(Stack, FaultsChangeNothingButTheNumberOfSends) {
  const tapir::testing::TemporaryFolder folder;
  const auto store = store::RunStore::open(folder.path() / "run.db", store::OpenMode::create);
  FakeChatModel endpoint(FakeChatModel::echo, {.rate_limited = 0.1,
                                               .server_error = 0.08,
                                               .connection = 0.06,
                                               .malformed = 0.06,
                                               .slow = 0.1,
                                               .slow_by = std::chrono::milliseconds(2)});
  Budget budget({.max_usd = 100});
  for (int sitting = 0; sitting < 2; ++sitting) {
    Stack stack(endpoint, *store, budget);
    ListSource source(twice());
    ListSink sink;
    ask_all(stack.cached, source, sink, {.max_in_flight = 64}, {});
    ASSERT_EQ(sink.replies.size(), 600U);
    for (const ChatReply& reply : sink.replies) {
      EXPECT_TRUE(reply.ok());
      EXPECT_EQ(reply.text.substr(0, 11), "answer to q");
      EXPECT_TRUE(reply.from_cache || sitting == 0);
    }
  }
  EXPECT_EQ(endpoint.distinct(), 300U);
  EXPECT_EQ(endpoint.sends(), 300 + endpoint.faults());
  EXPECT_LE(endpoint.most_unanswered(), 16U);
  const auto usage = store->usage();
  ASSERT_EQ(usage.size(), 1U);
  EXPECT_EQ(usage[0].replies, 300);
  EXPECT_EQ(usage[0].failed, 0);
  EXPECT_EQ(usage[0].sends, endpoint.sends());
  EXPECT_NEAR(usage[0].usd, budget.spent().usd(), 1e-9);
}

TEST(Stack, AStoppedSittingIsGoneOnWith) {
  const tapir::testing::TemporaryFolder folder;
  const auto store = store::RunStore::open(folder.path() / "run.db", store::OpenMode::create);
  FakeChatModel endpoint(FakeChatModel::echo, {.server_error = 0.3});
  Budget budget({});
  std::size_t answered = 0;
  for (int sitting = 0; sitting < 20 && answered < 600; ++sitting) {
    Stack stack(endpoint, *store, budget);
    std::stop_source stop;
    class Sink : public ListSink {
     public:
      Sink(std::stop_source& source, std::size_t most) : stop_(source), most_(most) {}
      void take(ChatReply reply) override {
        ListSink::take(std::move(reply));
        if (replies.size() == most_) stop_.request_stop();
      }

     private:
      std::stop_source& stop_;
      const std::size_t most_;
    } sink(stop, 40 * static_cast<std::size_t>(sitting + 1));
    ListSource source(twice());
    ask_all(stack.cached, source, sink, {.max_in_flight = 32}, stop.get_token());
    EXPECT_EQ(sink.replies.size(), source.given());
    answered = 0;
    for (const ChatReply& reply : sink.replies) {
      EXPECT_TRUE(reply.ok() || reply.failure == Failure::stopped || is_transient(reply.failure));
      answered += reply.ok() ? 1 : 0;
    }
  }
  EXPECT_EQ(answered, 600U);
  EXPECT_EQ(endpoint.sends(), 300 + endpoint.faults());  // no answer was asked for twice
}

}  // namespace
}  // namespace tapir::llm
