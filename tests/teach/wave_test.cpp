#include "teach/wave.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"

namespace tapir::teach {
namespace {

std::vector<Instruction> seeds_of(int count) {
  std::vector<Instruction> seeds;
  for (int i = 0; i < count; ++i) {
    Instruction seed;
    seed.id = "seed-" + std::to_string(i);
    seed.messages = {{Role::user, "x"}};
    seeds.push_back(seed);
  }
  return seeds;
}

std::vector<std::string> turns(const std::vector<Instruction>& seeds, int count, int round,
                               std::uint64_t seed) {
  SeedTurns source("Math", seeds, round, seed);
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i) {
    const SeedTurns::Turn turn = source.next();
    out.push_back((turn.seed ? turn.seed->id : "none") + "/" + std::to_string(turn.use));
  }
  return out;
}

TEST(SeedTurns, EverySeedHasItsTurnBeforeOneHasASecond) {
  const auto seeds = seeds_of(10);
  const auto order = turns(seeds, 25, 1, 42);
  EXPECT_EQ(std::set<std::string>(order.begin(), order.end()).size(), 25U)
      << "seed and use are unique";
  for (int i = 0; i < 25; ++i)
    EXPECT_TRUE(order[i].ends_with("/" + std::to_string(i / 10))) << order[i];
}

TEST(SeedTurns, AreAFunctionOfIdsSeedAndRound) {
  auto seeds = seeds_of(20);
  const auto order = turns(seeds, 60, 1, 42);
  std::reverse(seeds.begin(), seeds.end());
  EXPECT_EQ(turns(seeds, 60, 1, 42), order);
  EXPECT_NE(turns(seeds, 60, 2, 42), order);
  EXPECT_NE(turns(seeds, 60, 1, 43), order);
}

TEST(SeedTurns, WithoutSeedsStartFromTheDescription) {
  EXPECT_EQ(turns({}, 3, 1, 42), (std::vector<std::string>{"none/0", "none/1", "none/2"}));
}

TEST(WaveSizes, ServeAllTasksWithinTheirBounds) {
  using Sizes = std::map<std::string, std::int64_t>;
  EXPECT_EQ(wave_sizes({{"a", 5}, {"b", 2}, {"c", 0}}, {{"a", 9}, {"b", 1}, {"c", 3}}, 100),
            (Sizes{{"a", 5}, {"b", 1}}));
  EXPECT_EQ(wave_sizes({{"a", 5}, {"b", 5}}, {{"a", 9}, {"b", 9}}, 5), (Sizes{{"a", 3}, {"b", 2}}));
  EXPECT_EQ(wave_sizes({{"a", 5}}, {}, 5), Sizes{});
  EXPECT_THROW(wave_sizes({}, {}, 0), Error);
}

TEST(WaveSizes, AreBoundedForRandomInput) {
  for (int i = 0; i < 2000; ++i) {
    RandomStream stream(21, "sizes", std::to_string(i));
    std::map<std::string, std::int64_t> missing;
    std::map<std::string, std::int64_t> left;
    std::int64_t possible = 0;
    for (const std::string task : {"a", "b", "c", "d"}) {
      missing[task] = stream.between(0, 30);
      left[task] = stream.between(0, 30);
      possible += std::min(missing[task], left[task]);
    }
    const std::int64_t most = stream.between(1, 60);
    std::int64_t sum = 0;
    for (const auto& [task, rows] : wave_sizes(missing, left, most)) {
      ASSERT_GT(rows, 0);
      ASSERT_LE(rows, std::min(missing[task], left[task]));
      sum += rows;
    }
    ASSERT_EQ(sum, std::min(most, possible));
  }
}

}  // namespace
}  // namespace tapir::teach
