// The bytes of an event file. tests/goldens/lora/check_saved.py reads one with TensorBoard itself.
#include "student/tensorboard.h"

#include <cstring>

#include <gtest/gtest.h>

#include "base/file.h"
#include "test_data.h"

namespace tapir::student {
namespace {

using Path = std::filesystem::path;

std::vector<Path> files_of(const Path& folder) {
  std::vector<Path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(entry.path());
  return files;
}

// The records of a TFRecord file; fails on a wrong length or checksum.
std::vector<std::string> records_of(const std::string& bytes) {
  const auto number = [&](std::size_t at) {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof(value));
    return value;
  };
  const auto masked = [](std::string_view part) {
    const std::uint32_t crc = crc32c(part);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
  };
  std::vector<std::string> records;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t length = number(at);
    EXPECT_EQ(number(at + 8), masked(std::string_view(bytes).substr(at, 8)));
    records.push_back(bytes.substr(at + 12, length));
    EXPECT_EQ(number(at + 12 + length), masked(records.back()));
    at += 16 + length;
  }
  return records;
}

TEST(TensorBoard, ChecksumsAreCastagnolis) {
  // RFC 3720, appendix B.4.
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43U);
}

TEST(TensorBoard, AFileHoldsVersionStartAndScalars) {
  const testing::TemporaryFolder folder;
  EventFile events(folder.path() / "runs", 0);
  events.append(1, {{"train/loss", 2.5}, {"eval/loss", 3}});
  const std::vector<Path> files = files_of(folder.path() / "runs");
  ASSERT_EQ(files.size(), 1U);
  EXPECT_TRUE(files[0].filename().string().starts_with("events.out.tfevents."));
  const std::vector<std::string> records = records_of(read_file(files[0]));
  ASSERT_EQ(records.size(), 3U);
  EXPECT_TRUE(
      records[0].ends_with("\x1a\x0d"
                           "brain.Event:2"));
  // wall_time, then step 1 (field 2), then summary (field 5) with two values.
  const std::string scalars = records[2].substr(9);
  EXPECT_EQ(scalars.substr(0, 3), std::string("\x10\x01\x2a"));
  EXPECT_NE(scalars.find("train/loss\x15" + std::string("\0\0\x20\x40", 4)), std::string::npos);
  EXPECT_NE(scalars.find("eval/loss\x15" + std::string("\0\0\x40\x40", 4)), std::string::npos);
}

TEST(TensorBoard, GoingOnAddsAFileAndStartingAnewRemovesThem) {
  const testing::TemporaryFolder folder;
  { EventFile first(folder.path(), 0); }
  { EventFile second(folder.path(), 7); }
  EXPECT_EQ(files_of(folder.path()).size(), 2U);
  EventFile anew(folder.path(), 0);
  EXPECT_EQ(files_of(folder.path()).size(), 1U);
}

}  // namespace
}  // namespace tapir::student
