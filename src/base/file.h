// Files: whole reads, atomic writes, memory maps, lines with their numbers.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace tapir {

// The whole file; a file that ends in .gz is decompressed. Error{data} with the path.
std::string read_file(const std::filesystem::path& path);
// As read_file; `-` is all of standard input.
std::string read_input(const std::filesystem::path& path);

// Write aside, fsync, rename, fsync the folder: after a crash the old or the new content is there,
// never a part. Error{data} names the path and the system's reason (a full disk, a read-only
// folder).
void write_file(const std::filesystem::path& path, std::string_view bytes);

// Flush a finished file, or a folder's entries, to the disk.
void sync_path(const std::filesystem::path& path);

// Moves a finished folder (all files already synced) into place and syncs the parent. An older one
// there is replaced.
void publish_folder(const std::filesystem::path& finished, const std::filesystem::path& place);

// Calls line(text, number) for every line, number from 1, without the line end. `-` is standard
// input; .gz is decompressed. Blank lines are passed too.
void for_each_line(const std::filesystem::path& path,
                   const std::function<void(std::string_view text, std::size_t number)>& line);

// Read-only memory map. Movable; the bytes live as long as the object.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace tapir
