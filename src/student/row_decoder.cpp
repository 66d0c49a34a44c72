#include "student/row_decoder.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "student/decode.h"
#include "student/decode_weights.h"
#include "student/kv_cache.h"

namespace tapir::student {
namespace {

class CpuRows final : public RowDecoder {
 public:
  CpuRows(const std::shared_ptr<const DecodeWeights>& weights, int slots, int threads)
      : worker_(weights, threads) {
    for (int i = 0; i < slots; ++i) caches_.emplace_back(weights->config, weights->decode);
  }
  const float* prefill(int slot, std::span<const std::int32_t> prompt) override {
    return worker_.prefill(prompt, caches_[static_cast<std::size_t>(slot)]);
  }
  const float* step(std::span<const SlotToken> rows) override {
    rows_.clear();
    for (const SlotToken& row : rows) {
      rows_.push_back({&caches_[static_cast<std::size_t>(row.slot)], row.token, row.position});
    }
    return worker_.step(rows_);
  }
  std::vector<float> score(const ScoreRequest& request) override { return worker_.score(request); }
  void use_threads(int threads) override { worker_.use_threads(threads); }

 private:
  DecodeWorker worker_;
  std::vector<KvCache> caches_;  // of the slots
  std::vector<DecodeRow> rows_;
};

class CpuDecodeEngine final : public DecodeEngine {
 public:
  explicit CpuDecodeEngine(std::shared_ptr<const DecodeWeights> weights)
      : weights_(std::move(weights)) {}
  const ModelConfig& config() const override { return weights_->config; }
  std::int64_t parameter_count() const override { return weights_->parameter_count; }
  std::int64_t bytes() const override { return weights_->bytes(); }
  bool independent_rows() const override { return true; }
  int most_workers() const override {
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }
  std::unique_ptr<RowDecoder> rows(int slots, int threads) const override {
    return std::make_unique<CpuRows>(weights_, slots, threads);
  }

 private:
  std::shared_ptr<const DecodeWeights> weights_;
};

}  // namespace

std::shared_ptr<const DecodeEngine> make_cpu_decode_engine(
    std::shared_ptr<const DecodeWeights> weights) {
  return std::make_shared<CpuDecodeEngine>(std::move(weights));
}

}  // namespace tapir::student
