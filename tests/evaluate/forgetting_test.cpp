#include "evaluate/forgetting.h"

#include <algorithm>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/random.h"

namespace tapir::evaluate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// `right` of `items` items of a set, the first ones.
struct Part {
  std::string set;
  int right = 0;
  int items = 10;
  SetKind kind = SetKind::own;
};

Sitting sitting(const std::vector<Part>& parts) {
  Sitting out;
  for (const Part& part : parts) {
    for (int i = 0; i < part.items; ++i) {
      const bool correct = i < part.right;
      out.push_back({part.set, part.kind, std::to_string(i), correct, correct ? 10.0 : 4.0});
    }
  }
  return out;
}

TEST(ScoreMatrix, CellsBestAndDifferences) {
  const std::vector<Sitting> rounds = {sitting({{"f", 2}, {"g", 5}}), sitting({{"f", 8}, {"g", 4}}),
                                       sitting({{"f", 6}, {"g", 5}})};
  const ScoreMatrix matrix = score_matrix(rounds);
  EXPECT_EQ(matrix.rounds, 3U);
  ASSERT_EQ(matrix.rows.size(), 2U);
  const ScoreRow& f = matrix.rows[0];
  EXPECT_EQ(f.set, "f");
  EXPECT_EQ(f.cells[1]->items, 10);
  EXPECT_DOUBLE_EQ(f.cells[1]->accuracy, 0.8);
  EXPECT_DOUBLE_EQ(f.cells[1]->score, (8 * 10 + 2 * 4) / 10.0);
  // Wilson's interval of 8 of 10 at 95 %.
  EXPECT_NEAR(f.cells[1]->interval.low, 0.4902, 1e-4);
  EXPECT_NEAR(f.cells[1]->interval.high, 0.9433, 1e-4);
  EXPECT_DOUBLE_EQ(*f.best, 0.8);
  EXPECT_DOUBLE_EQ(*f.last_minus_best, 0.6 - 0.8);
  EXPECT_DOUBLE_EQ(*f.last_minus_first, 0.6 - 0.2);
  EXPECT_DOUBLE_EQ(*matrix.rows[1].last_minus_best, 0);
}

TEST(ScoreMatrix, RowsStandByKindAndName) {
  const ScoreMatrix matrix = score_matrix(std::vector<Sitting>{
      sitting({{"b", 1, 2, SetKind::safety}, {"z", 1}, {"b", 1, 2}, {"a", 1, 2, SetKind::part}})});
  std::vector<std::string> names;
  for (const ScoreRow& row : matrix.rows)
    names.push_back(std::string(to_string(row.kind)) + " " + row.set);
  EXPECT_THAT(names, ElementsAre("own b", "own z", "part a", "safety b"));
}

TEST(ScoreMatrix, WhatARoundLacksStaysEmpty) {
  const ScoreMatrix matrix = score_matrix(
      std::vector<Sitting>{sitting({{"f", 9}}), sitting({{"g", 3}}), sitting({{"f", 4}})});
  EXPECT_FALSE(matrix.rows[0].cells[1].has_value());
  EXPECT_DOUBLE_EQ(*matrix.rows[0].last_minus_best, 0.4 - 0.9);
  EXPECT_FALSE(matrix.rows[1].last_minus_best.has_value());
  EXPECT_DOUBLE_EQ(*matrix.rows[1].best, 0.3);
  EXPECT_THAT(score_matrix({}).rows, IsEmpty());
}

TEST(ScoreMatrix, AnItemTwiceIsABug) {
  Sitting twice = sitting({{"f", 1}});
  twice.push_back(twice.front());
  EXPECT_THROW(score_matrix(std::vector<Sitting>{twice}), Error);
}

TEST(Forgetting, MeansOverSetsThatTheRoundsTeach) {
  const std::vector<Sitting> rounds = {
      sitting({{"f", 2}, {"g", 50, 100}, {"h", 10, 10, SetKind::part}}),
      sitting({{"f", 8}, {"g", 40, 100}, {"h", 10, 10, SetKind::part}}),
      sitting({{"f", 6}, {"g", 50, 100}, {"h", 0, 10, SetKind::part}})};
  const Forgetting result = forgetting(rounds, 1);
  ASSERT_EQ(result.overall.size(), 3U);
  EXPECT_DOUBLE_EQ(result.overall[0]->accuracy, (0.2 + 0.5) / 2) << "sets count equally";
  EXPECT_DOUBLE_EQ(result.overall[1]->accuracy, (0.8 + 0.4) / 2);
  EXPECT_TRUE(result.overall[1]->interval.contains(0.6));
  EXPECT_EQ(result.backward_transfer->sets, 2U) << "parts are in no mean";
  EXPECT_DOUBLE_EQ(result.backward_transfer->difference, (0.4 + 0) / 2);
  EXPECT_DOUBLE_EQ(*result.mean_drop, (-0.2 + 0) / 2);
  EXPECT_FALSE(result.general.has_value());
  EXPECT_TRUE(forgetting({}, 1).overall.empty());
  EXPECT_FALSE(forgetting(std::vector<Sitting>{rounds[0]}, 1).backward_transfer.has_value());
}

TEST(Forgetting, DeltasOfTheSetsBesideThem) {
  const auto round = [](int general, int chat, int refused) {
    return sitting({{"f", 5},
                    {"mmlu", general, 40, SetKind::general},
                    {"gsm8k", 10, 40, SetKind::general},
                    {"chat", chat, 40, SetKind::instruction},
                    {"harm", refused, 40, SetKind::safety}});
  };
  const Forgetting result =
      forgetting(std::vector<Sitting>{round(30, 20, 40), round(10, 24, 20)}, 7);
  EXPECT_EQ(result.general->sets, 2U);
  EXPECT_DOUBLE_EQ(result.general->difference, -0.5 / 2);
  EXPECT_LT(result.general->interval.high, 0);
  EXPECT_LT(result.general->p, 0.001);
  EXPECT_DOUBLE_EQ(result.instruction->difference, 0.1);
  EXPECT_DOUBLE_EQ(result.safety->difference, -0.5);
  EXPECT_DOUBLE_EQ(result.backward_transfer->difference, 0);
  EXPECT_DOUBLE_EQ(result.backward_transfer->p, 1);
}

TEST(Forgetting, ChangesArePairedByItem) {
  Sitting before = sitting({{"f", 5}});
  Sitting after = sitting({{"f", 7}});
  before.erase(before.begin());  // could not be judged
  RandomStream stream(1, "shuffle");
  const Forgetting result = forgetting(std::vector<Sitting>{before, after}, 1);
  EXPECT_DOUBLE_EQ(result.backward_transfer->difference, 2.0 / 9);
  EXPECT_DOUBLE_EQ(*result.matrix.rows[0].last_minus_first, 0.7 - 4.0 / 9);
  stream.shuffle(after);
  std::reverse(before.begin(), before.end());
  const Forgetting again = forgetting(std::vector<Sitting>{before, after}, 1);
  EXPECT_EQ(again.backward_transfer->interval.low, result.backward_transfer->interval.low);
  EXPECT_EQ(again.overall[1]->interval.high, result.overall[1]->interval.high);
}

ScoreMatrix matrix_of(const std::vector<std::vector<Part>>& rounds) {
  std::vector<Sitting> sittings;
  for (const auto& parts : rounds) sittings.push_back(sitting(parts));
  return score_matrix(sittings);
}

TEST(Gate, TripsOnAClearFallOnly) {
  const ScoreMatrix fall = matrix_of({{{"f", 40, 200}, {"g", 100, 200}},
                                      {{"f", 160, 200}, {"g", 100, 200}},
                                      {{"f", 120, 200}, {"g", 100, 200}}});
  const GateWalk walk = walk_gate(fall, {.tolerance = 0.05});
  ASSERT_EQ(walk.rounds.size(), 2U);
  EXPECT_FALSE(walk.rounds[0].tripped);
  EXPECT_TRUE(walk.rounds[1].tripped);
  EXPECT_EQ(walk.trips(), 1);
  EXPECT_EQ(walk.next_from, 2) << "goes on from the newest unless asked to fall back";
  EXPECT_THAT(walk.rounds[1].words, HasSubstr("f fell from 80.0 % to 60.0 %"));
  EXPECT_THAT(walk.rounds[1].words, Not(HasSubstr("g fell")));
  EXPECT_EQ(walk_gate(fall, {.tolerance = 0.25}).trips(), 0) << "within the tolerance";
  EXPECT_EQ(walk_gate(matrix_of({{{"f", 4, 5}}, {{"f", 3, 5}}}), {.tolerance = 0.05}).trips(), 0)
      << "five items cannot tell";
  EXPECT_THAT(walk_gate(matrix_of({{{"f", 4, 5}}}), {}).rounds, IsEmpty());
}

// A round whose few rows of a set could not be judged has no such set.
TEST(Gate, BearsASetThatARoundLacks) {
  EXPECT_EQ(walk_gate(matrix_of({{{"a", 90, 100}}, {{"b", 10, 100}}}), {}).trips(), 0);
  EXPECT_EQ(
      walk_gate(matrix_of({{{"b", 90, 100}}, {{"a", 90, 100}}, {{"b", 10, 100}}}), {}).trips(), 1);
}

TEST(Gate, LooksAtTheSetsBesideTheDataButNotAtParts) {
  for (const auto& [kind, trips] : {std::pair{SetKind::general, 1},
                                    {SetKind::instruction, 1},
                                    {SetKind::safety, 1},
                                    {SetKind::part, 0}}) {
    EXPECT_EQ(walk_gate(matrix_of({{{"x", 90, 100, kind}}, {{"x", 10, 100, kind}}}), {}).trips(),
              trips)
        << to_string(kind);
  }
}

TEST(Gate, FallingBackGoesOnFromTheBestStudent) {
  // f: 0.5, 0.8, then 0.2 (trips), then 0.7 from round 1, then 0.1 (trips).
  const ScoreMatrix matrix = matrix_of(
      {{{"f", 50, 100}}, {{"f", 80, 100}}, {{"f", 20, 100}}, {{"f", 75, 100}}, {{"f", 10, 100}}});
  const GateWalk walk = walk_gate(matrix, {.tolerance = 0.1, .fall_back = true});
  std::vector<int> from;
  std::vector<bool> tripped;
  for (const GateRound& round : walk.rounds) {
    from.push_back(round.from);
    tripped.push_back(round.tripped);
  }
  EXPECT_THAT(from, ElementsAre(0, 1, 1, 3));
  EXPECT_THAT(tripped, ElementsAre(false, true, false, true));
  EXPECT_EQ(walk.next_from, 1) << "the best, not the last that did not trip";
}

// A student is compared with those it descends from: what a dropped round could do, it never
// learnt.
TEST(Gate, ADroppedRoundIsNobodysMeasure) {
  const ScoreMatrix matrix = matrix_of({{{"f", 50, 100}, {"g", 10, 100}},
                                        {{"f", 20, 100}, {"g", 99, 100}},
                                        {{"f", 52, 100}, {"g", 15, 100}}});
  EXPECT_EQ(walk_gate(matrix, {.tolerance = 0.1, .fall_back = true}).trips(), 1);
  EXPECT_EQ(walk_gate(matrix, {.tolerance = 0.1}).trips(), 2);
}

TEST(Gate, FirstRoundTripsBackToS0) {
  const GateWalk walk = walk_gate(matrix_of({{{"f", 80, 100}}, {{"f", 20, 100}}}),
                                  {.tolerance = 0.1, .fall_back = true});
  EXPECT_EQ(walk.next_from, 0);
}

}  // namespace
}  // namespace tapir::evaluate
