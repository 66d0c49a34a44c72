#include "student/rank_learner.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <new>
#include <thread>
#include <utility>

#include "student/host_memory.h"
#include "student/metrics.h"

namespace tapir::student {
namespace {

template <typename T>
void keep_shard(std::vector<T>& values, const Shard& shard) {
  if (values.empty()) return;
  values = std::vector<T>(values.begin() + shard.first, values.begin() + shard.last);
}

class RankLearner final : public Learner {
 public:
  RankLearner(const LearnerSetup& setup, TrainingState state, std::shared_ptr<Collective> ranks);

  StepLoss compute(const std::vector<const EncodedRow*>& rows, std::int64_t step) override;
  double gradient_norm() override;
  void apply(double norm, double learning_rate) override;
  StepLoss loss(const std::vector<const EncodedRow*>& rows) override;

  void read_state(const std::function<void(const TrainingState&)>& use) override;
  std::int64_t optimizer_steps() const override { return state_.optimizer_steps; }

  std::int64_t micro_batch_tokens() const override { return gradients_.micro_batch_tokens(); }
  void set_micro_batch_tokens(std::int64_t tokens) override {
    gradients_.set_micro_batch_tokens(tokens);
  }

  double peak_operations() const override;
  std::int64_t memory() const override { return resident_memory(); }

 private:
  std::vector<const EncodedRow*> my_share(const std::vector<const EncodedRow*>& rows) const;
  // The step's loss out of what each rank's `work` says of its rows.
  StepLoss of_all(const std::vector<const EncodedRow*>& rows,
                  const std::function<StepLoss(const std::vector<const EncodedRow*>&)>& work);
  double sum_over_ranks(double mine);
  std::vector<float>& gradient() { return gradients_.gradients().front(); }

  const std::shared_ptr<Collective> ranks_;
  const std::int64_t size_;
  const Shard shard_;
  const Optimizer lanes_;  // sums this rank's lanes
  const Optimizer own_;    // steps with this rank's shard
  LanePool pool_;
  LaneGradients gradients_;
  TrainingState state_;  // all parameters, the shard's moments
};

RankLearner::RankLearner(const LearnerSetup& setup, TrainingState state,
                         std::shared_ptr<Collective> ranks)
    : ranks_(std::move(ranks)),
      size_(setup.layout.size),
      shard_(shard_of(size_, ranks_->rank(), ranks_->size())),
      lanes_(setup.layout, setup.options),
      own_(setup.layout, setup.options, shard_),
      pool_(setup.passes.lanes),
      gradients_(setup.config, setup.passes),
      state_(std::move(state)) {
  Moments& moments = state_.moments;
  keep_shard(moments.m, shard_);
  keep_shard(moments.v, shard_);
  keep_shard(moments.m_bf16, shard_);
  keep_shard(moments.v_bf16, shard_);
  gradients_.before_pass([this] { ranks_->check_peers(); });
}

std::vector<const EncodedRow*> RankLearner::my_share(
    const std::vector<const EncodedRow*>& rows) const {
  std::vector<std::int64_t> lengths;
  for (const EncodedRow* row : rows)
    lengths.push_back(static_cast<std::int64_t>(row->tokens.size()));
  const auto dealt = deal_to_lanes(lengths, ranks_->size());
  std::vector<const EncodedRow*> mine;
  for (const std::size_t row : dealt[static_cast<std::size_t>(ranks_->rank())])
    mine.push_back(rows[row]);
  return mine;
}

// A sum of doubles in the order of the ranks, the same on each.
double RankLearner::sum_over_ranks(double mine) {
  double total = 0;
  const std::string_view bytes(reinterpret_cast<const char*>(&mine), sizeof(mine));
  for (const std::string& other : ranks_->all_gather(bytes)) {
    double value = 0;
    std::memcpy(&value, other.data(), sizeof(value));
    total += value;
  }
  return total;
}

StepLoss RankLearner::of_all(
    const std::vector<const EncodedRow*>& rows,
    const std::function<StepLoss(const std::vector<const EncodedRow*>&)>& work) {
  double sum = 0;
  bool out_of_memory = false;
  try {
    const StepLoss mine = work(my_share(rows));
    sum = mine.loss * mine.divisor();
  } catch (const std::bad_alloc&) {
    out_of_memory = true;
  }
  if (ranks_->any(out_of_memory)) throw std::bad_alloc();
  StepLoss total = count_tokens(rows);
  total.loss = sum_over_ranks(sum) / total.divisor();
  return total;
}

StepLoss RankLearner::compute(const std::vector<const EncodedRow*>& rows, std::int64_t step) {
  const auto supervised = static_cast<std::int64_t>(count_tokens(rows).divisor());
  const StepLoss loss = of_all(rows, [&](const std::vector<const EncodedRow*>& mine) {
    return gradients_.compute(state_.parameters.data(), mine, pool_, step, supervised);
  });
  (void)lanes_.reduce(gradients_.gradients(), pool_);
  ranks_->reduce_scatter(gradient().data(), size_);
  return loss;
}

double RankLearner::gradient_norm() {
  return std::sqrt(sum_over_ranks(own_.sum_of_squares(gradient(), pool_)));
}

void RankLearner::apply(double norm, double learning_rate) {
  own_.apply(gradient(), norm, learning_rate, state_, pool_);
  ranks_->all_gather(state_.parameters.data(), size_);
}

StepLoss RankLearner::loss(const std::vector<const EncodedRow*>& rows) {
  return of_all(rows, [&](const std::vector<const EncodedRow*>& mine) {
    return gradients_.loss(state_.parameters.data(), mine, pool_);
  });
}

// The whole moments are there while `use` runs only.
void RankLearner::read_state(const std::function<void(const TrainingState&)>& use) {
  Moments whole;
  const auto come_together = [&](const auto& shard, auto& all) {
    if (ranks_->is_first()) all.resize(static_cast<std::size_t>(size_));
    ranks_->gather(shard.data(), size_, sizeof(shard[0]), all.data());
  };
  const bool bf16 = !state_.moments.m_bf16.empty();
  if (ranks_->any(bf16)) {
    come_together(state_.moments.m_bf16, whole.m_bf16);
    come_together(state_.moments.v_bf16, whole.v_bf16);
  } else {
    come_together(state_.moments.m, whole.m);
    come_together(state_.moments.v, whole.v);
  }
  if (!ranks_->is_first()) return;
  std::swap(state_.moments, whole);
  try {
    use(state_);
  } catch (...) {
    std::swap(state_.moments, whole);
    throw;
  }
  std::swap(state_.moments, whole);
}

// Of all ranks, which share this machine's cores.
double RankLearner::peak_operations() const {
  const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  return measured_peak() * std::min(pool_.lanes() * ranks_->size(), cores);
}

}  // namespace

std::unique_ptr<Learner> make_rank_learner(const LearnerSetup& setup, TrainingState state,
                                           std::shared_ptr<Collective> ranks) {
  return std::make_unique<RankLearner>(setup, std::move(state), std::move(ranks));
}

}  // namespace tapir::student
