// AdamW over the flat parameter array, with the gradients of several lanes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "student/collective.h"
#include "student/kernels.h"
#include "student/lanes.h"
#include "student/parameters.h"
#include "student/student.h"

namespace tapir::student {

// AdamW's two moments, laid out as ParameterLayout says: as floats, or as bfloat16.
struct Moments {
  std::vector<float> m;
  std::vector<float> v;
  std::vector<std::uint16_t> m_bf16;
  std::vector<std::uint16_t> v_bf16;

  bool is_bf16() const { return !m_bf16.empty(); }
  bool empty() const { return m.empty() && m_bf16.empty(); }
  // Zeros. dtype: TrainOptions::optim_state_dtype.
  void clear(std::int64_t size, std::string_view dtype);
};

// What is learnt and the optimizer's moments.
struct TrainingState {
  std::vector<float> parameters;
  Moments moments;
  std::int64_t optimizer_steps =
      0;  // steps the moments have seen, over all trainings they were carried through
};

// What a gradient of this norm is multiplied with, as by torch.nn.utils.clip_grad_norm_. max_norm
// 0: nothing is clipped.
double clip_factor(double norm, double max_norm);

class Optimizer {
 public:
  // Weight decay leaves the norms alone, as transformers' Trainer does.
  Optimizer(const ParameterLayout& layout, const TrainOptions& options);
  // Of a part of the parameters: state.moments hold that part only; gradients and parameters are
  // whole, what is outside of the part is not touched.
  Optimizer(const ParameterLayout& layout, const TrainOptions& options, const Shard& part);

  // Sums the lanes' gradients in lane order into the first and returns the norm of that sum. The
  // result does not depend on the number of threads.
  double reduce(std::vector<std::vector<float>>& gradients, LanePool& pool) const;
  // Of the gradient's elements that are this optimizer's.
  double sum_of_squares(const std::vector<float>& gradient, LanePool& pool) const;

  // One step with the summed gradient, clipped to max_grad_norm. Moments in bfloat16 are rounded up
  // or down with odds that keep their mean, by a hash of (seed, step, element).
  void apply(const std::vector<float>& gradient, double norm, double learning_rate,
             TrainingState& state, LanePool& pool) const;

 private:
  struct Piece {  // of one parameter, short enough to share out
    std::int64_t first;
    std::int64_t size;
    bool decays;
  };

  struct Scratch {  // one per lane: moments of a piece as floats
    std::vector<float> m, v;
  };

  void for_each_piece(LanePool& pool,
                      const std::function<void(std::size_t piece, std::size_t lane)>& work) const;
  void apply_piece(const Piece& piece, AdamW work, TrainingState& state, Scratch& scratch) const;

  TrainOptions options_;
  const Kernels& kernels_;
  const std::int64_t first_;  // where the moments begin
  std::vector<Piece> pieces_;
};

}  // namespace tapir::student
