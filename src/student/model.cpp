#include "student/model.h"

namespace tapir::student {

std::shared_ptr<const Model> load_model(const std::filesystem::path& folder) {
  auto model = std::make_shared<Model>();
  model->config = read_config(folder);
  model->layout = make_layout(model->config);
  read_parameters(model->layout, model->config, folder, model->values.reserve(model->layout.size));
  return model;
}

}  // namespace tapir::student
