#include <algorithm>
#include <atomic>
#include <chrono>
#include <tuple>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/hash.h"
#include "difficulty/difficulty.h"
#include "difficulty/orders.h"
#include "shuffled_model.h"

namespace tapir::difficulty {
namespace {

using testing::fails;
using testing::says;
using testing::ShuffledModel;

std::vector<Pair> pairs_of(int count) {
  std::vector<Pair> pairs;
  for (int i = 0; i < count; ++i) {
    Pair pair;
    const std::string number = std::to_string(i);
    pair.instruction.id = std::string("row-").append(number);
    pair.instruction.messages = {{Role::user, std::string("Question ").append(number)}};
    pair.teacher_answer = std::string("good ").append(number);
    pair.student_answer = std::string("weak ").append(number);
    pair.author = "student/s0";
    pairs.push_back(pair);
  }
  return pairs;
}

// A draw in [0, bound) that belongs to the request.
int draw(const llm::ChatRequest& request, std::string_view what, int bound) {
  const std::string& text = request.messages.back().content;
  const auto instruction = prompting::read_fence(text, "instruction").value();
  const auto a = prompting::read_fence(text, "answer_a").value();
  return static_cast<int>(
      RandomStream(9, what, instruction + "/" + a + "/" + std::to_string(request.attempt))
          .below(bound));
}

// A judge with a taste of its own for every pair, and for what stands first.
std::string scores_for(const llm::ChatRequest& request) {
  const std::string& asked = request.messages.back().content;
  const auto instruction = prompting::read_fence(asked, "instruction").value();
  const auto a = prompting::read_fence(asked, "answer_a").value();
  RandomStream stream(1, "taste", instruction);
  const int teacher = stream.between(5, 10);
  const int student = stream.between(1, 8);
  const bool teacher_first = a.starts_with("good");
  const int bias = draw(request, "bias", 3);
  const int first = std::min(10, (teacher_first ? teacher : student) + bias);
  std::string text = "Words.\nScore A: ";
  text.append(std::to_string(first)).append("\nScore B: ");
  return text.append(std::to_string(teacher_first ? student : teacher));
}

llm::ChatReply steady(const llm::ChatRequest& request) { return says(scores_for(request)); }

// A third of the replies cannot be read, some are out of range.
llm::ChatReply unsteady(const llm::ChatRequest& request) {
  const int luck = draw(request, "luck", 10);
  if (luck < 3) return says("I like both, 7 out of 10 times.");
  if (luck == 3) return says("Score A: 0\nScore B: 11");
  return steady(request);
}

struct Sitting {
  JudgeSummary summary;
  std::vector<Judgment> judgments;  // in an order of their own: by id, order, attempt
  std::size_t asked = 0;
};

Sitting sit(const ShuffledModel::Answer& answer, const std::vector<Pair>& pairs,
            const JudgeOptions& options, const std::vector<Judgment>& already = {},
            std::uint64_t shuffle = 1, std::stop_token stop = {}) {
  ShuffledModel judge(answer, shuffle);
  Sitting sitting;
  sitting.judgments = already;
  sitting.summary = judge_pairs(
      judge, prompting::PromptSet::load({}), pairs, already, options,
      [&](const Judgment& judgment) { sitting.judgments.push_back(judgment); }, silent_progress(),
      stop);
  sitting.asked = judge.asked().size();
  std::sort(sitting.judgments.begin(), sitting.judgments.end(),
            [](const Judgment& a, const Judgment& b) {
              return std::tuple(a.instruction_id, a.order, a.attempt) <
                     std::tuple(b.instruction_id, b.order, b.attempt);
            });
  EXPECT_TRUE(sitting.summary.ledger.balances());
  EXPECT_EQ(sitting.summary.ledger.in, pairs.size());
  return sitting;
}

void expect_same(const JudgeSummary& a, const JudgeSummary& b) {
  EXPECT_EQ(a.ledger, b.ledger);
  EXPECT_EQ(a.band, b.band);
  EXPECT_EQ(a.one_order, b.one_order);
  EXPECT_EQ(a.two_orders, b.two_orders);
  EXPECT_EQ(a.flips, b.flips);
  EXPECT_EQ(a.unread_replies, b.unread_replies);
  EXPECT_EQ(a.complete, b.complete);
}

JudgeOptions with(Orders orders) {
  JudgeOptions options;
  options.orders = orders;
  options.pilot_rows = 50;
  options.max_in_flight = 32;
  return options;
}

TEST(JudgePairs, ScoresBelongToTheAnswerWhateverItsPlace) {
  const auto by_merit = [](const llm::ChatRequest& request) {
    const auto a = prompting::read_fence(request.messages.back().content, "answer_a").value();
    return says(a.starts_with("good") ? "Score A: 9\nScore B: 4" : "Score A: 4\nScore B: 9");
  };
  const Sitting both = sit(by_merit, pairs_of(20), with(Orders::both));
  EXPECT_EQ(both.judgments.size(), 40U);
  for (const Judgment& judgment : both.judgments) {
    EXPECT_EQ(judgment.teacher_score, 9);
    EXPECT_EQ(judgment.student_score, 4);
    EXPECT_EQ(judgment.author, "student/s0");
    EXPECT_FALSE(judgment.reply_key.empty());
  }
  EXPECT_EQ(both.summary.two_orders, 20);
  EXPECT_EQ(both.summary.flips, 0);
}

TEST(JudgePairs, SingleAsksOncePerPair) {
  const Sitting single = sit(steady, pairs_of(100), with(Orders::single));
  EXPECT_EQ(single.asked, 100U);
  EXPECT_EQ(single.summary.one_order, 100);
  EXPECT_EQ(single.summary.ledger.done, 100U);
}

TEST(JudgePairs, AdaptiveAsksTheSecondOrderInsideTheBandOnly) {
  const std::vector<Pair> pairs = pairs_of(400);
  const JudgeOptions options = with(Orders::adaptive);
  const Sitting adaptive = sit(steady, pairs, options);
  const Sitting both = sit(steady, pairs, with(Orders::both));
  EXPECT_LT(adaptive.asked, both.asked);
  EXPECT_GT(adaptive.asked, pairs.size() + 50);
  EXPECT_GT(adaptive.summary.band, 0);
  EXPECT_EQ(adaptive.summary.one_order + adaptive.summary.two_orders, 400);
  EXPECT_EQ(adaptive.asked, pairs.size() + static_cast<std::size_t>(adaptive.summary.two_orders));

  std::map<std::string, std::vector<Judgment>> by_pair;
  for (const Judgment& judgment : adaptive.judgments)
    by_pair[judgment.instruction_id].push_back(judgment);
  std::map<std::string, std::vector<Judgment>> reference;
  for (const Judgment& judgment : both.judgments)
    reference[judgment.instruction_id].push_back(judgment);
  int differ = 0;
  for (const Pair& pair : pairs) {
    const std::string& id = pair.instruction.id;
    const Fit fit = fit_of(by_pair.at(id), false).value();
    differ += is_hard(fit, {}) != is_hard(fit_of(reference.at(id), false).value(), {}) ? 1 : 0;
    if (fit.orders == 1) {
      EXPECT_FALSE(inside_band(fit.gap(), 2, adaptive.summary.band));
      EXPECT_EQ(by_pair.at(id).front().order, drawn_order(id, options.seed));
    }
  }
  EXPECT_LE(differ, 12) << "the pilot of 50 pairs bounds the flips at about 1 %";
}

TEST(JudgePairs, ResultsDoNotDependOnArrival) {
  const std::vector<Pair> pairs = pairs_of(200);
  for (const Orders orders : {Orders::adaptive, Orders::both, Orders::single}) {
    const Sitting first = sit(unsteady, pairs, with(orders), {}, 1);
    JudgeOptions narrow = with(orders);
    narrow.max_in_flight = 3;
    const Sitting second = sit(unsteady, pairs, narrow, {}, 2);
    EXPECT_EQ(first.judgments, second.judgments);
    expect_same(first.summary, second.summary);
    EXPECT_TRUE(first.summary.complete);
  }
}

TEST(JudgePairs, UnreadableRepliesAreAskedAgainWithTheComplaint) {
  const std::vector<Pair> pairs = pairs_of(1);
  std::vector<llm::ChatRequest> requests;
  ShuffledModel judge(
      [](const llm::ChatRequest& request) {
        if (request.attempt == 0) return says("Both are fine.");
        if (request.attempt == 1) return says("Score A: 12\nScore B: 3");
        return says("Score A: 8\nScore B: 3");
      },
      1);
  std::vector<Judgment> judgments;
  const JudgeSummary summary = judge_pairs(
      judge, prompting::PromptSet::load({}), pairs, {}, with(Orders::single),
      [&](const Judgment& judgment) { judgments.push_back(judgment); }, silent_progress(), {});
  requests = judge.asked();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_FALSE(prompting::read_fence(requests[0].messages.back().content, "complaint"));
  EXPECT_EQ(prompting::read_fence(requests[1].messages.back().content, "last_reply"),
            "Both are fine.");
  const auto complaint = prompting::read_fence(requests[2].messages.back().content, "complaint");
  ASSERT_TRUE(complaint);
  EXPECT_NE(complaint->find("from 1 to 10"), std::string::npos);
  ASSERT_EQ(judgments.size(), 3U);
  EXPECT_EQ(judgments[0].failure, "unreadable");
  EXPECT_EQ(judgments[1].failure, "out_of_range");
  EXPECT_TRUE(judgments[2].failure.empty());
  EXPECT_EQ(summary.unread_replies, 2);
  EXPECT_EQ(summary.ledger.done, 1U);
}

TEST(JudgePairs, GivesUpAfterTheAttemptsAndCounts) {
  const Sitting sitting = sit([](const llm::ChatRequest&) { return says("no idea"); }, pairs_of(5),
                              with(Orders::single));
  EXPECT_EQ(sitting.asked, 15U);
  EXPECT_EQ(sitting.summary.ledger.failed.at("unreadable"), 5U);
  EXPECT_TRUE(sitting.summary.complete) << "nothing is left to ask";
  const Sitting again = sit([](const llm::ChatRequest&) { return says("no idea"); }, pairs_of(5),
                            with(Orders::single), sitting.judgments);
  EXPECT_EQ(again.asked, 0U);
  expect_same(again.summary, sitting.summary);
}

TEST(JudgePairs, TerminalFailuresAreJudgmentsTransientOnesAreMissing) {
  const auto faulty = [](const llm::ChatRequest& request) {
    if (request.row_id.starts_with("row-1/")) return fails(llm::Failure::content_filter);
    if (request.row_id.starts_with("row-2/")) return fails(llm::Failure::timeout);
    return steady(request);
  };
  const Sitting sitting = sit(faulty, pairs_of(10), with(Orders::single));
  EXPECT_EQ(sitting.summary.ledger.done, 8U);
  EXPECT_EQ(sitting.summary.ledger.failed.at("content_filter"), 1U);
  EXPECT_EQ(sitting.summary.ledger.failed.at("timeout"), 1U);
  EXPECT_FALSE(sitting.summary.complete);
  EXPECT_EQ(sitting.judgments.size(), 9U);
  const Sitting next = sit(steady, pairs_of(10), with(Orders::single), sitting.judgments);
  EXPECT_EQ(next.asked, 1U) << "only the missing row is asked";
  EXPECT_EQ(next.summary.ledger.done, 9U);
  EXPECT_TRUE(next.summary.complete);
}

TEST(JudgePairs, TransientFaultsAndStopsChangeNothingInTheEnd) {
  const std::vector<Pair> pairs = pairs_of(150);
  const Sitting reference = sit(unsteady, pairs, with(Orders::adaptive));
  std::vector<Judgment> judgments;
  JudgeSummary summary;
  std::atomic<int> calls = 0;
  for (int sitting = 0; sitting < 60 && (sitting == 0 || !summary.complete); ++sitting) {
    std::stop_source stop;
    std::atomic<int> here = 0;
    const auto faulty = [&](const llm::ChatRequest& request) {
      if (sitting % 2 == 0 && ++here == 40) stop.request_stop();
      return ++calls % 3 == 0 ? fails(llm::Failure::server_error) : unsteady(request);
    };
    Sitting one = sit(faulty, pairs, with(Orders::adaptive), judgments, sitting, stop.get_token());
    judgments = std::move(one.judgments);
    summary = one.summary;
  }
  expect_same(summary, reference.summary);
  EXPECT_EQ(judgments, reference.judgments);
}

TEST(JudgePairs, OtherAuthorsAndOtherPairsArePassedOver) {
  const std::vector<Pair> pairs = pairs_of(3);
  Judgment foreign;
  foreign.instruction_id = "row-0";
  foreign.author = "student/round-1";
  foreign.teacher_score = 9;
  foreign.student_score = 1;
  Judgment unknown = foreign;
  unknown.instruction_id = "elsewhere";
  EXPECT_EQ(sit(steady, pairs, with(Orders::single), {foreign, unknown}).asked, 3U);
}

TEST(JudgePairs, TwoPairsOfOneIdAreRefused) {
  std::vector<Pair> pairs = pairs_of(2);
  pairs[1].instruction.id = pairs[0].instruction.id;
  ShuffledModel judge(steady, 1);
  EXPECT_THROW(judge_pairs(judge, prompting::PromptSet::load({}), pairs, {}, {},
                           [](const Judgment&) {}, silent_progress(), {}),
               Error);
}

TEST(JudgePairs, NothingToJudge) {
  const Sitting sitting = sit(steady, {}, with(Orders::adaptive));
  EXPECT_TRUE(sitting.summary.complete);
  EXPECT_EQ(sitting.asked, 0U);
}

TEST(JudgePairs, TwentyThousandPairsTakeSeconds) {
  const auto start = std::chrono::steady_clock::now();
  JudgeOptions options = with(Orders::single);
  options.max_in_flight = 512;
  const Sitting sitting =
      sit([](const llm::ChatRequest&) { return says("Score A: 8\nScore B: 3"); }, pairs_of(20000),
          options);
  EXPECT_EQ(sitting.summary.ledger.done, 20000U);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

}  // namespace
}  // namespace tapir::difficulty
