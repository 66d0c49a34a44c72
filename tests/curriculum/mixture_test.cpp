#include <algorithm>
#include <set>

#include <gmock/gmock.h>

#include "base/error.h"
#include "curriculum/curriculum.h"
#include "curriculum/numbered.h"

namespace tapir::curriculum {
namespace {

using tapir::testing::numbered;

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<Candidate> candidates(const std::string& prefix, const std::string& task, int count,
                                  int uses = 0) {
  std::vector<Candidate> rows;
  for (int i = 0; i < count; ++i) rows.push_back({prefix + task + std::to_string(i), task, uses});
  return rows;
}

void append(std::vector<Candidate>& to, const std::vector<Candidate>& rows) {
  to.insert(to.end(), rows.begin(), rows.end());
}

std::vector<Candidate> of_two_tasks(const std::string& prefix, int count_a, int count_b) {
  std::vector<Candidate> rows = candidates(prefix, "a", count_a);
  append(rows, candidates(prefix, "b", count_b));
  return rows;
}

std::map<std::pair<std::string, Stratum>, std::int64_t> count(const std::vector<MixtureRow>& rows) {
  std::map<std::pair<std::string, Stratum>, std::int64_t> counts;
  for (const MixtureRow& row : rows) ++counts[{row.task, row.stratum}];
  return counts;
}

TEST(Mix, QuotasAreMetWithoutRepetitionWhenRowsSuffice) {
  Quotas quotas;
  quotas.by_task = {{"a", {30, 20}}, {"b", {10, 40}}};
  const std::vector<Candidate> hard = of_two_tasks("h", 25, 40);
  const std::vector<Candidate> easy = of_two_tasks("e", 30, 60);
  RandomStream stream(1, "mix");
  const MixtureResult result = mix(quotas, hard, easy, stream);
  auto counts = count(result.rows);
  EXPECT_EQ((counts[{"a", Stratum::easy}]), 30);
  EXPECT_EQ((counts[{"a", Stratum::hard}]), 20);
  EXPECT_EQ((counts[{"b", Stratum::easy}]), 10);
  EXPECT_EQ((counts[{"b", Stratum::hard}]), 40);
  std::set<std::string> distinct;
  for (const MixtureRow& row : result.rows) {
    EXPECT_TRUE(distinct.insert(row.instruction_id).second);
    EXPECT_EQ(row.repeat, 0);
  }
  EXPECT_THAT(result.repeated, IsEmpty());
  EXPECT_THAT(result.relaxed, IsEmpty());
}

TEST(Mix, OrderOfInputsIsIrrelevantAndTheStreamDecides) {
  Quotas quotas;
  quotas.by_task = {{"a", {20, 20}}, {"b", {20, 20}}};
  std::vector<Candidate> hard = of_two_tasks("h", 40, 15);
  std::vector<Candidate> easy = of_two_tasks("e", 40, 30);
  RandomStream one(1, "mix");
  const auto expected = mix(quotas, hard, easy, one).rows;
  RandomStream shuffler(2, "shuffle");
  shuffler.shuffle(hard);
  shuffler.shuffle(easy);
  RandomStream two(1, "mix");
  EXPECT_EQ(mix(quotas, hard, easy, two).rows, expected);
  RandomStream three(1, "other");
  EXPECT_NE(mix(quotas, hard, easy, three).rows, expected);
  EXPECT_FALSE(
      std::is_sorted(expected.begin(), expected.end(),
                     [](const MixtureRow& a, const MixtureRow& b) { return a.task < b.task; }))
      << "training order is shuffled over tasks";
}

TEST(Mix, RowsOfEarlierRoundsComeLast) {
  Quotas quotas;
  quotas.by_task = {{"a", {0, 10}}};
  std::vector<Candidate> hard = candidates("used", "a", 50, 1);
  append(hard, candidates("new", "a", 10));
  RandomStream stream(1, "mix");
  for (const MixtureRow& row : mix(quotas, hard, {}, stream).rows) {
    EXPECT_THAT(row.instruction_id, HasSubstr("new"));
  }
}

TEST(Mix, TheOtherStratumStandsInBeforeAnyRowIsRepeated) {
  Quotas quotas;
  quotas.by_task = {{"a", {4, 10}}};
  RandomStream stream(1, "mix");
  const MixtureResult result =
      mix(quotas, candidates("h", "a", 7), candidates("e", "a", 20), stream);
  auto counts = count(result.rows);
  EXPECT_EQ((counts[{"a", Stratum::hard}]), 7);
  EXPECT_EQ((counts[{"a", Stratum::easy}]), 7);
  EXPECT_THAT(result.repeated, IsEmpty());
  EXPECT_THAT(result.relaxed,
              Contains(HasSubstr("3 rows of the hard quota taken from the easy rows")));
}

TEST(Mix, RepetitionIsTheCountedLastResortAndEven) {
  Quotas quotas;
  quotas.by_task = {{"a", {2, 13}}};
  std::vector<Candidate> hard = candidates("h", "a", 3);
  append(hard, candidates("old", "a", 1, 5));
  RandomStream stream(1, "mix");
  const MixtureResult result = mix(quotas, hard, candidates("e", "a", 2), stream);
  ASSERT_EQ(result.rows.size(), 15U);
  EXPECT_EQ(result.repeated.at("a"), 10);
  std::map<std::string, std::set<int>> repeats;
  for (const MixtureRow& row : result.rows) {
    EXPECT_TRUE(repeats[row.instruction_id].insert(row.repeat).second) << "numbered once each";
  }
  EXPECT_EQ(repeats.count("olda0"), 0U)
      << "rows used 4 or 5 times come before the one used 5 times already";
  for (const char* id : {"ha0", "ha1", "ha2"}) {
    EXPECT_GE(repeats[id].size(), 4U);
    EXPECT_LE(repeats[id].size(), 5U);
    EXPECT_EQ(*repeats[id].rbegin() + 1, static_cast<int>(repeats[id].size())) << "0, 1, 2, ...";
  }
  EXPECT_THAT(result.relaxed, Contains(HasSubstr("10 rows repeated")));
}

TEST(Mix, ATaskWithoutRowsGivesItsRowsToTheOthersAndSaysSo) {
  Quotas quotas;
  quotas.by_task = {{"a", {5, 5}}, {"b", {5, 5}}, {"none", {4, 6}}};
  quotas.relaxed = {"said before"};
  const std::vector<Candidate> hard = of_two_tasks("h", 5, 50);
  const std::vector<Candidate> easy = of_two_tasks("e", 5, 50);
  RandomStream stream(1, "mix");
  const MixtureResult result = mix(quotas, hard, easy, stream);
  EXPECT_EQ(result.rows.size(), 30U);
  auto counts = count(result.rows);
  EXPECT_EQ((counts[{"b", Stratum::hard}]), 11) << "b has unused rows, a has none";
  EXPECT_EQ((counts[{"b", Stratum::easy}]), 9);
  EXPECT_THAT(result.repeated, IsEmpty());
  EXPECT_THAT(result.relaxed, Not(Contains("said before"))) << "each says its own";
  EXPECT_THAT(result.relaxed, Contains(HasSubstr("task none: 10 rows given to other tasks")));
}

TEST(Mix, NothingToDrawFromIsAnError) {
  Quotas quotas;
  quotas.by_task = {{"a", {5, 5}}};
  RandomStream stream(1, "mix");
  EXPECT_THROW(mix(quotas, {}, candidates("e", "other", 3), stream), Error);
  quotas.by_task = {{"a", {0, 0}}};
  EXPECT_THAT(mix(quotas, {}, {}, stream).rows, IsEmpty());
}

TEST(Mix, OneInstructionInBothStrataIsABug) {
  Quotas quotas;
  quotas.by_task = {{"a", {1, 1}}};
  RandomStream stream(1, "mix");
  EXPECT_THROW(mix(quotas, {{"1", "a", 0}}, {{"1", "a", 0}}, stream), Error);
}

TEST(Mix, InvariantsForAnyInput) {
  RandomStream draw(8, "mix");
  for (int trial = 0; trial < 200; ++trial) {
    Quotas quotas;
    std::vector<Candidate> hard;
    std::vector<Candidate> easy;
    std::int64_t rows = 0;
    std::int64_t fresh = 0;
    for (int t = 0; t < 6; ++t) {
      const std::string task = numbered("t", t);
      quotas.by_task[task] = {draw.between(0, 20), draw.between(0, 20)};
      rows += quotas.by_task[task].easy + quotas.by_task[task].hard;
      for (const int uses : {0, 1, 2}) {
        append(hard,
               candidates(numbered("h", uses), task, draw.between(uses == 0 ? 1 : 0, 15), uses));
        append(easy, candidates(numbered("e", uses), task, draw.between(0, 15), uses));
      }
      for (const Candidate& c : hard) fresh += c.task == task && c.uses == 0;
      for (const Candidate& c : easy) fresh += c.task == task && c.uses == 0;
    }
    RandomStream stream(static_cast<std::uint64_t>(trial), "mix");
    const MixtureResult result = mix(quotas, hard, easy, stream);
    ASSERT_EQ(static_cast<std::int64_t>(result.rows.size()), rows);
    std::map<std::string, std::int64_t> by_task;
    std::map<std::string, std::int64_t> repeats;
    for (const MixtureRow& row : result.rows) {
      ++by_task[row.task];
      if (row.repeat > 0) ++repeats[row.task];
    }
    for (const auto& [task, quota] : quotas.by_task)
      ASSERT_EQ(by_task[task], quota.easy + quota.hard);
    ASSERT_EQ(repeats, result.repeated);
    std::int64_t repeated = 0;
    for (const auto& [task, count_of_task] : repeats) repeated += count_of_task;
    ASSERT_LE(rows - repeated, fresh);
  }
}

}  // namespace
}  // namespace tapir::curriculum
