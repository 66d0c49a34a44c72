#include "student/rotary.h"

#include <cmath>
#include <numbers>

namespace tapir::student {
namespace {

// Llama 3.1: long waves are stretched by the factor, short ones kept, those between blended.
float scale_llama3(float frequency, const RopeScaling& scaling) {
  const auto factor = static_cast<float>(scaling.factor);
  const auto old_length = static_cast<float>(scaling.original_max_position_embeddings);
  const auto low = static_cast<float>(scaling.low_freq_factor);
  const auto high = static_cast<float>(scaling.high_freq_factor);
  const float wave = 2.0F * std::numbers::pi_v<float> / frequency;
  if (wave > old_length / low) return frequency / factor;
  if (wave < old_length / high) return frequency;
  const float smooth = (old_length / wave - low) / (high - low);
  return (1.0F - smooth) * frequency / factor + smooth * frequency;
}

}  // namespace

std::vector<float> rotary_frequencies(const ModelConfig& config) {
  std::vector<float> frequencies;
  for (int i = 0; i < config.head_dim / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(config.head_dim);
    float frequency = 1.0F / static_cast<float>(std::pow(config.rope_theta, exponent));
    switch (config.rope_scaling.type) {
      case RopeType::standard:
        break;
      case RopeType::linear:
        frequency /= static_cast<float>(config.rope_scaling.factor);
        break;
      case RopeType::llama3:
        frequency = scale_llama3(frequency, config.rope_scaling);
        break;
    }
    frequencies.push_back(frequency);
  }
  return frequencies;
}

void RotaryTable::extend(std::int64_t positions) {
  const auto known = static_cast<std::int64_t>(cosines_.size() / frequencies_.size());
  for (std::int64_t position = known; position < positions; ++position) {
    for (const float frequency : frequencies_) {
      const float angle = static_cast<float>(position) * frequency;
      cosines_.push_back(static_cast<float>(std::cos(static_cast<double>(angle))));
      sines_.push_back(static_cast<float>(std::sin(static_cast<double>(angle))));
    }
  }
}

}  // namespace tapir::student
