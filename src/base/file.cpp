#include "base/file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/atomic_file.h"
#include "base/error.h"

namespace tapir {
namespace {

[[noreturn]] void fail(const std::string& what, const std::filesystem::path& path,
                       int code = errno) {
  const std::string reason = std::strerror(code);
  std::string hint;
  if (code == ENOSPC) hint = "the disk is full: free some space and run the same command again";
  if (code == EROFS || code == EACCES) hint = "check that the folder may be written to";
  throw Error(ErrorKind::data, what + " " + path.string() + ": " + reason, hint);
}

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags, mode_t mode = 0644)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string read_gzip(const std::filesystem::path& path) {
  const std::unique_ptr<gzFile_s, decltype(&gzclose)> in(gzopen(path.c_str(), "rb"), &gzclose);
  if (!in) fail("cannot read", path);
  std::string out;
  std::string block(1 << 18, '\0');
  int n = 0;
  while ((n = gzread(in.get(), block.data(), static_cast<unsigned>(block.size()))) > 0) {
    out.append(block.data(), static_cast<std::size_t>(n));
  }
  if (n < 0) {
    int code = 0;
    const char* reason = gzerror(in.get(), &code);
    throw Error(ErrorKind::data, "cannot decompress " + path.string() + ": " + reason,
                "the file may be cut short; fetch it again");
  }
  return out;
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) fail("cannot read", path, EISDIR);
  if (path.extension() == ".gz") return read_gzip(path);
  std::ifstream in(path, std::ios::binary);
  if (!in) fail("cannot read", path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string read_input(const std::filesystem::path& path) {
  if (path == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  return read_file(path);
}

void sync_path(const std::filesystem::path& path) {
  const Descriptor file(path, O_RDONLY);
  if (file.get() < 0 || ::fsync(file.get()) != 0) fail("cannot flush", path);
}

AtomicFile::AtomicFile(const std::filesystem::path& path, Flush flush)
    : path_(path), aside_(path), flush_(flush) {
  aside_ += ".tmp" + std::to_string(::getpid());
  fd_ = ::open(aside_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) fail("cannot write", path_);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(aside_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot write", path_);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void AtomicFile::finish() {
  const bool now = flush_ == Flush::now;
  if (now && ::fsync(fd_) != 0) fail("cannot flush", path_);
  if (::rename(aside_.c_str(), path_.c_str()) != 0) fail("cannot put in place", path_);
  ::close(std::exchange(fd_, -1));
  if (now) sync_path(path_.has_parent_path() ? path_.parent_path() : std::filesystem::path("."));
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.finish();
}

void write_aside(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path, AtomicFile::Flush::later);
  file.write(bytes);
  file.finish();
}

std::filesystem::path beside(const std::filesystem::path& path, std::string_view suffix) {
  std::filesystem::path other = path.has_filename() ? path : path.parent_path();
  other += suffix;
  return other;
}

void publish_folder(const std::filesystem::path& finished, const std::filesystem::path& to) {
  const std::filesystem::path place = beside(to, "");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(finished))
    sync_path(entry.path());
  sync_path(finished);
  const std::filesystem::path old = beside(place, ".old");
  std::error_code ignored;
  std::filesystem::remove_all(old, ignored);
  if (std::filesystem::exists(place)) std::filesystem::rename(place, old);
  if (::rename(finished.c_str(), place.c_str()) != 0) fail("cannot put in place", place);
  sync_path(place.has_parent_path() ? place.parent_path() : std::filesystem::path("."));
  std::filesystem::remove_all(old, ignored);
}

void write_folder(const std::filesystem::path& place,
                  const std::function<void(const std::filesystem::path&)>& write) {
  const std::filesystem::path aside = beside(place, ".new");
  std::filesystem::remove_all(aside);
  std::filesystem::create_directories(aside);
  try {
    write(aside);
    publish_folder(aside, place);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove_all(aside, ignored);
    throw;
  }
}

void for_each_line(const std::filesystem::path& path,
                   const std::function<void(std::string_view, std::size_t)>& line) {
  const std::string content = read_input(path);
  std::string_view rest = content;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    std::string_view text = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (text.ends_with('\r')) text.remove_suffix(1);
    line(text, number);
  }
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Descriptor file(path, O_RDONLY);
  struct stat info {};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0) fail("cannot read", path);
  if (S_ISDIR(info.st_mode)) fail("cannot read", path, EISDIR);
  size_ = static_cast<std::size_t>(info.st_size);
  if (size_ == 0) return;
  void* map = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (map == MAP_FAILED) fail("cannot map", path);
  data_ = static_cast<const char*>(map);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace tapir
