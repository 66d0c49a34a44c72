#include "student/gradients.h"

#include <algorithm>
#include <utility>

#include "base/random.h"

namespace tapir::student {

std::vector<PackedBatch> make_passes(const std::vector<const EncodedRow*>& rows,
                                     const LaneOptions& options, std::int64_t step) {
  const bool drops = options.decoder.adapter != nullptr && options.decoder.lora_dropout > 0 &&
                     step != kWithoutDropout;
  std::vector<std::int64_t> lengths;
  for (const EncodedRow* row : rows)
    lengths.push_back(static_cast<std::int64_t>(row->tokens.size()));
  std::vector<PackedBatch> batches;
  for (const std::vector<std::size_t>& pass :
       plan_passes(lengths, options.micro_batch_tokens, options.best_fit)) {
    PackedBatch& batch = batches.emplace_back();
    for (const std::size_t index : pass) {
      const EncodedRow& row = *rows[index];
      append_sequence(batch, row.tokens, row.loss);
      if (!drops) continue;
      const std::uint64_t key = RandomStream(options.seed, "lora_dropout",
                                             std::to_string(step) + " " + std::string(row.id))
                                    .next();
      append_dropout_keys(batch, key);
    }
  }
  return batches;
}

StepLoss count_tokens(const std::vector<const EncodedRow*>& rows) {
  StepLoss total;
  for (const EncodedRow* row : rows) {
    total.tokens += static_cast<std::int64_t>(row->tokens.size());
    total.supervised_tokens += row->supervised;
  }
  return total;
}

LaneGradients::LaneGradients(const ModelConfig& config, const LaneOptions& options)
    : config_(config), options_(options) {
  const AdapterLayout* adapter = options.decoder.adapter;
  const std::int64_t size = adapter != nullptr ? adapter->values.size : make_layout(config).size;
  for (int lane = 0; lane < options.lanes; ++lane) {
    gradients_.emplace_back(static_cast<std::size_t>(size));
  }
  make_decoders();
}

void LaneGradients::make_decoders() {
  decoders_.clear();
  for (int lane = 0; lane < options_.lanes; ++lane) {
    decoders_.emplace_back(config_, kernels(), options_.decoder);
  }
}

void LaneGradients::set_micro_batch_tokens(std::int64_t tokens) {
  options_.micro_batch_tokens = tokens;
  make_decoders();
}

StepLoss LaneGradients::for_each_pass(const std::vector<const EncodedRow*>& rows, LanePool& pool,
                                      std::int64_t step, const Pass& pass) {
  StepLoss total = count_tokens(rows);
  std::vector<std::int64_t> lengths;
  for (const EncodedRow* row : rows)
    lengths.push_back(static_cast<std::int64_t>(row->tokens.size()));
  const auto dealt = deal_to_lanes(lengths, options_.lanes);
  std::vector<double> losses(decoders_.size(), 0);
  pool.run([&](int lane_index) {
    const auto lane = static_cast<std::size_t>(lane_index);
    std::vector<const EncodedRow*> mine;
    for (const std::size_t row : dealt[lane]) mine.push_back(rows[row]);
    for (const PackedBatch& batch : make_passes(mine, options_, step)) {
      if (before_pass_) before_pass_();
      losses[lane] += pass(lane, batch);
    }
  });
  for (const double loss : losses) total.loss += loss;
  total.loss /= total.divisor();
  return total;
}

StepLoss LaneGradients::compute(const float* values, const std::vector<const EncodedRow*>& rows,
                                LanePool& pool, std::int64_t step, std::int64_t supervised) {
  const double divisor =
      supervised > 0 ? static_cast<double>(supervised) : count_tokens(rows).divisor();
  const auto scale = static_cast<float>(1 / divisor);
  pool.run([&](int lane) {
    std::vector<float>& gradient = gradients_[static_cast<std::size_t>(lane)];
    std::fill(gradient.begin(), gradient.end(), 0.0F);
  });
  return for_each_pass(rows, pool, step, [&](std::size_t lane, const PackedBatch& batch) {
    decoders_[lane].set_adapter(values);
    return decoders_[lane].add_gradients(base(values), batch, scale, gradients_[lane].data());
  });
}

StepLoss LaneGradients::loss(const float* values, const std::vector<const EncodedRow*>& rows,
                             LanePool& pool) {
  std::vector<std::vector<float>> logprobs(decoders_.size());
  return for_each_pass(rows, pool, kWithoutDropout,
                       [&](std::size_t lane, const PackedBatch& batch) {
                         logprobs[lane].resize(batch.targets.size());
                         decoders_[lane].set_adapter(values);
                         decoders_[lane].logprobs(base(values), batch, logprobs[lane].data());
                         double sum = 0;
                         for (const float logprob : logprobs[lane])
                           sum -= static_cast<double>(logprob);
                         return sum;
                       });
}

double step_operations(const ModelConfig& config, const std::vector<const EncodedRow*>& rows,
                       bool frozen) {
  const double hidden = config.hidden_size;
  const double per_layer = hidden * (2.0 * config.query_width() + 2.0 * config.key_value_width()) +
                           3.0 * hidden * config.intermediate_size;
  const double passes = frozen ? 4 : 6;
  double operations = 0;
  for (const EncodedRow* row : rows) {
    const auto length = static_cast<double>(row->tokens.size());
    // Two operations per weight forward, two backward for the input's gradient and two for the
    // weight's; attention sees half of the square.
    const double attention = length * length * config.query_width();
    operations += config.num_hidden_layers * (passes * length * per_layer + 6 * attention);
    operations += passes * static_cast<double>(row->supervised) * hidden * config.vocab_size;
  }
  return operations;
}

}  // namespace tapir::student
