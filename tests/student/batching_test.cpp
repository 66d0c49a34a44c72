#include "student/batching.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "error_of.h"
#include "packed_rows.h"
#include "student/lanes.h"
#include "student/schedule.h"

namespace tapir::student {
namespace {

std::vector<std::int64_t> random_lengths(std::size_t count) {
  RandomStream random(3, "test", "lengths");
  std::vector<std::int64_t> lengths(count);
  for (std::int64_t& length : lengths) length = random.between(5, 60);
  return lengths;
}

TEST(BatchPlan, EveryEpochTakesEveryRowOnce) {
  TrainOptions options;
  options.total_batch_size = 7;
  options.num_train_epochs = 2;
  BatchPlan plan(random_lengths(50), options);
  std::vector<std::size_t> taken;
  while (!plan.done()) {
    const auto rows = plan.next();
    EXPECT_LE(rows.size(), 7U);
    taken.insert(taken.end(), rows.begin(), rows.end());
  }
  ASSERT_EQ(taken.size(), 100U);
  EXPECT_EQ(std::set<std::size_t>(taken.begin(), taken.begin() + 50).size(), 50U);
  EXPECT_EQ(std::set<std::size_t>(taken.begin() + 50, taken.end()).size(), 50U);
  EXPECT_FALSE(std::equal(taken.begin(), taken.begin() + 50, taken.begin() + 50));
  EXPECT_EQ(plan.step(), 15);
  EXPECT_EQ(count_steps(random_lengths(50), options), 15);
}

TEST(BatchPlan, StepsHoldTheirTokensOnAverage) {
  const std::vector<std::int64_t> lengths = random_lengths(200);
  TrainOptions options;
  options.batch_tokens = 500;
  options.max_steps = 300;
  BatchPlan plan(lengths, options);
  while (!plan.done()) {
    (void)plan.next();
    EXPECT_GE(plan.cursor().tokens, plan.step() * 500);
    EXPECT_LT(plan.cursor().tokens, plan.step() * 500 + 60);
  }
  EXPECT_EQ(plan.step(), 300);
}

// Two trainings on different rows see equal tokens in equal steps, up to one row.
TEST(BatchPlan, EqualStepsAreEqualTokens) {
  TrainOptions options;
  options.batch_tokens = 333;
  options.max_steps = 50;
  BatchPlan a(random_lengths(100), options);
  BatchPlan b({80, 3, 3, 3, 41}, options);
  while (!a.done()) {
    (void)a.next();
    (void)b.next();
  }
  EXPECT_TRUE(b.done());
  EXPECT_LT(std::abs(a.cursor().tokens - b.cursor().tokens), 80);
}

TEST(BatchPlan, LongRowsStandAlone) {
  TrainOptions options;
  options.batch_tokens = 10;
  options.num_train_epochs = 1;
  options.shuffle = false;
  BatchPlan plan({100, 100, 100}, options);
  for (int step = 0; step < 3; ++step) EXPECT_EQ(plan.next().size(), 1U);
  EXPECT_TRUE(plan.done());
}

TEST(BatchPlan, GoesOnFromItsCursor) {
  TrainOptions options;
  options.batch_tokens = 100;
  options.max_steps = 90;
  BatchPlan whole(random_lengths(40), options);
  for (int i = 0; i < 37; ++i) (void)whole.next();
  BatchPlan rest(random_lengths(40), options);
  rest.restore(whole.step(), whole.cursor());
  while (!whole.done()) {
    ASSERT_FALSE(rest.done());
    EXPECT_EQ(whole.next(), rest.next());
  }
  EXPECT_TRUE(rest.done());
}

std::vector<std::vector<std::size_t>> steps_of(const std::vector<std::int64_t>& lengths,
                                               const TrainOptions& options) {
  BatchPlan plan(lengths, options);
  std::vector<std::vector<std::size_t>> steps;
  while (!plan.done()) steps.push_back(plan.next());
  return steps;
}

std::vector<std::size_t> sorted_rows(const std::vector<std::vector<std::size_t>>& steps) {
  std::vector<std::size_t> rows;
  for (const auto& step : steps) rows.insert(rows.end(), step.begin(), step.end());
  std::sort(rows.begin(), rows.end());
  return rows;
}

// Also where the last epoch is not whole: the rows left out of it are the same.
TEST(BatchPlan, AnOrderSeedTakesTheSameRowsInAsManySteps) {
  const std::vector<std::int64_t> lengths = random_lengths(70);
  std::vector<TrainOptions> ways(5);
  ways[0].batch_tokens = 200;
  ways[0].max_steps = 33;
  ways[1].total_batch_size = 8;
  ways[1].max_steps = 21;
  ways[2].total_batch_size = 8;
  ways[2].num_train_epochs = 1.5;
  ways[3].batch_tokens = 200;
  ways[3].num_train_epochs = 2;
  ways[4].batch_tokens = 20;  // many rows are longer
  ways[4].max_steps = 100;
  for (TrainOptions& way : ways) {
    const auto own = steps_of(lengths, way);
    way.order_seed = 7;
    const auto other = steps_of(lengths, way);
    EXPECT_NE(other, own);
    EXPECT_EQ(sorted_rows(other), sorted_rows(own));
    EXPECT_EQ(other.size(), own.size());
    EXPECT_EQ(count_steps(lengths, way), static_cast<std::int64_t>(own.size()));
    for (const auto& step : other) EXPECT_FALSE(step.empty());
    way.order_seed = 8;
    EXPECT_NE(steps_of(lengths, way), other);
  }
}

TEST(BatchPlan, AnOrderSeedGoesOnFromItsCursor) {
  TrainOptions options;
  options.batch_tokens = 100;
  options.max_steps = 90;
  options.order_seed = 3;
  BatchPlan whole(random_lengths(40), options);
  for (int i = 0; i < 80; ++i) (void)whole.next();
  BatchPlan rest(random_lengths(40), options);
  rest.restore(whole.step(), whole.cursor());
  while (!whole.done()) EXPECT_EQ(whole.next(), rest.next());
  EXPECT_TRUE(rest.done());
}

TEST(PackBestFit, FillsSequencesAndLosesNothing) {
  EXPECT_EQ(pack_best_fit({4, 9, 6, 1, 5}, 10),
            (std::vector<std::vector<std::size_t>>{{1, 3}, {0, 2}, {4}}));
  EXPECT_EQ(pack_best_fit({30, 2}, 10), (std::vector<std::vector<std::size_t>>{{0}, {1}}))
      << "a row that is too long stands alone";
  const std::vector<std::int64_t> lengths = random_lengths(500);
  const auto sequences = pack_best_fit(lengths, 128);
  std::vector<std::size_t> all;
  std::int64_t tokens = 0;
  for (const auto& sequence : sequences) {
    std::int64_t sum = 0;
    for (const std::size_t row : sequence) sum += lengths[row];
    EXPECT_LE(sum, 128);
    EXPECT_TRUE(std::is_sorted(sequence.begin(), sequence.end()));
    tokens += sum;
    all.insert(all.end(), sequence.begin(), sequence.end());
  }
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < lengths.size(); ++i) ASSERT_EQ(all[i], i);
  EXPECT_GT(static_cast<double>(tokens), 0.98 * 128 * static_cast<double>(sequences.size() - 1));
}

TEST(BatchPlan, PackedEpochsTakeEveryRowOnceAndGoOn) {
  TrainOptions options;
  options.packing = true;
  options.cutoff_len = 100;
  options.total_batch_size = 2;
  options.num_train_epochs = 2;
  const std::vector<std::int64_t> lengths = random_lengths(40);
  BatchPlan plan(lengths, options);
  std::vector<std::vector<std::size_t>> steps;
  std::vector<std::size_t> taken;
  while (!plan.done()) {
    steps.push_back(plan.next());
    std::int64_t tokens = 0;
    for (const std::size_t row : steps.back()) tokens += lengths[row];
    EXPECT_LE(tokens, 200);
    taken.insert(taken.end(), steps.back().begin(), steps.back().end());
  }
  ASSERT_EQ(taken.size(), 80U);
  EXPECT_EQ(std::set<std::size_t>(taken.begin(), taken.begin() + 40).size(), 40U);
  BatchPlan again(lengths, options);
  for (std::size_t i = 0; i < 5; ++i) (void)again.next();
  BatchPlan rest(lengths, options);
  rest.restore(again.step(), again.cursor());
  for (std::size_t i = 5; i < steps.size(); ++i) EXPECT_EQ(rest.next(), steps[i]);
  EXPECT_TRUE(rest.done());
}

TEST(Lanes, DealtEvenlyAndWhole) {
  const std::vector<std::int64_t> lengths = random_lengths(31);
  const auto dealt = deal_to_lanes(lengths, 4);
  std::vector<std::size_t> all;
  std::vector<std::int64_t> tokens;
  for (const auto& lane : dealt) {
    all.insert(all.end(), lane.begin(), lane.end());
    tokens.push_back(
        std::accumulate(lane.begin(), lane.end(), std::int64_t{0},
                        [&](std::int64_t sum, std::size_t i) { return sum + lengths[i]; }));
    EXPECT_TRUE(std::is_sorted(lane.begin(), lane.end()));
  }
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), lengths.size());
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], i);
  EXPECT_LE(*std::max_element(tokens.begin(), tokens.end()) -
                *std::min_element(tokens.begin(), tokens.end()),
            60);
}

TEST(Lanes, PackingKeepsOrderAndLimit) {
  std::vector<EncodedRow> rows(5);
  const std::size_t lengths[] = {4, 5, 20, 3, 6};
  std::vector<const EncodedRow*> pointers;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<std::uint8_t> loss(lengths[i], 1);
    loss[0] = 0;
    rows[i].tokens = std::vector<std::int32_t>(lengths[i], static_cast<std::int32_t>(i));
    rows[i].loss = std::move(loss);
    pointers.push_back(&rows[i]);
  }
  const std::vector<PackedBatch> batches = testing::pack(pointers, 10);
  ASSERT_EQ(batches.size(), 3U);
  EXPECT_EQ(batches[0].starts, (std::vector<std::int64_t>{0, 4, 9}));
  EXPECT_EQ(batches[1].size(), 20);
  EXPECT_EQ(batches[2].starts, (std::vector<std::int64_t>{0, 3, 9}));
  EXPECT_EQ(batches[2].positions, (std::vector<std::int32_t>{0, 1, 2, 0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(batches[2].rows, (std::vector<std::int64_t>{0, 1, 3, 4, 5, 6, 7}));
  EXPECT_EQ(batches[2].targets, (std::vector<std::int32_t>{3, 3, 4, 4, 4, 4, 4}));
}

TEST(Lanes, PoolRunsEveryLaneAndPassesErrorsOn) {
  LanePool pool(4);
  std::vector<int> calls(4, 0);
  for (int round = 0; round < 100; ++round) {
    pool.run([&](int lane) { ++calls[static_cast<std::size_t>(lane)]; });
  }
  EXPECT_EQ(calls, std::vector<int>(4, 100));
  EXPECT_THROW(pool.run([](int lane) {
    if (lane == 2) throw Error(ErrorKind::data, "two");
  }),
               Error);
  pool.run([&](int lane) { ++calls[static_cast<std::size_t>(lane)]; });
  EXPECT_EQ(calls, std::vector<int>(4, 101));
}

TEST(Schedule, AsTransformers) {
  TrainOptions options;
  options.learning_rate = 1;
  options.warmup_ratio = 0.1;
  const Schedule cosine(options, 100);
  EXPECT_DOUBLE_EQ(cosine.learning_rate(0), 0);
  EXPECT_DOUBLE_EQ(cosine.learning_rate(5), 0.5);
  EXPECT_DOUBLE_EQ(cosine.learning_rate(10), 1);
  EXPECT_NEAR(cosine.learning_rate(55), 0.5, 1e-12);
  EXPECT_NEAR(cosine.learning_rate(32), 0.5 * (1 + std::cos(3.14159265358979 * 22 / 90)), 1e-12);
  options.lr_scheduler_type = "linear";
  EXPECT_NEAR(Schedule(options, 100).learning_rate(55), 0.5, 1e-12);
  EXPECT_NEAR(Schedule(options, 100).learning_rate(99), 1.0 / 90, 1e-12);
  options.lr_scheduler_type = "constant";
  EXPECT_DOUBLE_EQ(Schedule(options, 100).learning_rate(99), 1);
  options.warmup_ratio = 0.025;  // rounded up: 3 steps
  EXPECT_NEAR(Schedule(options, 100).learning_rate(2), 2.0 / 3, 1e-12);
}

TEST(Schedule, RunsOverSeveralTrainings) {
  TrainOptions whole;
  whole.learning_rate = 0.3;
  TrainOptions second = whole;
  second.schedule_total_steps = 100;
  second.schedule_first_step = 60;
  EXPECT_DOUBLE_EQ(Schedule(second, 40).learning_rate(7), Schedule(whole, 100).learning_rate(67));
}

TEST(Schedule, UnknownNameIsAnErrorWithAHint) {
  TrainOptions options;
  options.lr_scheduler_type = "cosin";
  const Error e = testing::error_of([&] { const Schedule schedule(options, 10); });
  EXPECT_EQ(e.kind(), ErrorKind::usage);
  EXPECT_NE(e.hint().find("cosine"), std::string::npos);
}

}  // namespace
}  // namespace tapir::student
