// The GGUF format, version 3: metadata and tensors in one file, as llama.cpp maps it. The format is
// described in the ggml project (docs/gguf.md); numbers and names here are its own. No torch here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tapir::student {

// How a tensor's values are stored; the numbers are ggml's.
enum class GgufType : std::uint32_t { f32 = 0, f16 = 1, q8_0 = 8, bf16 = 30 };

// Values of a q8_0 block; rows of a q8_0 tensor are a multiple of it long.
constexpr std::int64_t kQ8BlockSize = 32;

// Bytes of a row of `width` values.
std::int64_t row_bytes(GgufType type, std::int64_t width);

// Appends the values in their stored form: rounded to nearest even (f16, bf16), or in blocks of a
// half-precision scale and 32 signed bytes (q8_0, as ggml's reference quantizer). Error{data} for a
// value that f16 cannot hold.
void encode_row(GgufType type, std::span<const float> values, std::string& out);

// Key-value pairs in the order in which they are added. Keys are unique.
class GgufMetadata {
 public:
  void add(std::string_view key, std::uint32_t value);
  void add(std::string_view key, float value);
  void add(std::string_view key, bool value);
  void add(std::string_view key, std::string_view value);
  void add(std::string_view key, const char* value) { add(key, std::string_view(value)); }
  void add(std::string_view key, const std::vector<std::string>& values);
  void add(std::string_view key, const std::vector<float>& values);
  void add(std::string_view key, const std::vector<std::int32_t>& values);

  std::uint64_t size() const { return count_; }
  const std::string& bytes() const { return bytes_; }

 private:
  void begin(std::string_view key, std::uint32_t type);
  void begin_array(std::string_view key, std::uint32_t type, std::size_t size);

  std::string bytes_;
  std::vector<std::string> keys_;
  std::uint64_t count_ = 0;
};

struct GgufTensor {
  std::string name;                 // as llama.cpp calls it: "blk.0.attn_q.weight"
  std::vector<std::int64_t> shape;  // outermost first, [out, in]; the file has them reversed
  GgufType type = GgufType::f32;
  // Writes `count` rows from `first` on into `out`. A row is the innermost dimension.
  std::function<void(std::int64_t first, std::int64_t count, float* out)> read_rows;

  std::int64_t width() const { return shape.back(); }
  std::int64_t rows() const;
};

// Writes the file piece by piece: a few megabytes in memory, whatever the size of the model; in
// place whole or not at all. Returns the bytes written. Error{data} with the tensor's name.
std::int64_t write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata,
                        const std::vector<GgufTensor>& tensors);

}  // namespace tapir::student
