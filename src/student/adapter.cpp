#include "student/adapter.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/strings.h"
#include "student/half.h"
#include "student/kernels.h"

namespace tapir::student {
namespace {

constexpr std::string_view kWeight = ".weight";
constexpr std::string_view kFilePrefix = "base_model.model.";

// As PEFT: the whole name, or the end of it after a dot.
bool matches(const std::string& module, const std::string& target) {
  return module == target || module.ends_with("." + target);
}

// The linear layers of the decoder's layers, by their names in the file; ranks are still 0.
std::vector<LowRankPair> linear_layers(const ParameterLayout& base) {
  std::vector<LowRankPair> found;
  for (const LayerOffsets& layer : base.layers) {
    for (const Linear& group :
         {layer.qkv_proj, layer.o_proj, layer.gate_up_proj, layer.down_proj}) {
      const std::int64_t end = group.weight + std::int64_t{group.out} * group.in;
      for (const Parameter& parameter : base.parameters) {
        if (parameter.offset < group.weight || parameter.offset >= end) continue;
        LowRankPair pair;
        pair.module = parameter.name.substr(0, parameter.name.size() - kWeight.size());
        pair.group = group.weight;
        pair.column = (parameter.offset - group.weight) / group.in;
        pair.in = parameter.shape[1];
        pair.out = parameter.shape[0];
        pair.weight = parameter.offset;
        found.push_back(std::move(pair));
      }
    }
  }
  return found;
}

void check_targets(const std::vector<LowRankPair>& layers, const AdapterConfig& config) {
  std::set<std::string> known;
  for (const LowRankPair& layer : layers) known.insert(target_name(layer.module));
  std::vector<std::string> unknown;
  for (const std::string& name : config.target_modules) {
    const bool found = std::any_of(layers.begin(), layers.end(), [&](const LowRankPair& layer) {
      return matches(layer.module, name);
    });
    if (!found) unknown.push_back(name);
  }
  if (unknown.empty()) return;
  throw Error(
      ErrorKind::usage, "lora_target: the student has no linear layer " + join(unknown, ", "),
      "choose of " + join(std::vector<std::string>(known.begin(), known.end()), ", ") + ", or all");
}

bool wanted(const LowRankPair& layer, const AdapterConfig& config) {
  const auto& names = config.target_modules;
  return names.empty() || std::any_of(names.begin(), names.end(), [&](const std::string& name) {
           return matches(layer.module, name);
         });
}

std::int64_t add_matrix(ParameterLayout& values, std::string name, std::int64_t rows,
                        std::int64_t columns) {
  const std::int64_t offset = values.size;
  values.parameters.push_back({std::move(name), {rows, columns}, offset, rows * columns});
  values.size += rows * columns;
  return offset;
}

}  // namespace

std::string target_name(const std::string& module) {
  return module.substr(module.find_last_of('.') + 1);
}

double AdapterConfig::scale(std::int64_t rank) const {
  const auto width = static_cast<double>(rank);
  return lora_alpha / (use_rslora ? std::sqrt(width) : width);
}

AdapterLayout make_adapter_layout(const ParameterLayout& base, const AdapterConfig& config) {
  const std::vector<LowRankPair> layers = linear_layers(base);
  check_targets(layers, config);
  AdapterLayout layout;
  for (LowRankPair pair : layers) {
    if (!wanted(pair, config)) continue;
    pair.rank = config.r;
    pair.scale = static_cast<float>(config.scale(pair.rank));
    const std::string prefix = std::string(kFilePrefix) + pair.module;
    pair.a = add_matrix(layout.values, prefix + ".lora_A.weight", pair.rank, pair.in);
    pair.b = add_matrix(layout.values, prefix + ".lora_B.weight", pair.out, pair.rank);
    layout.pairs.push_back(std::move(pair));
  }
  return layout;
}

void initialise_adapter(const AdapterLayout& layout, std::uint64_t seed, float* values) {
  for (const LowRankPair& pair : layout.pairs) {
    // kaiming_uniform_ with a = sqrt(5).
    RandomStream random(seed, "lora", pair.module);
    const double bound = 1 / std::sqrt(static_cast<double>(pair.in));
    for (std::int64_t i = 0; i < pair.rank * pair.in; ++i) {
      values[pair.a + i] = static_cast<float>((2 * random.uniform() - 1) * bound);
    }
    std::fill_n(values + pair.b, pair.out * pair.rank, 0.0F);
  }
}

void merge_adapter(const AdapterLayout& layout, const float* values, float* base) {
  std::vector<float> scaled;
  for (const LowRankPair& pair : layout.pairs) {
    scaled.assign(values + pair.b, values + pair.b + pair.out * pair.rank);
    for (float& value : scaled) value *= pair.scale;
    kernels().multiply({pair.out, pair.in, pair.rank, scaled.data(), pair.rank, 1, values + pair.a,
                        pair.in, 1, base + pair.weight, pair.in,
                        /*accumulate=*/true});
  }
}

std::string base_digest(const ParameterLayout& base, const float* values) {
  constexpr std::int64_t kSamples = 32;
  std::string text;
  for (const Parameter& parameter : base.parameters) {
    text += parameter.name;
    for (const std::int64_t extent : parameter.shape) text += " " + std::to_string(extent);
    const std::int64_t step = std::max<std::int64_t>(1, parameter.size / kSamples);
    for (std::int64_t i = 0; i < parameter.size; i += step) {
      text += " " + std::to_string(float_to_bfloat(values[parameter.offset + i]));
    }
    text += '\n';
  }
  return sha256_hex(text);
}

}  // namespace tapir::student
