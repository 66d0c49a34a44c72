#include "student/gguf_writer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/atomic_file.h"
#include "base/error.h"
#include "student/half.h"

namespace tapir::student {
namespace {

static_assert(std::endian::native == std::endian::little,
              "values are written as they lie in memory");

constexpr std::uint32_t kVersion = 3;
constexpr std::int64_t kAlignment = 32;         // the format's default
constexpr std::int64_t kPieceValues = 1 << 20;  // converted at a time

// Types of metadata values.
constexpr std::uint32_t kUint32 = 4;
constexpr std::uint32_t kInt32 = 5;
constexpr std::uint32_t kFloat32 = 6;
constexpr std::uint32_t kBool = 7;
constexpr std::uint32_t kString = 8;
constexpr std::uint32_t kArray = 9;

template <typename T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void append_string(std::string& out, std::string_view text) {
  append(out, static_cast<std::uint64_t>(text.size()));
  out += text;
}

std::int64_t padding(std::int64_t size) { return (kAlignment - size % kAlignment) % kAlignment; }

void encode_q8_block(const float* values, std::string& out) {
  float largest = 0;
  for (std::int64_t i = 0; i < kQ8BlockSize; ++i) largest = std::max(largest, std::fabs(values[i]));
  const float scale = largest / 127.0F;
  const float inverse = scale != 0 ? 1.0F / scale : 0.0F;
  append(out, float_to_half(scale));
  for (std::int64_t i = 0; i < kQ8BlockSize; ++i) {
    append(out, static_cast<std::int8_t>(std::lround(values[i] * inverse)));
  }
}

void check_finite(std::uint16_t half, float value) {
  if ((half & 0x7c00) != 0x7c00) return;
  throw Error(ErrorKind::data, "the value " + std::to_string(value) + " does not fit into f16",
              "choose --outtype bf16 or f32");
}

std::string header(const GgufMetadata& metadata, const std::vector<GgufTensor>& tensors) {
  std::string out = "GGUF";
  append(out, kVersion);
  append(out, static_cast<std::uint64_t>(tensors.size()));
  append(out, metadata.size());
  out += metadata.bytes();
  std::int64_t offset = 0;
  for (const GgufTensor& tensor : tensors) {
    append_string(out, tensor.name);
    append(out, static_cast<std::uint32_t>(tensor.shape.size()));
    for (auto extent = tensor.shape.rbegin(); extent != tensor.shape.rend(); ++extent) {
      append(out, static_cast<std::uint64_t>(*extent));
    }
    append(out, static_cast<std::uint32_t>(tensor.type));
    append(out, static_cast<std::uint64_t>(offset));
    const std::int64_t size = tensor.rows() * row_bytes(tensor.type, tensor.width());
    offset += size + padding(size);
  }
  out.append(static_cast<std::size_t>(padding(static_cast<std::int64_t>(out.size()))), '\0');
  return out;
}

// Returns the bytes written.
std::int64_t write_tensor(const GgufTensor& tensor, AtomicFile& file) {
  const std::int64_t width = tensor.width();
  const std::int64_t piece = std::max<std::int64_t>(1, kPieceValues / width);
  std::vector<float> values(static_cast<std::size_t>(std::min(piece, tensor.rows()) * width));
  std::string bytes;
  std::int64_t written = 0;
  for (std::int64_t first = 0; first < tensor.rows(); first += piece) {
    const std::int64_t count = std::min(piece, tensor.rows() - first);
    const std::span<float> rows = std::span(values).first(static_cast<std::size_t>(count * width));
    tensor.read_rows(first, count, rows.data());
    if (!std::all_of(rows.begin(), rows.end(), [](float value) { return std::isfinite(value); })) {
      throw Error(ErrorKind::data, "holds a value that is not a finite number",
                  "the training that made it has diverged");
    }
    bytes.clear();
    encode_row(tensor.type, rows, bytes);
    file.write(bytes);
    written += static_cast<std::int64_t>(bytes.size());
  }
  file.write(std::string(static_cast<std::size_t>(padding(written)), '\0'));
  return written + padding(written);
}

}  // namespace

std::int64_t row_bytes(GgufType type, std::int64_t width) {
  switch (type) {
    case GgufType::f32:
      return 4 * width;
    case GgufType::f16:
    case GgufType::bf16:
      return 2 * width;
    case GgufType::q8_0:
      return width / kQ8BlockSize * (2 + kQ8BlockSize);
  }
  throw Error(ErrorKind::bug, "row_bytes: unknown type");
}

void encode_row(GgufType type, std::span<const float> values, std::string& out) {
  switch (type) {
    case GgufType::f32:
      out.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
      return;
    case GgufType::f16:
      for (const float value : values) {
        const std::uint16_t half = float_to_half(value);
        check_finite(half, value);
        append(out, half);
      }
      return;
    case GgufType::bf16:
      for (const float value : values) append(out, float_to_bfloat(value));
      return;
    case GgufType::q8_0:
      check(values.size() % kQ8BlockSize == 0, "encode_row: q8_0 comes in blocks of 32");
      for (std::size_t i = 0; i < values.size(); i += kQ8BlockSize) {
        encode_q8_block(values.data() + i, out);
      }
      return;
  }
}

void GgufMetadata::begin(std::string_view key, std::uint32_t type) {
  check(std::find(keys_.begin(), keys_.end(), key) == keys_.end(), "GGUF keys are unique");
  keys_.emplace_back(key);
  ++count_;
  append_string(bytes_, key);
  append(bytes_, type);
}

void GgufMetadata::begin_array(std::string_view key, std::uint32_t type, std::size_t size) {
  begin(key, kArray);
  append(bytes_, type);
  append(bytes_, static_cast<std::uint64_t>(size));
}

void GgufMetadata::add(std::string_view key, std::uint32_t value) {
  begin(key, kUint32);
  append(bytes_, value);
}

void GgufMetadata::add(std::string_view key, float value) {
  begin(key, kFloat32);
  append(bytes_, value);
}

void GgufMetadata::add(std::string_view key, bool value) {
  begin(key, kBool);
  append(bytes_, static_cast<std::uint8_t>(value));
}

void GgufMetadata::add(std::string_view key, std::string_view value) {
  begin(key, kString);
  append_string(bytes_, value);
}

void GgufMetadata::add(std::string_view key, const std::vector<std::string>& values) {
  begin_array(key, kString, values.size());
  for (const std::string& value : values) append_string(bytes_, value);
}

void GgufMetadata::add(std::string_view key, const std::vector<float>& values) {
  begin_array(key, kFloat32, values.size());
  for (const float value : values) append(bytes_, value);
}

void GgufMetadata::add(std::string_view key, const std::vector<std::int32_t>& values) {
  begin_array(key, kInt32, values.size());
  for (const std::int32_t value : values) append(bytes_, value);
}

std::int64_t GgufTensor::rows() const {
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows;
}

std::int64_t write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata,
                        const std::vector<GgufTensor>& tensors) {
  AtomicFile file(path);
  const std::string head = header(metadata, tensors);
  file.write(head);
  auto written = static_cast<std::int64_t>(head.size());
  for (const GgufTensor& tensor : tensors) {
    try {
      written += write_tensor(tensor, file);
    } catch (const Error& e) {
      throw Error(e.kind(), "tensor \"" + tensor.name + "\": " + e.what(), e.hint());
    }
  }
  file.finish();
  return written;
}

}  // namespace tapir::student
