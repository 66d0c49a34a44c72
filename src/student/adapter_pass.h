// The low-rank branches in a decoder's forward and backward pass. One object is one worker's
// buffers: use it from one thread at a time. No torch here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "student/adapter.h"
#include "student/float_buffer.h"
#include "student/kernels.h"
#include "student/linear.h"

namespace tapir::student {

// Which elements dropout takes is a function of the token's key, the pair and the column: neither
// packing nor lanes change it.
using DropoutKey = std::uint32_t;

// The key of the token at `position` of a row whose own key is `row`.
DropoutKey dropout_key(std::uint64_t row, std::int64_t position);

// Pair `pair` of the layout drops column i of a token where
// dropout_hash((key ^ dropout_salt(pair)) + i) < dropout_bound(dropout).
std::uint32_t dropout_hash(std::uint32_t x);
std::uint32_t dropout_salt(std::size_t pair);
std::uint32_t dropout_bound(double dropout);

class AdapterPass {
 public:
  // layout must outlive the object. dropout: [0, 1).
  AdapterPass(const AdapterLayout& layout, double dropout, const Kernels& kernels);

  // Until the next call: the adapter's values, where its gradients are added to (null: forward
  // only), and the keys of the tokens (empty: no dropout). All must outlive the passes.
  void begin(const float* values, float* gradients, std::span<const DropoutKey> tokens);

  // y += scale * B A dropout(x) for every pair of this group. rows: the tokens that x holds, when
  // it does not hold all of them.
  void forward(const Linear& layer, const LinearForward& pass, std::span<const std::int64_t> rows);

  // Adds the gradients of A and B, and to pass.dx what comes by way of them.
  void backward(const Linear& layer, const LinearBackward& pass,
                std::span<const std::int64_t> rows);

 private:
  struct Group {
    std::int64_t weight;     // Linear::weight
    std::size_t first, end;  // of layout_.pairs
  };
  struct Input {
    const float* x;  // [rows, in], dropout applied
    float* low;      // [rows, rank]: scale * x A^T
  };

  std::span<const LowRankPair> pairs_of(const Linear& layer) const;
  Input low_rank_input(const LowRankPair& pair, long rows, const float* x,
                       std::span<const std::int64_t> kept);
  bool drops() const { return dropout_ > 0 && !tokens_.empty(); }
  // to[i] (+)= from[i] / (1 - dropout), or 0 where the element is dropped.
  void drop(const LowRankPair& pair, long rows, std::span<const std::int64_t> kept,
            const float* from, float* to, bool accumulate) const;

  const AdapterLayout& layout_;
  const double dropout_;
  const Kernels kernels_;
  std::vector<Group> groups_;  // rising by weight
  const float* values_ = nullptr;
  float* gradients_ = nullptr;
  std::span<const DropoutKey> tokens_;
  FloatBuffer dropped_;  // [rows, in]
  FloatBuffer low_;      // [rows, rank]
  FloatBuffer dlow_;     // [rows, rank]
  FloatBuffer dx_;       // [rows, in], with dropout
};

}  // namespace tapir::student
