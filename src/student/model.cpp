#include "student/model.h"

#include "student/adapter_file.h"

namespace tapir::student {

std::shared_ptr<const Model> load_model(const std::filesystem::path& folder) {
  auto model = std::make_shared<Model>();
  const StudentFolder places = find_student(folder);
  model->config = read_config(places.base);
  model->layout = make_layout(model->config);
  float* values = model->values.reserve(model->layout.size);
  read_parameters(model->layout, model->config, places.base, values);
  if (places.is_adapter()) {
    const Adapter adapter = read_adapter(places.adapter, model->layout, values);
    merge_adapter(adapter.layout, adapter.values.data(), values);
  }
  return model;
}

}  // namespace tapir::student
