#include "student/torch_rows.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "student/torch_decoder.h"
#include "student/torch_memory.h"

namespace tapir::student {
namespace {

constexpr std::int64_t kCacheBlock = 256;  // positions by which caches grow

at::ScalarType compute_type(const ModelConfig& config) {
  return config.torch_dtype == StorageType::float32 ? at::kFloat : at::kBFloat16;
}

// One parameter after the other, so that the host never holds them all.
at::Tensor upload_weights(const ModelConfig& config, const ParameterReader& read,
                          const at::TensorOptions& options) {
  const ParameterLayout layout = make_layout(config);
  at::Tensor flat = at::empty({layout.size}, options);
  std::vector<float> host;
  for (const Parameter& parameter : layout.parameters) {
    host.resize(static_cast<std::size_t>(parameter.size));
    read(parameter, host.data());
    flat.narrow(0, parameter.offset, parameter.size)
        .copy_(at::from_blob(host.data(), {parameter.size}, at::kFloat));
  }
  return flat;
}

class TorchRows final : public RowDecoder {
 public:
  TorchRows(const ModelConfig& config, const TorchWeights& weights, int slots)
      : config_(config),
        weights_(weights),
        decoder_(config, weights, {.compute = weights.norm.scalar_type()}),
        slots_(slots),
        keys_(weights.layers.size()),
        values_(weights.layers.size()) {}

  const float* prefill(int slot, std::span<const std::int32_t> prompt) override {
    return reporting_memory([&] { return prefill_guarded(slot, prompt); });
  }
  const float* step(std::span<const SlotToken> rows) override {
    return reporting_memory([&] { return step_guarded(rows); });
  }
  std::vector<float> score(const ScoreRequest& request) override {
    return reporting_memory([&] { return score_guarded(request); });
  }

 private:
  const float* prefill_guarded(int slot, std::span<const std::int32_t> prompt);
  const float* step_guarded(std::span<const SlotToken> rows);
  std::vector<float> score_guarded(const ScoreRequest& request);
  void reserve(std::int64_t positions);
  void store(std::size_t layer, const at::Tensor& at, const at::Tensor& key,
             const at::Tensor& value);
  const float* to_host(const at::Tensor& logits);

  const ModelConfig& config_;
  const TorchWeights& weights_;
  TorchDecoder decoder_;
  const int slots_;
  std::int64_t capacity_ = 0;       // positions of a row
  std::vector<at::Tensor> keys_;    // by layer: [slots, capacity, kv heads, head_dim]
  std::vector<at::Tensor> values_;  // likewise
  at::Tensor starts_;               // [slots + 1] int32: slot * capacity
  at::Tensor numbers_;              // [slots + 1] int32: slot
  at::Tensor logits_;               // on the host
};

void TorchRows::reserve(std::int64_t positions) {
  if (positions <= capacity_) return;
  const std::int64_t wanted = std::max(positions, 2 * capacity_);
  const std::int64_t capacity = (wanted + kCacheBlock - 1) / kCacheBlock * kCacheBlock;
  for (std::vector<at::Tensor>* caches : {&keys_, &values_}) {
    for (at::Tensor& cache : *caches) {
      // Zeros: what is masked is still multiplied by a probability of 0.
      at::Tensor larger =
          at::zeros({slots_, capacity, config_.num_key_value_heads, config_.head_dim},
                    weights_.norm.options());
      if (cache.defined()) larger.narrow(1, 0, capacity_).copy_(cache);
      cache = std::move(larger);
    }
  }
  capacity_ = capacity;
  numbers_ = at::arange(slots_ + 1, at::TensorOptions().device(decoder_.device()).dtype(at::kInt));
  starts_ = numbers_ * capacity_;
}

// at: [tokens] places among slots * capacity.
void TorchRows::store(std::size_t layer, const at::Tensor& at, const at::Tensor& key,
                      const at::Tensor& value) {
  keys_[layer].flatten(0, 1).index_copy_(0, at, key);
  values_[layer].flatten(0, 1).index_copy_(0, at, value);
}

const float* TorchRows::to_host(const at::Tensor& logits) {
  logits_ = logits.to(at::kCPU).contiguous();
  return logits_.const_data_ptr<float>();
}

const float* TorchRows::prefill_guarded(int slot, std::span<const std::int32_t> prompt) {
  const auto length = static_cast<std::int64_t>(prompt.size());
  check(length > 0 && length <= config_.max_position_embeddings, "a prompt that fits the context");
  const at::NoGradGuard no_gradients;
  reserve(length);
  PackedBatch packed;
  append_sequence(packed, prompt, std::vector<std::uint8_t>(prompt.size(), 0));
  packed.rows = {length - 1};
  const TorchBatch batch = decoder_.upload(packed);
  std::vector<std::int32_t> places(prompt.size());
  std::iota(places.begin(), places.end(), static_cast<std::int32_t>(slot * capacity_));
  const at::Tensor at = upload_indices(places, decoder_.device());
  const TorchDecoder::Attend alone = TorchDecoder::packed_attention(weights_, batch.sequences);
  return to_host(decoder_.logits(batch, [&](std::size_t layer, const at::Tensor& query,
                                            const at::Tensor& key, const at::Tensor& value) {
    store(layer, at, key, value);
    return alone(layer, query, key, value);
  }));
}

const float* TorchRows::step_guarded(std::span<const SlotToken> rows) {
  check(!rows.empty(), "a step of at least one row");
  const at::NoGradGuard no_gradients;
  const auto slots = static_cast<std::size_t>(slots_);
  std::vector<std::int32_t> tokens(slots, 0);
  std::vector<std::int32_t> positions(slots, 0);
  std::vector<std::int32_t> wanted;
  for (const SlotToken& row : rows) {
    reserve(row.position + 1);
    tokens[static_cast<std::size_t>(row.slot)] = row.token;
    positions[static_cast<std::size_t>(row.slot)] = row.position;
    wanted.push_back(row.slot);
  }
  TorchBatch batch = decoder_.upload(tokens, positions);
  batch.rows = upload_indices(wanted, decoder_.device());
  CachedPast seen;
  seen.lengths = batch.positions.add(1).to(at::kInt);
  seen.starts = starts_;
  seen.rows = numbers_;
  seen.longest = *std::max_element(positions.begin(), positions.end()) + 1;
  const at::Tensor at = starts_.narrow(0, 0, slots_) + batch.positions;
  return to_host(decoder_.logits(batch, [&](std::size_t layer, const at::Tensor& query,
                                            const at::Tensor& key, const at::Tensor& value) {
    store(layer, at, key, value);
    seen.keys = keys_[layer];
    seen.values = values_[layer];
    return attend_cached(query, seen, weights_.layers[layer].window);
  }));
}

std::vector<float> TorchRows::score_guarded(const ScoreRequest& request) {
  if (request.targets.empty()) return {};
  PackedBatch packed;
  append_sequence(packed, request.tokens, std::vector<std::uint8_t>(request.tokens.size(), 0));
  packed.rows.assign(request.rows.begin(), request.rows.end());
  packed.targets.assign(request.targets.begin(), request.targets.end());
  const at::Tensor found = decoder_.logprobs(decoder_.upload(packed)).to(at::kCPU).contiguous();
  const float* values = found.const_data_ptr<float>();
  return {values, values + found.numel()};
}

class TorchDecodeEngine final : public DecodeEngine {
 public:
  TorchDecodeEngine(const ModelConfig& config, const ParameterReader& read, const Device& device)
      : config_(config),
        flat_(upload_weights(config, read,
                             at::TensorOptions()
                                 .device(at::Device(device.torch_name()))
                                 .dtype(compute_type(config)))),
        weights_(view_weights(config, flat_)) {}

  const ModelConfig& config() const override { return config_; }
  std::int64_t parameter_count() const override { return flat_.numel(); }
  std::int64_t bytes() const override { return static_cast<std::int64_t>(flat_.nbytes()); }
  bool independent_rows() const override { return false; }
  int most_workers() const override { return 1; }
  std::unique_ptr<RowDecoder> rows(int slots, int /*threads*/) const override {
    return std::make_unique<TorchRows>(config_, weights_, slots);
  }

 private:
  const ModelConfig config_;
  const at::Tensor flat_;  // [parameters]
  const TorchWeights weights_;
};

}  // namespace

std::shared_ptr<const DecodeEngine> make_torch_decode_engine(const ModelConfig& config,
                                                             const ParameterReader& read,
                                                             const Device& device) {
  at::set_num_threads(1);  // workers are our threads; within one, torch computes alone
  return reporting_memory(
      [&] { return std::make_shared<TorchDecodeEngine>(config, read, device); });
}

}  // namespace tapir::student
