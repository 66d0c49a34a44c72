// A reader of GGUF files, written against the format's description and not against our writer.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tapir::testing {

struct GgufValue {
  std::variant<std::uint32_t, float, bool, std::string, std::vector<std::string>,
               std::vector<float>, std::vector<std::int32_t>>
      value;
};

struct GgufEntry {
  std::vector<std::uint64_t> extents;  // innermost first, as in the file
  std::uint32_t type = 0;
  std::uint64_t offset = 0;
};

class GgufFile {
 public:
  explicit GgufFile(std::string bytes) : bytes_(std::move(bytes)) {
    if (text(4) != "GGUF" || take<std::uint32_t>() != 3) throw std::runtime_error("no GGUF v3");
    const auto tensors = take<std::uint64_t>();
    const auto pairs = take<std::uint64_t>();
    for (std::uint64_t i = 0; i < pairs; ++i) {
      const std::string key = counted();
      if (!metadata_.emplace(key, value(take<std::uint32_t>())).second) {
        throw std::runtime_error("key twice: " + key);
      }
    }
    for (std::uint64_t i = 0; i < tensors; ++i) {
      const std::string name = counted();
      GgufEntry entry;
      entry.extents.resize(take<std::uint32_t>());
      for (std::uint64_t& extent : entry.extents) extent = take<std::uint64_t>();
      entry.type = take<std::uint32_t>();
      entry.offset = take<std::uint64_t>();
      if (entry.offset % 32 != 0) throw std::runtime_error(name + " is not aligned");
      tensors_.emplace(name, entry);
    }
    data_ = (at_ + 31) / 32 * 32;
  }

  template <typename T>
  const T& get(const std::string& key) const {
    return std::get<T>(metadata_.at(key).value);
  }
  bool has(const std::string& key) const { return metadata_.contains(key); }
  const std::map<std::string, GgufEntry>& tensors() const { return tensors_; }

  // Of an f32 or q8_0 tensor.
  std::vector<float> floats(const std::string& name) const {
    const GgufEntry& entry = tensors_.at(name);
    std::uint64_t count = 1;
    for (const std::uint64_t extent : entry.extents) count *= extent;
    const char* from = bytes_.data() + data_ + entry.offset;
    std::vector<float> values(count);
    if (entry.type == 0) {
      need(data_ + entry.offset + 4 * count);
      std::memcpy(values.data(), from, 4 * count);
      return values;
    }
    if (entry.type != 8) throw std::runtime_error("unexpected type");
    need(data_ + entry.offset + count / 32 * 34);
    for (std::uint64_t i = 0; i < count; ++i) {
      const char* block = from + i / 32 * 34;
      std::uint16_t scale = 0;
      std::memcpy(&scale, block, 2);
      values[i] = half(scale) * static_cast<float>(static_cast<std::int8_t>(block[2 + i % 32]));
    }
    return values;
  }

 private:
  static float half(std::uint16_t bits) {
    const int exponent = (bits >> 10) & 31;
    const int fraction = bits & 1023;
    const float size = exponent == 0
                           ? std::ldexp(static_cast<float>(fraction), -24)
                           : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
    return (bits & 0x8000) != 0 ? -size : size;
  }

  void need(std::uint64_t end) const {
    if (end > bytes_.size()) throw std::runtime_error("cut short");
  }
  std::string text(std::size_t size) {
    need(at_ + size);
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  std::string counted() { return text(take<std::uint64_t>()); }
  template <typename T>
  T take() {
    T value;
    std::memcpy(&value, text(sizeof(T)).data(), sizeof(T));
    return value;
  }
  template <typename T, typename Read>
  std::vector<T> list(std::uint64_t count, Read&& read) {
    std::vector<T> values;
    for (std::uint64_t i = 0; i < count; ++i) values.push_back(read());
    return values;
  }
  GgufValue array() {
    const auto type = take<std::uint32_t>();
    const auto count = take<std::uint64_t>();
    if (type == 8) return {list<std::string>(count, [&] { return counted(); })};
    if (type == 6) return {list<float>(count, [&] { return take<float>(); })};
    if (type == 5) return {list<std::int32_t>(count, [&] { return take<std::int32_t>(); })};
    throw std::runtime_error("unexpected array");
  }
  GgufValue value(std::uint32_t type) {
    switch (type) {
      case 4:
        return {take<std::uint32_t>()};
      case 6:
        return {take<float>()};
      case 7:
        return {take<std::uint8_t>() != 0};
      case 8:
        return {counted()};
      case 9:
        return array();
      default:
        throw std::runtime_error("unexpected type of value");
    }
  }

  std::string bytes_;
  std::size_t at_ = 0;
  std::size_t data_ = 0;
  std::map<std::string, GgufValue> metadata_;
  std::map<std::string, GgufEntry> tensors_;
};

}  // namespace tapir::testing
