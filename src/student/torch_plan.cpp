#include "student/torch_plan.h"

#include <algorithm>

namespace tapir::student {
namespace {

// What autograd keeps for the way back, and what is there for a moment where it is most.
class PassBytes {
 public:
  PassBytes(const ModelConfig& config, const DecoderOptions& options, const Device& device)
      : hidden_(config.hidden_size),
        inner_(config.intermediate_size),
        query_(config.query_width()),
        key_value_(config.key_value_width()),
        heads_(config.num_attention_heads),
        vocab_(config.vocab_size),
        layers_(config.num_hidden_layers),
        element_(options.bf16 ? 2 : 4),
        learns_weights_(options.adapter == nullptr),
        on_gpu_(device.kind() == "cuda"),
        flash_(on_gpu_ && options.bf16),
        repeats_heads_(config.num_attention_heads != config.num_key_value_heads),
        chunk_elements_(options.logits_at_once > 0 ? options.logits_at_once * vocab_
                                                   : kTorchLogitElements) {}

  // Of one layer, its input included; rows: tokens that go on behind its attention.
  std::int64_t kept(std::int64_t tokens, std::int64_t rows) const {
    const std::int64_t of_tokens = hidden_ + 2 * query_ + 3 * key_value_ + attention();
    const std::int64_t of_rows = hidden_ + 4 * inner_ + (rows < tokens ? query_ : 0);
    return element_ * (tokens * of_tokens + rows * of_rows) + kept_by_norm(tokens) +
           kept_by_norm(rows) + 4 * tokens * heads_ + rounded_weights(layer_weights());
  }
  std::int64_t input(std::int64_t tokens) const { return element_ * tokens * hidden_; }

  // On the way back through a layer.
  std::int64_t moment(std::int64_t rows) const {
    return element_ * rows * (2 * hidden_ + 3 * inner_) + weight_gradient(2 * inner_ * hidden_);
  }

  // The head: a chunk of logits and what becomes of it, then the gradient of its weights.
  std::int64_t head(std::int64_t rows) const {
    const std::int64_t chunk = std::min(rows * vocab_, std::max(chunk_elements_, vocab_));
    return 3 * input(rows) + kept_by_norm(rows) + rounded_weights(vocab_ * hidden_) +
           std::max(12 * chunk, element_ * chunk + weight_gradient(vocab_ * hidden_));
  }

  std::int64_t layers() const { return layers_; }

 private:
  // What comes out of the attention. Sequence by sequence it is there twice; keys and values of
  // shared heads are then repeated on a GPU.
  std::int64_t attention() const {
    if (flash_) return query_;
    return (on_gpu_ && repeats_heads_ ? 4 : 2) * query_;
  }
  // Its input; where it is not fused, in fp32, and once more when its weight learns.
  std::int64_t kept_by_norm(std::int64_t rows) const {
    if (on_gpu_) return element_ * rows * hidden_ + 4 * rows;
    return (learns_weights_ ? 8 : 4) * rows * hidden_;
  }
  // fp32 weights as they are computed with; frozen ones are kept so anyway.
  std::int64_t rounded_weights(std::int64_t count) const {
    return learns_weights_ && element_ < 4 ? element_ * count : 0;
  }
  std::int64_t weight_gradient(std::int64_t count) const {
    if (!learns_weights_) return 0;
    return (element_ < 4 ? element_ + 4 : 4) * count;
  }
  std::int64_t layer_weights() const {
    return hidden_ * (2 * query_ + 2 * key_value_ + 3 * inner_);
  }

  const std::int64_t hidden_, inner_, query_, key_value_, heads_, vocab_, layers_, element_;
  const bool learns_weights_, on_gpu_, flash_, repeats_heads_;
  const std::int64_t chunk_elements_;
};

}  // namespace

std::int64_t torch_training_bytes(const ModelConfig& config, const DecoderOptions& options,
                                  const PassSize& pass, const Device& device) {
  const PassBytes bytes(config, options, device);
  const std::int64_t tokens = pass.tokens;
  const std::int64_t rows = pass.targets;
  const std::int64_t last = bytes.kept(tokens, rows);
  if (!options.gradient_checkpointing) {
    return (bytes.layers() - 1) * bytes.kept(tokens, tokens) + last +
           std::max(bytes.head(rows), bytes.moment(rows));
  }
  const std::int64_t other =
      bytes.layers() > 1 ? bytes.kept(tokens, tokens) + bytes.moment(tokens) : 0;
  return (bytes.layers() - 1) * bytes.input(tokens) +
         std::max({bytes.input(tokens) + bytes.head(rows), last + bytes.moment(rows), other});
}

}  // namespace tapir::student
