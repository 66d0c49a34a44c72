// Several ranks learn what one process learns.
#include "student/rank_learner.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "in_ranks.h"
#include "student/safetensors.h"
#include "trainer_fixture.h"

namespace tapir::student {
namespace {

using ::testing::HasSubstr;
using testing::in_ranks;
using Ranks = std::shared_ptr<Collective>;

constexpr double kLossTolerance = 1e-6;
constexpr double kWeightTolerance = 1e-5;

class RankTrainer : public Trainer {
 protected:
  TrainResult train_in_ranks(const TrainJob& job, int count) const {
    TrainResult result;
    std::mutex mutex;
    in_ranks(count, [&](const Ranks& ranks) {
      TrainJob mine = job;
      mine.ranks = ranks;
      const TrainResult found = train(mine, "here", silent_progress(), {}, device_);
      const std::lock_guard lock(mutex);
      if (ranks->is_first()) result = found;
    });
    return result;
  }
  // Rank 0 is asked to stop after `step`.
  void train_in_ranks_until(const TrainJob& job, int count, std::uint64_t step) const {
    in_ranks(count, [&](const Ranks& ranks) {
      TrainJob mine = job;
      mine.ranks = ranks;
      std::stop_source source;
      tapir::testing::WatchedProgress progress([&](const ProgressUpdate& update) {
        if (update.done == step) source.request_stop();
      });
      EXPECT_FALSE(train(mine, "here", progress, source.get_token(), device_).finished);
    });
  }

  static double largest_difference(const Path& a, const Path& b) {
    const SafetensorsFile left(a);
    const SafetensorsFile right(b);
    EXPECT_EQ(left.tensors().size(), right.tensors().size());
    double largest = 0;
    for (const auto& [name, tensor] : left.tensors()) {
      std::vector<float> x(static_cast<std::size_t>(tensor.elements()));
      std::vector<float> y(x.size());
      to_floats(tensor, x.data(), "left");
      to_floats(right.tensors().at(name), y.data(), "right");
      for (std::size_t i = 0; i < x.size(); ++i)
        largest = std::max(largest, std::abs(static_cast<double>(x[i]) - y[i]));
    }
    return largest;
  }
  // The job by 2 and 4 ranks against one process, which was trained before.
  void expect_same(const TrainJob& alone, const TrainResult& expected, const char* file) {
    for (const int count : {2, 4}) {
      const TrainJob together = moved(alone, "ranks" + std::to_string(count));
      const TrainResult found = train_in_ranks(together, count);
      EXPECT_EQ(found.steps, expected.steps);
      EXPECT_EQ(found.tokens, expected.tokens);
      EXPECT_EQ(found.supervised_tokens, expected.supervised_tokens);
      EXPECT_EQ(found.rows, expected.rows);
      const auto one = losses(alone);
      const auto many = losses(together);
      ASSERT_EQ(one.size(), many.size());
      double loss = 0;
      for (std::size_t i = 0; i < one.size(); ++i)
        loss = std::max(loss, std::abs(one[i].second - many[i].second));
      EXPECT_LE(loss, kLossTolerance);
      EXPECT_NEAR(found.eval_loss.value_or(0), expected.eval_loss.value_or(0), kLossTolerance);
      const double weights =
          largest_difference(alone.output_dir / file, together.output_dir / file);
      EXPECT_LE(weights, kWeightTolerance);
      const std::string ranks = std::to_string(count);
      RecordProperty("loss_difference_" + ranks, std::to_string(loss * 1e9) + "e-9");
      RecordProperty("weight_difference_" + ranks, std::to_string(weights * 1e9) + "e-9");
    }
  }
};

TEST_F(RankTrainer, TwoAndFourLearnWhatOneLearns) {
  TrainJob made = job("one");
  made.options.val_size = 6;
  made.io.eval_steps = 5;
  expect_same(made, train_all(made), "model.safetensors");
}

// Dropout is drawn by the row, whoever takes it.
TEST_F(RankTrainer, AnAdapterWithDropoutToo) {
  TrainJob made = lora_job("one");
  made.options.lora.lora_dropout = 0.2;
  made.options.learning_rate = 3e-3;
  expect_same(made, train_all(made), "adapter_model.safetensors");
}

// Fewer rows in a step than ranks: some have nothing to do.
TEST_F(RankTrainer, RanksWithoutARow) {
  TrainJob made = job("one");
  made.options.batch_tokens = 0;
  made.options.total_batch_size = 3;
  expect_same(made, train_all(made), "model.safetensors");
}

// Rounding at random is by the element's place in the whole, not in the shard: one step apart only
// where a sum's last bits turn the rounding.
TEST_F(RankTrainer, MomentsInBfloat16AreShardedAndComeTogether) {
  TrainJob made = job("one");
  made.options.optim_state_dtype = "bfloat16";
  made.options.max_steps = 1;
  const TrainResult expected = train_all(made);
  expect_same(made, expected, "model.safetensors");
  EXPECT_LE(largest_difference(made.output_dir / "optimizer.safetensors",
                               folder_.path() / "ranks2" / "optimizer.safetensors"),
            1e-4);
}

TEST_F(RankTrainer, TheSameNumberOfRanksGivesTheSameBits) {
  const TrainJob first = job("first");
  const TrainJob second = moved(first, "second");
  train_in_ranks(first, 2);
  train_in_ranks(second, 2);
  EXPECT_EQ(weights(first), weights(second));
  EXPECT_EQ(moments(first), moments(second));
}

TEST_F(RankTrainer, AStopOfRankZeroStopsAllAndTheyGoOnToTheSameBits) {
  const TrainJob whole = job("whole");
  train_in_ranks(whole, 2);
  const TrainJob stopped = moved(whole, "stopped");
  train_in_ranks_until(stopped, 2, 5);
  EXPECT_TRUE(exists(work(stopped) / "checkpoint-5" / "model.safetensors"));
  train_in_ranks(stopped, 2);
  EXPECT_EQ(weights(whole), weights(stopped));
  EXPECT_EQ(moments(whole), moments(stopped));
  EXPECT_EQ(losses(whole), losses(stopped));
  EXPECT_FALSE(exists(work(stopped)));
}

TEST_F(RankTrainer, ACheckpointIsGoneOnFromByAnotherNumberOfRanks) {
  const TrainJob whole = job("whole");
  train_all(whole);
  const TrainJob stopped = moved(whole, "stopped");
  train_in_ranks_until(stopped, 4, 4);
  train_until(stopped, 8);
  train_in_ranks(stopped, 2);
  EXPECT_LE(largest_difference(whole.output_dir / "model.safetensors",
                               stopped.output_dir / "model.safetensors"),
            kWeightTolerance);
  EXPECT_EQ(losses(whole).size(), losses(stopped).size());
}

TEST_F(RankTrainer, AFinishedJobIsNotTrainedAgain) {
  const TrainJob made = job("out");
  const TrainResult first = train_in_ranks(made, 2);
  const TrainResult again = train_in_ranks(made, 2);
  EXPECT_EQ(first.seconds, again.seconds);
  EXPECT_EQ(again.steps, 12);
}

TEST_F(RankTrainer, AnErrorOfOneIsToldToAll) {
  const TrainJob made = job("out");
  const auto failures = testing::failures_in_ranks(2, [&](const Ranks& ranks) {
    TrainJob mine = made;
    mine.ranks = ranks;
    if (!ranks->is_first()) mine.options.learning_rate *= 2;
    train(mine, "here", silent_progress(), {}, device_);
  });
  for (const std::exception_ptr& failure : failures) {
    const Error error = testing::error_of([&] { std::rethrow_exception(failure); });
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.what(), HasSubstr("rank 1 trains another job than rank 0"));
  }
  EXPECT_FALSE(exists(made.output_dir));
}

TEST_F(RankTrainer, ARankThatIsGoneInAStepEndsTheTrainingWithItsName) {
  TrainJob made = job("out");
  made.io.save_steps = 2;
  const auto failures = testing::failures_in_ranks(3, [&](const Ranks& ranks) {
    TrainJob mine = made;
    mine.ranks = ranks;
    if (ranks->rank() < 2) {
      train(mine, "here", silent_progress(), {}, device_);
      return;
    }
    // As a process that is killed: it says nothing.
    class Gone final : public Collective {
     public:
      explicit Gone(Ranks ranks) : ranks_(std::move(ranks)) {}
      int rank() const override { return ranks_->rank(); }
      int size() const override { return ranks_->size(); }
      std::vector<std::string> all_gather(std::string_view bytes) override {
        return ranks_->all_gather(bytes);
      }
      void reduce_scatter(float* values, std::int64_t size) override {
        if (++steps_ == 6) throw std::runtime_error("killed");
        ranks_->reduce_scatter(values, size);
      }
      void all_gather(float* values, std::int64_t size) override {
        ranks_->all_gather(values, size);
      }
      void gather(const void* shard, std::int64_t size, std::size_t width, void* whole) override {
        ranks_->gather(shard, size, width, whole);
      }
      void check_peers() override { ranks_->check_peers(); }
      void fail(const std::string&) noexcept override { ranks_.reset(); }

     private:
      Ranks ranks_;
      int steps_ = 0;
    };
    mine.ranks = std::make_shared<Gone>(ranks);
    train(mine, "here", silent_progress(), {}, device_);
  });
  for (const std::size_t rank : {0U, 1U}) {
    const Error error = testing::error_of([&] { std::rethrow_exception(failures[rank]); });
    EXPECT_THAT(error.what(), HasSubstr("rank 2 (pid "));
    EXPECT_THAT(error.what(), HasSubstr(" ended"));
  }
  EXPECT_TRUE(exists(work(made) / "checkpoint-4"));
}

TEST_F(RankTrainer, TheStepsAreNotForOtherDevices) {
  TrainJob made = job("out");
  in_ranks(2, [&](const Ranks& ranks) {
    TrainJob mine = made;
    mine.ranks = ranks;
    Device other;
    other.name = "torch-cpu";
    const Error error =
        testing::error_of([&] { train(mine, "here", silent_progress(), {}, other); });
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.what(), HasSubstr("torch-cpu for several processes"));
  });
}

}  // namespace
}  // namespace tapir::student
