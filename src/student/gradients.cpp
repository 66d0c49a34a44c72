#include "student/gradients.h"

#include <algorithm>

namespace tapir::student {
namespace {

// Large enough for efficient products, small enough to keep a layer's activations in cache.
constexpr std::int64_t kMicroBatchTokens = 512;

}  // namespace

LaneGradients::LaneGradients(const ModelConfig& config, int lanes, std::int64_t micro_batch_tokens)
    : micro_batch_tokens_(micro_batch_tokens > 0 ? micro_batch_tokens : kMicroBatchTokens) {
  const auto size = static_cast<std::size_t>(make_layout(config).size);
  for (int lane = 0; lane < lanes; ++lane) {
    decoders_.emplace_back(config);
    gradients_.emplace_back(size);
  }
}

StepLoss LaneGradients::compute(const float* parameters, const std::vector<const EncodedRow*>& rows,
                                LanePool& pool) {
  StepLoss step;
  std::vector<std::int64_t> lengths;
  for (const EncodedRow* row : rows) {
    lengths.push_back(static_cast<std::int64_t>(row->tokens.size()));
    step.tokens += lengths.back();
    step.supervised_tokens += row->supervised;
  }
  const auto supervised = static_cast<double>(std::max<std::int64_t>(1, step.supervised_tokens));
  const auto dealt = deal_to_lanes(lengths, static_cast<int>(decoders_.size()));
  std::vector<double> losses(decoders_.size(), 0);
  pool.run([&](int lane_index) {
    const auto lane = static_cast<std::size_t>(lane_index);
    std::fill(gradients_[lane].begin(), gradients_[lane].end(), 0.0F);
    std::vector<const EncodedRow*> mine;
    for (const std::size_t row : dealt[lane]) mine.push_back(rows[row]);
    for (const PackedBatch& batch : pack(mine, micro_batch_tokens_)) {
      losses[lane] += decoders_[lane].add_gradients(
          parameters, batch, static_cast<float>(1 / supervised), gradients_[lane].data());
    }
  });
  for (const double loss : losses) step.loss += loss;
  step.loss /= supervised;
  return step;
}

double step_operations(const ModelConfig& config, const std::vector<const EncodedRow*>& rows) {
  const double hidden = config.hidden_size;
  const double per_layer = hidden * (2.0 * config.query_width() + 2.0 * config.key_value_width()) +
                           3.0 * hidden * config.intermediate_size;
  double operations = 0;
  for (const EncodedRow* row : rows) {
    const auto length = static_cast<double>(row->tokens.size());
    // Two operations per weight forward, four backward; attention sees half of the square.
    const double attention = length * length * config.query_width();
    operations += 6 * config.num_hidden_layers * (length * per_layer + attention);
    operations += 6 * static_cast<double>(row->supervised) * hidden * config.vocab_size;
  }
  return operations;
}

}  // namespace tapir::student
