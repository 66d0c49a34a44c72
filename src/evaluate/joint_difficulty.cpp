// Newton's method block by block on a convex objective: each model's two terms, then each
// instruction's one, until nothing moves.
#include <algorithm>
#include <cmath>

#include "evaluate/alpaca_score.h"

namespace tapir::evaluate {
namespace {

constexpr int kMaxSweeps = 2000;
constexpr double kDone = 1e-10;       // largest move of a sweep
constexpr double kModelRidge = 1e-6;  // keeps a model that always wins finite
constexpr double kLongestStep = 2;    // damps the first steps

struct ModelTerms {
  double level = 0;
  double length = 0;
};

class JointFit {
 public:
  JointFit(std::span<const JointRow> rows, std::size_t models, std::size_t instructions,
           double ridge)
      : ridge_(ridge),
        models_(models),
        difficulty_(instructions, 0),
        of_model_(models),
        of_instruction_(instructions) {
    for (const JointRow& row : rows) {
      of_model_[row.model].push_back(row);
      of_instruction_[row.instruction].push_back(row);
    }
  }

  std::vector<double> solve() {
    for (int sweep = 0; sweep < kMaxSweeps; ++sweep) {
      double moved = 0;
      for (std::size_t m = 0; m < models_.size(); ++m) moved = std::max(moved, step_model(m));
      for (std::size_t i = 0; i < difficulty_.size(); ++i)
        moved = std::max(moved, step_instruction(i));
      centre();
      if (moved < kDone) break;
    }
    return difficulty_;
  }

 private:
  // P(model wins) of a row, as things stand.
  double chance(const JointRow& row) const {
    const ModelTerms& model = models_[row.model];
    return stats::sigmoid(model.level + model.length * std::tanh(row.std_delta_length) +
                          difficulty_[row.instruction]);
  }

  double step_model(std::size_t m) {
    ModelTerms& terms = models_[m];
    double g0 = kModelRidge * terms.level, g1 = kModelRidge * terms.length;
    double h00 = kModelRidge, h01 = 0, h11 = kModelRidge;
    for (const JointRow& row : of_model_[m]) {
      const double q = chance(row);
      const double x = std::tanh(row.std_delta_length);
      const double curvature = q * (1 - q);
      g0 += q - row.share;
      g1 += (q - row.share) * x;
      h00 += curvature;
      h01 += curvature * x;
      h11 += curvature * x * x;
    }
    const double determinant = h00 * h11 - h01 * h01;
    const double d0 = limited(-(h11 * g0 - h01 * g1) / determinant);
    const double d1 = limited(-(h00 * g1 - h01 * g0) / determinant);
    terms.level += d0;
    terms.length += d1;
    return std::max(std::abs(d0), std::abs(d1));
  }

  double step_instruction(std::size_t i) {
    double gradient = ridge_ * difficulty_[i];
    double curvature = ridge_;
    for (const JointRow& row : of_instruction_[i]) {
      const double q = chance(row);
      gradient += q - row.share;
      curvature += q * (1 - q);
    }
    const double step = limited(-gradient / curvature);
    difficulty_[i] += step;
    return std::abs(step);
  }

  // The models' levels take over what all instructions have in common, which lowers the penalty.
  void centre() {
    double sum = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < difficulty_.size(); ++i) {
      if (of_instruction_[i].empty()) continue;
      sum += difficulty_[i];
      ++count;
    }
    if (count == 0) return;
    const double mean = sum / static_cast<double>(count);
    for (std::size_t i = 0; i < difficulty_.size(); ++i) {
      if (!of_instruction_[i].empty()) difficulty_[i] -= mean;
    }
    for (ModelTerms& terms : models_) terms.level += mean;
  }

  static double limited(double step) { return std::clamp(step, -kLongestStep, kLongestStep); }

  double ridge_;
  std::vector<ModelTerms> models_;
  std::vector<double> difficulty_;
  std::vector<std::vector<JointRow>> of_model_;
  std::vector<std::vector<JointRow>> of_instruction_;
};

}  // namespace

std::vector<double> joint_difficulty(std::span<const JointRow> rows, std::size_t models,
                                     std::size_t instructions, double ridge) {
  return JointFit(rows, models, instructions, ridge).solve();
}

}  // namespace tapir::evaluate
