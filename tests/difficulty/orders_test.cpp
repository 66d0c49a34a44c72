#include "difficulty/orders.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"

namespace tapir::difficulty {
namespace {

std::vector<Pair> pairs_of(int count) {
  std::vector<Pair> pairs;
  for (int i = 0; i < count; ++i) {
    Pair pair;
    pair.instruction.id = "row-" + std::to_string(i);
    pairs.push_back(pair);
  }
  return pairs;
}

TEST(Orders, AreParsedByName) {
  EXPECT_EQ(parse_orders("adaptive", "recipe.yaml:3"), Orders::adaptive);
  EXPECT_EQ(parse_orders("both", ""), Orders::both);
  EXPECT_EQ(parse_orders("single", ""), Orders::single);
  EXPECT_THROW(parse_orders("twice", "recipe.yaml:3"), Error);
}

TEST(Orders, AreDrawnEvenlyById) {
  int teacher_first = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::string id = "row-" + std::to_string(i);
    EXPECT_EQ(drawn_order(id, 42), drawn_order(id, 42));
    teacher_first += drawn_order(id, 42) == Order::teacher_first ? 1 : 0;
  }
  EXPECT_NEAR(teacher_first, 2000, 150);
}

TEST(Pilot, DependsOnIdsOnly) {
  std::vector<Pair> pairs = pairs_of(500);
  JudgeOptions options;
  options.pilot_rows = 60;
  const auto ids_of = [](const std::vector<Pair>& all, const std::vector<std::size_t>& places) {
    std::vector<std::string> ids;
    for (const std::size_t place : places) ids.push_back(all[place].instruction.id);
    std::sort(ids.begin(), ids.end());
    return ids;
  };
  const auto pilot = pilot_of(pairs, options);
  ASSERT_EQ(pilot.size(), 60U);
  EXPECT_TRUE(std::is_sorted(pilot.begin(), pilot.end()));
  const auto ids = ids_of(pairs, pilot);
  std::reverse(pairs.begin(), pairs.end());
  EXPECT_EQ(ids_of(pairs, pilot_of(pairs, options)), ids);
  options.seed = 43;
  EXPECT_NE(ids_of(pairs, pilot_of(pairs, options)), ids);
  options.pilot_rows = 10000;
  EXPECT_EQ(pilot_of(pairs, options).size(), 500U);
}

TEST(Band, HoldsTheFlipsOfThePilotDown) {
  // 100 pairs, the judge disagrees with itself on two: a distance of 1 and one of 3 from the
  // threshold 2.
  std::vector<TwoGaps> pilot(98, TwoGaps{5, 5});
  pilot.push_back({3, 0});   // mean 1.5: the first reading says hard (distance 1)
  pilot.push_back({-1, 7});  // mean 3: the first reading says easy (distance 3)
  EXPECT_EQ(band_of(pilot, {2}, 0.0), 3);
  EXPECT_EQ(band_of(pilot, {2}, 0.01), 1) << "one flip of 200 single readings is under 1 %";
  EXPECT_EQ(band_of(pilot, {2}, 0.5), 0);
  EXPECT_EQ(band_of(std::vector<TwoGaps>(50, TwoGaps{5, 5}), {2}, 0.01), 0);
  EXPECT_GE(band_of({}, {2}, 0.01), 11) << "without a pilot everything is judged twice";
}

TEST(Band, IsTheSmallestThatHolds) {
  for (int trial = 0; trial < 300; ++trial) {
    RandomStream stream(3, "band", std::to_string(trial));
    std::vector<TwoGaps> pilot;
    for (int i = 0; i < 100; ++i) {
      const double gap = stream.between(-9, 9);
      pilot.push_back({gap, std::clamp(gap + stream.between(-2, 2), -9.0, 9.0)});
    }
    const double band = band_of(pilot, {2}, 0.02);
    const auto remaining = [&](double width) {
      int flips = 0;
      for (const TwoGaps& gaps : pilot) {
        const bool hard = (gaps.teacher_first + gaps.student_first) / 2 > 2;
        for (const double single : {gaps.teacher_first, gaps.student_first}) {
          flips += !inside_band(single, 2, width) && (single > 2) != hard ? 1 : 0;
        }
      }
      return flips;
    };
    ASSERT_LT(remaining(band), 4) << "2 % of 200 readings";
    if (band > 0) {
      ASSERT_GE(remaining(band - 0.25), 4);
    }
  }
}

TEST(Band, KnowsThatAGapOnTheThresholdMayPass) {
  std::vector<TwoGaps> pilot(98, TwoGaps{5, 5});
  pilot.push_back({2, 2});
  pilot.push_back({2, 1});  // at least 2 in one order only
  EXPECT_EQ(band_of(pilot, {2, /*strict=*/true}, 0.0), 0) << "nothing above 2, nothing flips";
  EXPECT_EQ(band_of(pilot, {1.5, /*strict=*/true}, 0.0), 0.5) << "a mean of 1.5 is not above";
  EXPECT_EQ(band_of(pilot, {2, /*strict=*/false}, 0.0), 0)
      << "the reading on the threshold passes, the mean does not: a distance of 0";
}

// Replayed by the same rule that judging follows: see JudgePairs.AdaptiveAsksWhatTheReplaySays.
TEST(Replay, CountsSavedCallsAndFlips) {
  std::vector<RecordedPair> pairs;
  for (int i = 0; i < 400; ++i) {
    RandomStream stream(5, "replay", std::to_string(i));
    const double gap = stream.between(-9, 9);
    const auto read = [&] { return std::clamp(gap + stream.between(-1, 1), -9.0, 9.0); };
    pairs.push_back({"row-" + std::to_string(i), {read(), read()}});
  }
  JudgeOptions options;
  options.pilot_rows = 100;
  const OrdersReplay replay = replay_adaptive(pairs, options);
  EXPECT_EQ(replay.pairs, 400);
  EXPECT_EQ(replay.pilot, 100);
  EXPECT_EQ(replay.second_calls + replay.saved_calls, 300);
  EXPECT_GT(replay.saved_calls, 150) << "most gaps are far from the threshold";
  EXPECT_LE(replay.flips, replay.single_flips);
  EXPECT_GT(replay.single_flips, 0);
  EXPECT_LE(replay.flips, 400 * 0.02);

  options.pilot_rows = 1000;
  const OrdersReplay all = replay_adaptive(pairs, options);
  EXPECT_EQ(all.pilot, 400);
  EXPECT_EQ(all.saved_calls, 0);
  EXPECT_EQ(all.flips, 0);
  EXPECT_EQ(replay_adaptive({}, options).pairs, 0);

  const OrdersReplay hindsight = replay_adaptive(pairs, options, /*hindsight=*/true);
  EXPECT_EQ(hindsight.pilot, 0);
  EXPECT_EQ(hindsight.second_calls + hindsight.saved_calls, 400);
  EXPECT_LT(hindsight.flips, 400 * 2 * options.max_flip_rate);
}

}  // namespace
}  // namespace tapir::difficulty
