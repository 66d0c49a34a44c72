#include "student/merge.h"

#include "base/error.h"
#include "base/file.h"
#include "student/student_folder.h"
#include "student/trained_weights.h"

namespace tapir::student {

void merge_student(const std::filesystem::path& folder, const std::filesystem::path& output,
                   const std::string& save_dtype) {
  if (!find_student(folder).is_adapter()) {
    throw Error(ErrorKind::usage,
                folder.string() + ": is no adapter: adapter_config.json is not there",
                "tapir merge takes the output folder of a LoRA training");
  }
  check_output_folder(output);
  TrainJob job;  // that learns all weights, begun from the adapter
  job.model_dir = folder;
  job.options.save_dtype = save_dtype;
  TrainedWeights weights(job);
  std::vector<float> values;
  weights.read(values);
  write_folder(output, [&](const std::filesystem::path& aside) {
    weights.write(aside, values, weights.saved_type());
  });
}

}  // namespace tapir::student
