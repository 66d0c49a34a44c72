#include "llm/budget.h"

#include <gmock/gmock.h>

#include "llm_test_tools.h"

namespace tapir::llm {
namespace {

// Uses up to its worst case, by the length of the row's name.
ChatReply spend(const ChatRequest& one) {
  ChatReply reply = FakeChatModel::echo(one);
  RandomStream draws(5, "usage", one.row_id);
  reply.usage.prompt_tokens = static_cast<std::int64_t>(draws.below(80));
  reply.usage.completion_tokens =
      static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(one.sampling.max_tokens)));
  return reply;
}

TEST(Cost, ByKindOfToken) {
  const Prices prices{.input = 2.5, .output = 10, .cached_input = 1.25};
  EXPECT_EQ(cost({1'000'000, 0, 0}, prices).picodollars, 2'500'000'000'000);
  EXPECT_DOUBLE_EQ(cost({1'000'000, 400'000, 100'000}, prices).usd(), 1.5 + 0.5 + 1.0);
  EXPECT_EQ(cost({10, 4, 5}, prices).tokens, 15);
  EXPECT_DOUBLE_EQ(cost({10, 4, 0}, {.input = 1}).usd(), 10e-6);  // cached as input
  EXPECT_DOUBLE_EQ(cost({10, 4000, 0}, prices).usd(), 12.5e-6);  // never more cached than there are
  EXPECT_EQ(cost({1, 0, 0}, {.input = 1e-9}).picodollars, 1);    // rounded up
}

TEST(Cost, TheWorstCaseIsNeverPassed) {
  const Prices prices{.input = 3, .output = 15, .cached_input = 0.3};
  ChatRequest one = request("a question of some length");
  one.sampling.max_tokens = 100;
  const Usage all_bytes{static_cast<std::int64_t>(one.messages[0].content.size()) + 40, 0, 100};
  EXPECT_GE(worst_case(one, prices).picodollars, cost(all_bytes, prices).picodollars);
  EXPECT_GE(worst_case(one, prices).tokens, cost(all_bytes, prices).tokens);
}

TEST(Budget, SetsTheCostOfEachReply) {
  FakeChatModel inner;
  Budget budget({});
  BudgetedModel model(inner, budget, {.input = 1, .output = 2});
  EXPECT_DOUBLE_EQ(ask(model, request("q")).usd, 20e-6);
  EXPECT_DOUBLE_EQ(budget.spent().usd(), 20e-6);
  EXPECT_EQ(budget.spent().tokens, 15);
  EXPECT_FALSE(budget.exhausted());
}

TEST(Budget, AnAnswerWithoutUsageCountsWithItsWorst) {
  FakeChatModel inner([](const ChatRequest& one) {
    ChatReply reply = FakeChatModel::echo(one);
    reply.usage = {};
    return reply;
  });
  Budget budget({});
  const Prices prices{.input = 1, .output = 2};
  BudgetedModel model(inner, budget, prices);
  const ChatRequest one = request("q");
  EXPECT_DOUBLE_EQ(ask(model, one).usd, worst_case(one, prices).usd());
}

TEST(Budget, IsNeverPassedHoweverManyAsk) {
  FakeChatModel teacher(spend,
                        {.connection = 0.1, .slow = 0.1, .slow_by = std::chrono::milliseconds(1)});
  FakeChatModel judge(spend);
  constexpr std::int64_t kTokens = 20'000;
  Budget budget({.max_usd = 0.1, .max_tokens = kTokens});
  BudgetedModel teacher_purse(teacher, budget, {.input = 2, .output = 8});
  BudgetedModel judge_purse(judge, budget, {.input = 1, .output = 4});
  Replies replies;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (ChatRequest one : requests(100, std::to_string(caller) + "-")) {
        one.sampling.max_tokens = 200;
        replies.submit(caller % 2 == 0 ? teacher_purse : judge_purse, std::move(one));
        EXPECT_LE(budget.spent().tokens, kTokens);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  int turned_away = 0;
  double usd = 0;
  for (const ChatReply& reply : replies.wait(400)) {
    turned_away += reply.failure == Failure::budget ? 1 : 0;
    usd += reply.usd;
  }
  EXPECT_LE(budget.spent().tokens, kTokens);
  EXPECT_GT(budget.spent().tokens, kTokens / 2);
  EXPECT_LE(budget.spent().usd(), 0.1);
  EXPECT_NEAR(budget.spent().usd(), usd, 1e-9);
  EXPECT_GT(turned_away, 0);
  EXPECT_EQ(turned_away + teacher.sends() + judge.sends(), 400);
  EXPECT_TRUE(budget.exhausted());
}

TEST(Budget, WaitsForWhatOthersOnlySetAside) {
  FakeChatModel inner;
  inner.hold();
  const Amount worst = worst_case(request("q1"), {});
  Budget budget({.max_tokens = worst.tokens + 20});  // one worst case, or many real ones
  BudgetedModel model(inner, budget, {});
  Replies replies;
  replies.submit(model, request("q1"));
  std::thread second([&] { replies.submit(model, request("q2")); });
  EXPECT_EQ(replies.size(), 0U);
  inner.release();
  second.join();
  for (const ChatReply& reply : replies.wait(2)) EXPECT_TRUE(reply.ok());
}

// A reply that comes another day: what it may cost stays set aside, and nobody waits for it.
TEST(Budget, WhatWaitsForABatchIsHeldAtItsWorst) {
  FakeChatModel inner([](const ChatRequest&) {
    ChatReply reply;
    reply.failure = Failure::waiting;
    return reply;
  });
  const Prices prices{.input = 1, .output = 2};
  const ChatRequest one = request("q");
  Budget budget({.max_usd = 2.5 * worst_case(one, prices).usd()});
  BudgetedModel model(inner, budget, prices);
  EXPECT_EQ(ask(model, one).failure, Failure::waiting);
  EXPECT_EQ(ask(model, one).failure, Failure::waiting);
  EXPECT_EQ(ask(model, one).failure, Failure::budget);
  EXPECT_EQ(budget.spent().picodollars, 0);
  EXPECT_TRUE(budget.exhausted());
}

TEST(Budget, AStopFreesWhoWaits) {
  FakeChatModel inner;
  inner.hold();
  Budget budget({.max_tokens = worst_case(request("q1"), {}).tokens});
  BudgetedModel model(inner, budget, {});
  Replies replies;
  replies.submit(model, request("q1"));
  std::stop_source stop;
  std::thread second([&] { replies.submit(model, request("q2"), stop.get_token()); });
  stop.request_stop();
  second.join();
  EXPECT_EQ(replies.wait(1).at(0).failure, Failure::stopped);
  inner.release();
  EXPECT_TRUE(replies.wait(1).at(0).ok());
}

TEST(Budget, WhatEarlierSittingsSpentCounts) {
  FakeChatModel inner;
  Budget budget({.max_usd = 1}, {.picodollars = 999'999'999'999});
  BudgetedModel model(inner, budget, {.input = 1, .output = 1});
  const ChatReply reply = ask(model, request("q"));
  EXPECT_EQ(reply.failure, Failure::budget);
  EXPECT_NE(reply.error, "");
  EXPECT_EQ(reply.attempts_charged, 0);
  EXPECT_EQ(inner.sends(), 0);
}

TEST(Budget, AnUnknownCostIsBookedAtItsWorst) {
  FakeChatModel cut(FakeChatModel::echo, {.connection = 1});
  FakeChatModel refused(FakeChatModel::echo, {.rate_limited = 1});
  Budget budget({});
  const Prices prices{.input = 1, .output = 1};
  BudgetedModel cut_model(cut, budget, prices);
  BudgetedModel refused_model(refused, budget, prices);
  EXPECT_EQ(ask(refused_model, request("q")).usd, 0);
  EXPECT_EQ(budget.spent().tokens, 0);
  ask(cut_model, request("q"));
  EXPECT_EQ(budget.spent().tokens, worst_case(request("q"), prices).tokens);
}

}  // namespace
}  // namespace tapir::llm
