#include "student/initial_weights.h"

#include <algorithm>

#include "base/random.h"
#include "student/lanes.h"

namespace tapir::student {

std::vector<float> draw_initial_weights(const ModelConfig& config, const ParameterLayout& layout,
                                        std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(layout.size));
  parallel_for(static_cast<std::int64_t>(layout.parameters.size()), [&](std::int64_t i) {
    const Parameter& parameter = layout.parameters[static_cast<std::size_t>(i)];
    float* first = values.data() + parameter.offset;
    if (parameter.kind == ParameterKind::norm) std::fill_n(first, parameter.size, 1.0F);
    if (parameter.kind != ParameterKind::matrix) return;
    RandomStream random(seed, "new student", parameter.name);
    std::generate_n(first, parameter.size,
                    [&] { return static_cast<float>(config.initializer_range * random.normal()); });
  });
  return values;
}

}  // namespace tapir::student
