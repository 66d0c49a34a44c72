// What ranks say to one another arrives whole, is summed in their order, and ends with a name.
#include "student/collective.h"

#include <chrono>
#include <cmath>
#include <map>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "error_of.h"
#include "in_ranks.h"

namespace tapir::student {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::in_ranks;
using Ranks = std::shared_ptr<Collective>;

std::vector<float> values_of(int rank, std::size_t size) {
  RandomStream random(3, "test", std::to_string(rank));
  std::vector<float> values(size);
  // Of many magnitudes: another order of the sum has other bits.
  for (float& value : values)
    value = static_cast<float>(random.uniform() * std::pow(10.0, random.between(-6, 6)));
  return values;
}

TEST(Shards, CoverTheArrayInOrderAndEvenly) {
  for (const std::int64_t size : {0, 1, 2, 7, 1000}) {
    for (const int ranks : {1, 2, 3, 8}) {
      std::int64_t at = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const Shard shard = shard_of(size, rank, ranks);
        EXPECT_EQ(shard.first, at);
        EXPECT_LE(std::abs(shard.size() - size / ranks), 1);
        at = shard.last;
      }
      EXPECT_EQ(at, size);
    }
  }
}

TEST(Collective, EveryRankHearsEveryRank) {
  in_ranks(3, [](const Ranks& ranks) {
    EXPECT_EQ(ranks->size(), 3);
    const std::string mine(static_cast<std::size_t>(ranks->rank()), 'x');
    EXPECT_THAT(ranks->all_gather(mine), ElementsAre("", "x", "xx"));
    EXPECT_EQ(ranks->broadcast(std::int64_t{40} + ranks->rank()), 40);
    EXPECT_TRUE(ranks->any(ranks->rank() == 2));
    EXPECT_FALSE(ranks->any(false));
    ranks->check_peers();
    ranks->barrier();  // nobody leaves while another looks
  });
}

// Larger than what sockets and pieces hold, with shards of unequal length.
TEST(Collective, SumsAreThoseOfTheRanksInOrderToTheBit) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{5}, std::size_t{1'200'003}}) {
    for (const int count : {2, 4}) {
      std::vector<float> expected = values_of(0, size);
      for (int rank = 1; rank < count; ++rank) {
        const std::vector<float> more = values_of(rank, size);
        for (std::size_t i = 0; i < size; ++i) expected[i] += more[i];
      }
      in_ranks(count, [&](const Ranks& ranks) {
        std::vector<float> values = values_of(ranks->rank(), size);
        ranks->reduce_scatter(values.data(), static_cast<std::int64_t>(size));
        ranks->all_gather(values.data(), static_cast<std::int64_t>(size));
        EXPECT_TRUE(values == expected) << count << " ranks, " << size << " values";
      });
    }
  }
}

TEST(Collective, ShardsComeTogetherOnRankZero) {
  in_ranks(3, [](const Ranks& ranks) {
    const Shard own = shard_of(7, ranks->rank(), 3);
    std::vector<std::uint16_t> mine;
    for (std::int64_t i = own.first; i < own.last; ++i)
      mine.push_back(static_cast<std::uint16_t>(i));
    std::vector<std::uint16_t> whole(ranks->is_first() ? 7 : 0);
    ranks->gather(mine.data(), 7, sizeof(std::uint16_t), whole.data());
    if (ranks->is_first()) {
      EXPECT_THAT(whole, ElementsAre(0, 1, 2, 3, 4, 5, 6));
    }
    ranks->barrier();
  });
}

// Whoever waits, for whomever, hears of the one that left, not of those that left because of it.
TEST(Collective, ARankThatEndsIsNamedOnAllOthers) {
  const auto begin = std::chrono::steady_clock::now();
  const auto failures = testing::failures_in_ranks(4, [](const Ranks& ranks) {
    if (ranks->rank() == 3) return;
    try {
      for (;;) ranks->barrier();
    } catch (const Error& error) {
      ranks->fail(error.what());
      throw;
    }
  });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_FALSE(failures[3]);
  for (int rank = 0; rank < 3; ++rank) {
    const Error error = testing::error_of(
        [&] { std::rethrow_exception(failures[static_cast<std::size_t>(rank)]); });
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_THAT(error.what(), HasSubstr("rank 3 (pid "));
    EXPECT_THAT(error.what(), HasSubstr("ended"));
  }
}

TEST(Collective, TheReasonOfAFailureIsToldToWhoComputes) {
  const auto failures = testing::failures_in_ranks(2, [](const Ranks& ranks) {
    if (ranks->rank() == 1) return ranks->fail("the disk is full");
    for (;;) {
      ranks->check_peers();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  const Error error = testing::error_of([&] { std::rethrow_exception(failures[0]); });
  EXPECT_THAT(error.what(), HasSubstr("rank 1 (pid "));
  EXPECT_THAT(error.what(), HasSubstr("the disk is full"));
}

using Variables = std::map<std::string, std::string>;

std::optional<RankPlace> place_of(const Variables& variables) {
  return place_of_environment([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(Rendezvous, ReadsWhatTorchrunSets) {
  const auto place = place_of({{"RANK", "1"},
                               {"WORLD_SIZE", "2"},
                               {"LOCAL_RANK", "1"},
                               {"LOCAL_WORLD_SIZE", "2"},
                               {"MASTER_ADDR", "localhost"},
                               {"MASTER_PORT", "29501"},
                               {"TORCHELASTIC_USE_AGENT_STORE", "True"}});
  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 1);
  EXPECT_EQ(place->size, 2);
  EXPECT_EQ(place->master_addr, "localhost");
  EXPECT_EQ(place->master_port, 29501);
  EXPECT_TRUE(place->store_is_up);
  EXPECT_FALSE(place_of({}));
  EXPECT_FALSE(place_of({{"RANK", "0"}, {"WORLD_SIZE", "1"}}));
}

TEST(Rendezvous, ImpossibleVariablesAreNamed) {
  const Variables good = {{"RANK", "1"}, {"WORLD_SIZE", "2"}, {"MASTER_PORT", "29501"}};
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"RANK", "2"},          {"RANK", "-1"},        {"RANK", "x"},
      {"WORLD_SIZE", "1000"}, {"WORLD_SIZE", "2 2"}, {"LOCAL_WORLD_SIZE", "1"},
      {"MASTER_PORT", ""}};
  for (const auto& [name, value] : bad) {
    Variables variables = good;
    variables[name] = value;
    const Error error = testing::error_of([&] { place_of(variables); });
    EXPECT_EQ(error.kind(), ErrorKind::usage) << name;
    EXPECT_THAT(error.what(), HasSubstr(name == "WORLD_SIZE" && value == "1000" ? "RANK" : name));
  }
}

TEST(Rendezvous, ARankThatDoesNotComeIsNamed) {
  RankPlace place;
  place.size = 2;
  place.master_port = free_loopback_port();
  const Error error = testing::error_of([&] { join_ranks(place, {}, std::chrono::seconds(1)); });
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_THAT(error.what(), HasSubstr("in vain for rank 1 of 2"));
}

}  // namespace
}  // namespace tapir::student
