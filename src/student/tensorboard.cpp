#include "student/tensorboard.h"

#include <array>
#include <bit>
#include <chrono>

#include "base/error.h"

namespace tapir::student {
namespace {

using Path = std::filesystem::path;

constexpr std::string_view kFileName = "events.out.tfevents.";

std::array<std::uint32_t, 256> crc_table() {
  constexpr std::uint32_t kCastagnoli = 0x82F63B78U;  // reflected
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) * kCastagnoli);
    table[i] = value;
  }
  return table;
}

// As TFRecord stores it, so that a checksum of data that holds checksums is still a good one.
std::uint32_t masked_crc(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xA282EAD8U;
}

template <typename T>
std::string little_endian(T value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(T); ++i, value >>= 8) {
    bytes += static_cast<char>(value & 0xFF);
  }
  return bytes;
}

// Protocol buffers, as far as an Event needs them.
std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7F) | 0x80);
  return bytes += static_cast<char>(value);
}
enum WireType : std::uint64_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };
std::string key(std::uint64_t field, WireType type) { return varint(field << 3 | type); }
std::string number_field(std::uint64_t field, std::int64_t value) {
  return key(field, kVarint) + varint(static_cast<std::uint64_t>(value));
}
std::string double_field(std::uint64_t field, double value) {
  return key(field, kFixed64) + little_endian(std::bit_cast<std::uint64_t>(value));
}
std::string float_field(std::uint64_t field, float value) {
  return key(field, kFixed32) + little_endian(std::bit_cast<std::uint32_t>(value));
}
std::string bytes_field(std::uint64_t field, std::string_view bytes) {
  std::string text = key(field, kLength) + varint(bytes.size());
  return text += bytes;
}

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Event: wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7.
std::string event(std::int64_t step, const std::string& content) {
  return double_field(1, wall_time()) + number_field(2, step) + content;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static const std::array<std::uint32_t, 256> table = crc_table();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char byte : bytes) {
    crc = (crc >> 8) ^ table[(crc ^ static_cast<std::uint8_t>(byte)) & 0xFF];
  }
  return ~crc;
}

EventFile::EventFile(const Path& folder, std::int64_t step) {
  std::filesystem::create_directories(folder);
  std::vector<Path> old;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with(kFileName)) old.push_back(entry.path());
  }
  if (step == 0) {
    for (const Path& path : old) std::filesystem::remove(path);
  }
  // TensorBoard reads the files of a folder in the order of their names.
  const auto seconds = static_cast<std::int64_t>(wall_time());
  do {
    path_ = folder / (std::string(kFileName) + std::to_string(seconds) + "." +
                      std::to_string(old.size()) + ".tapir");
    old.push_back(path_);
  } while (std::filesystem::exists(path_));
  out_.open(path_, std::ios::binary | std::ios::trunc);
  write(double_field(1, wall_time()) + bytes_field(3, "brain.Event:2"));
  constexpr std::int64_t kStart = 1;  // SessionLog: status = 1; START: purge steps from here on
  write(event(step + 1, bytes_field(7, number_field(1, kStart))));
}

void EventFile::append(std::int64_t step, const std::vector<Scalar>& scalars) {
  std::string summary;  // Summary: repeated value = 1 {tag = 1, simple_value = 2}
  for (const Scalar& scalar : scalars) {
    summary += bytes_field(
        1, bytes_field(1, scalar.tag) + float_field(2, static_cast<float>(scalar.value)));
  }
  write(event(step, bytes_field(5, summary)));
}

void EventFile::write(std::string_view event_bytes) {
  const std::string length = little_endian(static_cast<std::uint64_t>(event_bytes.size()));
  out_ << length << little_endian(masked_crc(length)) << event_bytes
       << little_endian(masked_crc(event_bytes));
  out_.flush();
  if (out_) return;
  throw Error(ErrorKind::data, "cannot write " + path_.string(),
              "check that the disk has room and the folder may be written to");
}

}  // namespace tapir::student
