#include "student/batching.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace tapir::student {

std::vector<std::vector<std::size_t>> pack_best_fit(const std::vector<std::int64_t>& lengths,
                                                    std::int64_t limit) {
  std::vector<std::size_t> longest_first(lengths.size());
  std::iota(longest_first.begin(), longest_first.end(), std::size_t{0});
  std::stable_sort(longest_first.begin(), longest_first.end(),
                   [&](std::size_t a, std::size_t b) { return lengths[a] > lengths[b]; });
  std::vector<std::vector<std::size_t>> sequences;
  std::set<std::pair<std::int64_t, std::size_t>> room;  // left in each sequence that has some
  for (const std::size_t row : longest_first) {
    const std::int64_t length = lengths[row];
    const auto fullest = room.lower_bound({length, 0});
    std::size_t place = sequences.size();
    std::int64_t left = limit - length;
    if (fullest == room.end()) {
      sequences.emplace_back();
    } else {
      place = fullest->second;
      left = fullest->first - length;
      room.erase(fullest);
    }
    sequences[place].push_back(row);
    if (left > 0) room.emplace(left, place);
  }
  for (std::vector<std::size_t>& sequence : sequences) std::sort(sequence.begin(), sequence.end());
  return sequences;
}

BatchPlan::BatchPlan(std::vector<std::int64_t> lengths, const TrainOptions& options)
    : lengths_(std::move(lengths)), options_(options) {
  check(!lengths_.empty(), "BatchPlan: there are rows");
  const double rows = options.num_train_epochs * static_cast<double>(lengths_.size());
  total_rows_ = std::max<std::int64_t>(1, std::llround(rows));
  if (options_.shuffle && options_.order_seed) take_rows_of_seed();
  begin_epoch();
}

void BatchPlan::take_rows_of_seed() {
  TrainOptions without = options_;
  without.order_seed.reset();
  BatchPlan plan(lengths_, without);
  while (!plan.done()) (void)plan.next();
  total_rows_ = plan.cursor_.rows;
  const auto taken = plan.units_[static_cast<std::size_t>(plan.cursor_.position)];
  plan.order_.resize(taken);
  std::sort(plan.order_.begin(), plan.order_.end());
  of_seed_ = {plan.step_, plan.cursor_.epoch, std::move(plan.order_)};
}

bool BatchPlan::rows_are_used_up() const {
  return (options_.max_steps <= 0 || of_seed_) && cursor_.rows >= total_rows_;
}

bool BatchPlan::done() const {
  return rows_are_used_up() || (options_.max_steps > 0 && step_ >= options_.max_steps);
}

bool BatchPlan::step_is_full(std::size_t units) const {
  if (units == 0) return false;
  if (of_seed_) {
    // No later step stays empty, and nothing stays behind.
    const std::int64_t steps_after = of_seed_->steps - step_ - 1;
    if (steps_after <= 0) return false;
    if (total_rows_ - cursor_.rows <= steps_after) return true;
  }
  if (options_.batch_tokens > 0) return cursor_.tokens >= (step_ + 1) * options_.batch_tokens;
  return units >= static_cast<std::size_t>(options_.total_batch_size);
}

void BatchPlan::begin_epoch() {
  if (of_seed_ && cursor_.epoch == of_seed_->last_epoch) {
    order_ = of_seed_->last_rows;
  } else {
    order_.resize(lengths_.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
  }
  if (options_.shuffle)
    RandomStream(order_seed(), "train", std::to_string(cursor_.epoch)).shuffle(order_);
  if (options_.packing) {
    pack_epoch();
  } else {
    units_.resize(order_.size() + 1);
    std::iota(units_.begin(), units_.end(), std::size_t{0});
  }
}

// The epoch's order, cut into packed sequences, which are dealt out in an order of their own: best
// fit leaves the worst filled ones at the end.
void BatchPlan::pack_epoch() {
  std::vector<std::int64_t> lengths;
  for (const std::size_t row : order_) lengths.push_back(lengths_[row]);
  std::vector<std::vector<std::size_t>> sequences = pack_best_fit(lengths, options_.cutoff_len);
  if (options_.shuffle) {
    RandomStream(order_seed(), "packing", std::to_string(cursor_.epoch)).shuffle(sequences);
  } else {
    std::sort(sequences.begin(), sequences.end());
  }
  const std::vector<std::size_t> before = std::exchange(order_, {});
  units_.assign(1, 0);
  for (const std::vector<std::size_t>& sequence : sequences) {
    for (const std::size_t place : sequence) order_.push_back(before[place]);
    units_.push_back(order_.size());
  }
}

std::vector<std::size_t> BatchPlan::next() {
  std::vector<std::size_t> rows;
  for (std::size_t units = 0; !step_is_full(units); ++units) {
    if (rows_are_used_up()) break;
    if (cursor_.position + 1 == static_cast<std::int64_t>(units_.size())) {
      ++cursor_.epoch;
      cursor_.position = 0;
      begin_epoch();
    }
    const auto unit = static_cast<std::size_t>(cursor_.position++);
    for (std::size_t i = units_[unit]; i < units_[unit + 1]; ++i) {
      ++cursor_.rows;
      cursor_.tokens += lengths_[order_[i]];
      rows.push_back(order_[i]);
    }
  }
  ++step_;
  return rows;
}

void BatchPlan::restore(std::int64_t step, const DataCursor& cursor) {
  step_ = step;
  cursor_ = cursor;
  begin_epoch();
}

std::int64_t count_steps(const std::vector<std::int64_t>& lengths, const TrainOptions& options) {
  if (options.max_steps > 0 && !options.order_seed) return options.max_steps;
  BatchPlan plan(lengths, options);
  while (!plan.done()) (void)plan.next();
  return plan.step();
}

std::vector<std::vector<std::size_t>> deal_to_lanes(const std::vector<std::int64_t>& lengths,
                                                    int lanes) {
  std::vector<std::size_t> longest_first(lengths.size());
  std::iota(longest_first.begin(), longest_first.end(), std::size_t{0});
  std::stable_sort(longest_first.begin(), longest_first.end(),
                   [&](std::size_t a, std::size_t b) { return lengths[a] > lengths[b]; });
  std::vector<std::vector<std::size_t>> dealt(static_cast<std::size_t>(lanes));
  std::vector<std::int64_t> tokens(dealt.size(), 0);
  for (const std::size_t row : longest_first) {
    const auto emptiest =
        static_cast<std::size_t>(std::min_element(tokens.begin(), tokens.end()) - tokens.begin());
    dealt[emptiest].push_back(row);
    tokens[emptiest] += lengths[row];
  }
  for (std::vector<std::size_t>& lane : dealt) std::sort(lane.begin(), lane.end());
  return dealt;
}

std::vector<std::vector<std::size_t>> plan_passes(const std::vector<std::int64_t>& lengths,
                                                  std::int64_t limit, bool best_fit) {
  if (best_fit) return pack_best_fit(lengths, limit);
  std::vector<std::vector<std::size_t>> passes;
  std::int64_t tokens = 0;
  for (std::size_t row = 0; row < lengths.size(); ++row) {
    if (passes.empty() || tokens + lengths[row] > limit) {
      passes.emplace_back();
      tokens = 0;
    }
    passes.back().push_back(row);
    tokens += lengths[row];
  }
  return passes;
}

}  // namespace tapir::student
