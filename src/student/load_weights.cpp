#include "student/load_weights.h"

#include <algorithm>

#include "base/error.h"
#include "student/adapter_file.h"
#include "student/model.h"
#include "student/parameters.h"
#include "student/torch_rows.h"

namespace tapir::student {
namespace {

WeightType weight_type(DataType type) {
  switch (type) {
    case DataType::bf16:
      return WeightType::bf16;
    case DataType::f16:
      return WeightType::f16;
    default:
      check(type == DataType::f32, "StoredParameters holds F32, F16 and BF16 only");
      return WeightType::f32;
  }
}

}  // namespace

std::shared_ptr<const DecodeWeights> load_decode_weights(const std::filesystem::path& folder,
                                                         bool bf16) {
  if (find_student(folder).is_adapter()) {  // merged into its base, as floats
    const auto model = load_model(folder);
    const ParameterSource source = [&](const Parameter& parameter) {
      return StoredValues{WeightType::f32, model->parameters() + parameter.offset};
    };
    return std::make_shared<DecodeWeights>(model->config, model->layout, source, kernels(), bf16);
  }
  const ModelConfig config = read_config(folder);
  const ParameterLayout layout = make_layout(config);
  const StoredParameters stored(layout, config, folder);
  // The files' pages are given back parameter by parameter, so that no second copy builds up.
  const Parameter* last = nullptr;
  const ParameterSource source = [&](const Parameter& parameter) {
    if (last != nullptr) stored.let_go(*last);
    last = &parameter;
    const TensorView& view = stored.view(parameter);
    return StoredValues{weight_type(view.type), view.bytes.data()};
  };
  return std::make_shared<DecodeWeights>(config, layout, source, kernels(), bf16);
}

std::shared_ptr<const DecodeEngine> load_decode_engine(const std::filesystem::path& folder,
                                                       const Device& device) {
  if (device.own_kernels()) return make_cpu_decode_engine(load_decode_weights(folder, device.bf16));
  if (find_student(folder).is_adapter()) {
    const auto model = load_model(folder);
    const auto copy = [&](const Parameter& parameter, float* out) {
      std::copy_n(model->parameters() + parameter.offset, parameter.size, out);
    };
    return make_torch_decode_engine(model->config, copy, device);
  }
  const ModelConfig config = read_config(folder);
  const StoredParameters stored(make_layout(config), config, folder);
  const auto read = [&](const Parameter& parameter, float* out) {
    stored.read(parameter, out);
    stored.let_go(parameter);
  };
  return make_torch_decode_engine(config, read, device);
}

}  // namespace tapir::student
