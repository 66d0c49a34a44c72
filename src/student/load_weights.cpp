#include "student/load_weights.h"

#include "student/model.h"

namespace tapir::student {

std::shared_ptr<const DecodeWeights> load_decode_weights(const std::filesystem::path& folder) {
  const auto model = load_model(folder);
  return std::make_shared<DecodeWeights>(model->config, model->layout, model->parameters());
}

}  // namespace tapir::student
