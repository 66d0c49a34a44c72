// The safetensors format: named tensors in one file. 8 bytes length of the header (little-endian),
// the header (JSON: name -> dtype, shape, data_offsets), then the bytes of the tensors. No torch
// here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace tapir::student {

enum class DataType { f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8, boolean };
std::string_view to_string(DataType type);  // as in the header: "F32", "BF16", ...
std::size_t size_of(DataType type);         // bytes of one element

struct TensorView {
  DataType type = DataType::f32;
  std::vector<std::int64_t> shape;  // empty: a scalar
  std::string_view bytes;           // row-major, little-endian; need not be aligned
  std::int64_t elements() const;
};

// A file, mapped. Views live as long as the object. Thread-safe after construction.
class SafetensorsFile {
 public:
  // Error{data} naming the file and what is wrong: a file that is cut short, a header longer than
  // the file, tensors that overlap, leave gaps or reach beyond the end, a size that contradicts
  // dtype and shape, a name used twice.
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  MappedFile file_;
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

struct NamedTensor {
  std::string name;
  TensorView view;
  // The type in the file; none: the view's. Another one for a view of F32 only, F16 or BF16,
  // rounded to nearest.
  std::optional<DataType> stored_as = std::nullopt;
};

// The bytes of a file with these tensors: the same tensors and metadata give the same bytes (sorted
// by name, header padded to 8 bytes).
std::string safetensors_bytes(std::vector<NamedTensor> tensors,
                              const std::map<std::string, std::string>& metadata = {});

// Writes that file piece by piece, whole or not at all; not flushed, as it is one of a folder that
// publish_folder() flushes.
void write_safetensors(const std::filesystem::path& path, std::vector<NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {});

// F32, F16 and BF16 become float; another dtype: Error{data} with `where`.
void to_floats(const TensorView& tensor, float* out, std::string_view where);

}  // namespace tapir::student
