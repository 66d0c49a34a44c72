#include "difficulty/floor.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <gtest/gtest.h>

namespace tapir::difficulty {
namespace {

std::vector<Instruction> made_rows(const std::string& task, int count) {
  std::vector<Instruction> rows;
  for (int i = 0; i < count; ++i) {
    Instruction& row = rows.emplace_back();
    row.id = task + "-" + std::to_string(i);
    row.task = task;
    row.messages = {{Role::user, "x"}};
  }
  return rows;
}

std::set<std::string> ids_of(const std::vector<Instruction>& rows,
                             const std::vector<std::size_t>& places) {
  std::set<std::string> ids;
  for (const std::size_t place : places) ids.insert(rows.at(place).id);
  return ids;
}

Fit fit_of_row(const Instruction& row, double teacher, double student) {
  return {row.id, "student/s0", teacher, student, 2, false};
}

TEST(FloorSample, TakesSoManyOfEachTaskOrAllOfThem) {
  std::vector<Instruction> rows = made_rows("Math", 30);
  for (const Instruction& row : made_rows("Law", 3)) rows.push_back(row);
  const auto places = floor_sample(rows, 10, 42);
  EXPECT_TRUE(std::is_sorted(places.begin(), places.end()));
  const auto of_math = std::count_if(places.begin(), places.end(),
                                     [&](std::size_t place) { return rows[place].task == "Math"; });
  EXPECT_EQ(of_math, 10);
  EXPECT_EQ(places.size(), 13U);
  EXPECT_TRUE(floor_sample(rows, 0, 42).empty());
  EXPECT_TRUE(floor_sample({}, 10, 42).empty());
}

TEST(FloorSample, IsAFunctionOfIdsAndSeed) {
  std::vector<Instruction> rows = made_rows("Math", 60);
  const auto sample = ids_of(rows, floor_sample(rows, 10, 42));
  EXPECT_NE(ids_of(rows, floor_sample(rows, 10, 43)), sample);
  std::reverse(rows.begin(), rows.end());
  EXPECT_EQ(ids_of(rows, floor_sample(rows, 10, 42)), sample);
  const auto larger = ids_of(rows, floor_sample(rows, 20, 42));
  EXPECT_TRUE(std::includes(larger.begin(), larger.end(), sample.begin(), sample.end()))
      << "what was judged is not paid for again";
}

TEST(Floors, MeanAndShareOfTheJudgedRowsWithTheirIntervals) {
  const std::vector<Instruction> rows = made_rows("Math", 10);
  std::vector<Fit> fits = {fit_of_row(rows[0], 9, 2), fit_of_row(rows[1], 7, 5),
                           fit_of_row(rows[2], 8, 5), fit_of_row(rows[3], 8, 8)};
  fits.push_back(fits.back());
  fits.back().instruction_id = "of another round";
  const TaskFloor floor = floors_of(rows, fits, {.value = 2, .strict = true}).at("Math");
  EXPECT_EQ(floor.rows, 10);
  EXPECT_EQ(floor.judged, 4);
  EXPECT_DOUBLE_EQ(floor.mean, 8);
  // t(0.975, 3 degrees of freedom) = 3.18245, sd = sqrt(2/3).
  EXPECT_NEAR(floor.interval.low, 8 - 3.18245 * std::sqrt(2.0 / 3) / 2, 1e-4);
  EXPECT_NEAR(floor.interval.high, 8 + 3.18245 * std::sqrt(2.0 / 3) / 2, 1e-4);
  EXPECT_EQ(floor.hard, 2) << "a gap of 2 does not pass";
  EXPECT_DOUBLE_EQ(floor.hard_share(), 0.5);
  EXPECT_NEAR(floor.hard_interval.low, 0.15004, 1e-4);
  EXPECT_EQ(floors_of(rows, fits, {.value = 2, .strict = false}).at("Math").hard, 3);
}

TEST(Floors, BelowOnlyWhenTheWholeIntervalIs) {
  const auto floor_with = [](const std::vector<double>& scores) {
    const std::vector<Instruction> rows = made_rows("Math", 20);
    std::vector<Fit> fits;
    for (std::size_t i = 0; i < scores.size(); ++i)
      fits.push_back(fit_of_row(rows[i], scores[i], 1));
    return floors_of(rows, fits, {}).at("Math");
  };
  const TaskFloor bad = floor_with({3, 4, 3, 4, 3, 4});
  EXPECT_TRUE(bad.is_below(6));
  EXPECT_FALSE(bad.is_doubtful(6));
  EXPECT_FALSE(bad.is_below(1));
  const TaskFloor mixed = floor_with({2, 9, 2, 9, 5});
  EXPECT_FALSE(mixed.is_below(6));
  EXPECT_TRUE(mixed.is_doubtful(6));
  const TaskFloor good = floor_with({6, 6, 6});
  EXPECT_FALSE(good.is_below(6));
  EXPECT_FALSE(good.is_doubtful(6));
  const TaskFloor single = floor_with({1});
  EXPECT_FALSE(single.is_below(6)) << "one row says nothing of the others";
  EXPECT_TRUE(single.is_doubtful(6));
  EXPECT_DOUBLE_EQ(single.interval.low, 1);
  EXPECT_DOUBLE_EQ(single.interval.high, 10);
  const TaskFloor unseen = floor_with({});
  EXPECT_FALSE(unseen.is_below(6));
  EXPECT_FALSE(unseen.is_doubtful(6));
  EXPECT_DOUBLE_EQ(unseen.hard_share(), 0);
}

}  // namespace
}  // namespace tapir::difficulty
