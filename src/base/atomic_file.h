// Files that are written in pieces, and are there whole or not at all.
#pragma once

#include <filesystem>
#include <string_view>

namespace tapir {

// A file that is written piece by piece, and so is never in memory as a whole; put in place like
// write_file() (base/file.h) does. Without finish() nothing is left. Error{data} as there.
class AtomicFile {
 public:
  // later: of a folder that publish_folder() flushes as a whole.
  enum class Flush { now, later };
  explicit AtomicFile(const std::filesystem::path& path, Flush flush = Flush::now);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  void finish();  // puts the file in place; no write() after it

 private:
  std::filesystem::path path_;
  std::filesystem::path aside_;
  Flush flush_;
  int fd_ = -1;
};

}  // namespace tapir
