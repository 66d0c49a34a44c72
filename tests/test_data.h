// Where tests find real data and room to write.
#pragma once

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

namespace tapir::testing {

// $TAPIR_TEST_DATA, by default ../shared/data from the repository's root.
inline std::filesystem::path test_data() {
  if (const char* from_environment = std::getenv("TAPIR_TEST_DATA")) return from_environment;
  return std::filesystem::path(TAPIR_SOURCE_DIR).parent_path() / "shared" / "data";
}

// What other programs computed, committed with the scripts that asked them.
inline std::filesystem::path goldens() {
  return std::filesystem::path(TAPIR_SOURCE_DIR) / "tests" / "goldens";
}

// A fresh folder that goes away with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tapir-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace tapir::testing

// Skips the test, with the reason, when that file or folder of the test data is not there.
#define TAPIR_NEEDS_TEST_DATA(relative)                                     \
  if (!std::filesystem::exists(::tapir::testing::test_data() / (relative))) \
  GTEST_SKIP() << "no test data at " << (::tapir::testing::test_data() / (relative))
