// Event files as TensorBoard reads them: TFRecords of Event messages with scalars. No torch here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace tapir::student {

struct Scalar {
  std::string_view tag;  // "train/loss"
  double value = 0;
};

// CRC-32C (Castagnoli).
std::uint32_t crc32c(std::string_view bytes);

// One file in a folder, flushed after every step. A training that goes on begins another file:
// TensorBoard then forgets what older files hold of later steps.
class EventFile {
 public:
  // The first step that will be written is after `step`. With step 0 older event files in the
  // folder are removed. Error{data} when the folder cannot be written to.
  EventFile(const std::filesystem::path& folder, std::int64_t step);
  void append(std::int64_t step, const std::vector<Scalar>& scalars);

 private:
  void write(std::string_view event);

  std::filesystem::path path_;
  std::ofstream out_;
};

}  // namespace tapir::student
