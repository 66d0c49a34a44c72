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

// The same without any flush: a file of a folder that publish_folder() flushes as a whole.
void write_aside(const std::filesystem::path& path, std::string_view bytes);

// Flush a finished file, or a folder's entries, to the disk.
void sync_path(const std::filesystem::path& path);

// `path` with more behind its last name: out.work for out and ".work", and for out/ too.
std::filesystem::path beside(const std::filesystem::path& path, std::string_view suffix);

// Flushes all files of a finished folder, moves it into place and flushes the parent. An older one
// there is replaced. A slash at the end of `place` says nothing.
void publish_folder(const std::filesystem::path& finished, const std::filesystem::path& place);

// `write` fills an empty folder beside `place` (with write_aside() and the like), which is then
// published; nothing is left of it when `write` throws.
void write_folder(const std::filesystem::path& place,
                  const std::function<void(const std::filesystem::path& aside)>& write);

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
