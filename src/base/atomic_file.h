// Files that are written in pieces, and are there whole or not at all.
#pragma once

#include <filesystem>
#include <string_view>

namespace tapir {

// A file that is written piece by piece, and so is never in memory as a whole; put in place like
// write_file() (base/file.h) does. Without finish() nothing is left. Error{data} as there.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  void finish();  // flushes and puts the file in place; no write() after it

 private:
  std::filesystem::path path_;
  std::filesystem::path aside_;
  int fd_ = -1;
};

}  // namespace tapir
