#include "student/decode_weights.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "student/half.h"

namespace tapir::student {
namespace {

ParameterSource source_of(const float* parameters) {
  return [parameters](const Parameter& p) {
    return StoredValues{WeightType::f32, parameters + p.offset};
  };
}

void widen(const StoredValues& values, std::int64_t size, float* to) {
  const auto* from = static_cast<const char*>(values.data);
  if (values.type == WeightType::f32) {
    std::memcpy(to, from, static_cast<std::size_t>(size) * sizeof(float));
    return;
  }
  for (std::int64_t i = 0; i < size; ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, from + i * static_cast<std::int64_t>(sizeof bits), sizeof bits);
    to[i] = values.type == WeightType::bf16 ? bfloat_to_float(bits) : half_to_float(bits);
  }
}

const DecodeKernels& products(const Kernels& set, bool bf16) {
  if (!bf16) return decode_kernels(set);
  check(bf16_decode_kernels() != nullptr, "DecodeWeights: bf16 where the CPU has units for it");
  return *bf16_decode_kernels();
}

// Takes the parameters in the order of the layout, in which each matrix lies in one piece.
class Packer {
 public:
  using Take = std::function<float*(std::int64_t bytes)>;

  Packer(const DecodeKernels& kernels, const ParameterLayout& layout, const ParameterSource& source,
         Take take)
      : kernels_(kernels), layout_(layout), source_(source), take_(std::move(take)) {}

  DecodeWeights::Matrix matrix(const Linear& linear) const {
    return {packed(linear), vector(linear.bias, linear.out)};
  }

  // A norm or a bias, of one or several parameters; null when there is none.
  const float* vector(std::int64_t offset, std::int64_t size) const {
    if (offset == kNoParameter) return nullptr;
    float* values = take_(size * static_cast<std::int64_t>(sizeof(float)));
    for (const Parameter* p : within(offset, size))
      widen(source_(*p), p->size, values + (p->offset - offset));
    return values;
  }

 private:
  // The parameter in bf16; it holds until the next one.
  StoredValues rounded(const Parameter& p) const {
    const StoredValues values = source_(p);
    if (values.type == WeightType::bf16) return values;
    narrow_.resize(static_cast<std::size_t>(p.size));
    const std::int64_t row = p.shape.back();
    std::vector<float> wide(static_cast<std::size_t>(row));
    const auto* from = static_cast<const char*>(values.data);
    for (std::int64_t at = 0; at < p.size; at += row) {
      widen({values.type, from + at * size_of(values.type)}, row, wide.data());
      std::transform(wide.begin(), wide.end(), narrow_.begin() + at, float_to_bfloat);
    }
    return {WeightType::bf16, narrow_.data()};
  }

  PackedMatrix packed(const Linear& linear) const {
    std::optional<WeightType> type;
    void* memory = nullptr;
    for (const Parameter* p : within(linear.weight, linear.out * linear.in)) {
      const StoredValues values = kernels_.bf16 ? rounded(*p) : source_(*p);
      if (!type) {
        type = values.type;
        memory = take_(kernels_.packed_size(linear.out, linear.in) * size_of(*type));
      }
      if (values.type != *type) {
        throw Error(ErrorKind::data, p->name + ": is stored in another type than its neighbours",
                    "store q, k and v of a layer in one type, and gate and up");
      }
      kernels_.pack({{*type, linear.out, linear.in, memory},
                     (p->offset - linear.weight) / linear.in,
                     p->size / linear.in,
                     values.data,
                     memory});
    }
    check(type.has_value(), "every matrix has parameters");
    return {*type, linear.out, linear.in, memory};
  }

  std::vector<const Parameter*> within(std::int64_t offset, std::int64_t size) const {
    std::vector<const Parameter*> found;
    for (const Parameter& p : layout_.parameters) {
      if (p.offset >= offset && p.offset < offset + size) found.push_back(&p);
    }
    return found;
  }

  const DecodeKernels& kernels_;
  const ParameterLayout& layout_;
  const ParameterSource& source_;
  const Take take_;
  mutable std::vector<std::uint16_t> narrow_;
};

}  // namespace

DecodeWeights::DecodeWeights(const ModelConfig& model_config, const ParameterLayout& layout,
                             const ParameterSource& source, const Kernels& set, bool bf16)
    : config(model_config),
      parameter_count(layout.size),
      kernels(set),
      decode(products(set, bf16)) {
  const Packer packer(decode, layout, source, [this](std::int64_t bytes) { return take(bytes); });
  const long hidden = config.hidden_size;
  const bool tied = layout.lm_head.weight == layout.embed_tokens;
  if (!tied) {
    embed_tokens = packer.matrix({config.vocab_size, hidden, layout.embed_tokens, kNoParameter});
  }
  for (const LayerOffsets& from : layout.layers) {
    layers.push_back(
        {packer.vector(from.input_layernorm, hidden), packer.vector(from.q_norm, config.head_dim),
         packer.vector(from.k_norm, config.head_dim),
         packer.vector(from.post_attention_layernorm, hidden), packer.matrix(from.qkv_proj),
         packer.matrix(from.o_proj), packer.matrix(from.gate_up_proj),
         packer.matrix(from.down_proj), from.window});
  }
  norm = packer.vector(layout.norm, hidden);
  lm_head = packer.matrix(layout.lm_head);
  if (tied) embed_tokens = lm_head;
}

DecodeWeights::DecodeWeights(const ModelConfig& model_config, const ParameterLayout& layout,
                             const float* parameters, const Kernels& set)
    : DecodeWeights(model_config, layout, source_of(parameters), set) {}

float* DecodeWeights::take(std::int64_t bytes) {
  bytes_ += bytes;
  constexpr auto kFloat = static_cast<std::int64_t>(sizeof(float));
  return memory_.emplace_back().reserve((bytes + kFloat - 1) / kFloat);
}

}  // namespace tapir::student
