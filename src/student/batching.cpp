#include "student/batching.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace tapir::student {

BatchPlan::BatchPlan(std::vector<std::int64_t> lengths, const TrainOptions& options)
    : lengths_(std::move(lengths)), options_(options) {
  check(!lengths_.empty(), "BatchPlan: there are rows");
  const double rows = options.num_train_epochs * static_cast<double>(lengths_.size());
  total_rows_ = std::max<std::int64_t>(1, std::llround(rows));
  begin_epoch();
}

bool BatchPlan::done() const {
  return options_.max_steps > 0 ? step_ >= options_.max_steps : cursor_.rows >= total_rows_;
}

bool BatchPlan::step_is_full(std::size_t rows) const {
  if (rows == 0) return false;
  if (options_.batch_tokens > 0) return cursor_.tokens >= (step_ + 1) * options_.batch_tokens;
  return rows >= static_cast<std::size_t>(options_.total_batch_size);
}

void BatchPlan::begin_epoch() {
  order_.resize(lengths_.size());
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  if (options_.shuffle)
    RandomStream(options_.seed, "train", std::to_string(cursor_.epoch)).shuffle(order_);
}

std::vector<std::size_t> BatchPlan::next() {
  std::vector<std::size_t> rows;
  while (!step_is_full(rows.size())) {
    if (options_.max_steps <= 0 && cursor_.rows >= total_rows_) break;
    if (cursor_.position == static_cast<std::int64_t>(order_.size())) {
      ++cursor_.epoch;
      cursor_.position = 0;
      begin_epoch();
    }
    const std::size_t row = order_[static_cast<std::size_t>(cursor_.position++)];
    ++cursor_.rows;
    cursor_.tokens += lengths_[row];
    rows.push_back(row);
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
  if (options.max_steps > 0) return options.max_steps;
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

std::vector<PackedBatch> pack(const std::vector<const EncodedRow*>& rows, std::int64_t limit) {
  std::vector<PackedBatch> batches;
  for (const EncodedRow* row : rows) {
    const auto length = static_cast<std::int64_t>(row->tokens.size());
    if (batches.empty() || batches.back().size() + length > limit) batches.emplace_back();
    append_sequence(batches.back(), row->tokens, row->loss);
  }
  return batches;
}

}  // namespace tapir::student
