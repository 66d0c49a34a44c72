#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strings.h"
#include "store/run_store.h"

namespace tapir::store {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown host";
}

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text.data();
}

// "process 123 on host h since 2026-01-01 12:00:00 UTC", as the holder wrote it.
std::string read_holder(int fd) {
  std::array<char, 512> text{};
  const ssize_t n = ::pread(fd, text.data(), text.size() - 1, 0);
  const std::string holder(
      trim(std::string_view(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0)));
  return holder.empty() ? "another process" : holder;
}

void write_holder(int fd) {
  const std::string holder = "process " + std::to_string(::getpid()) + " on host " + host_name() +
                             " since " + now_utc() + "\n";
  // The lock holds without this text; it is for the message to others only.
  if (::ftruncate(fd, 0) != 0) return;
  [[maybe_unused]] const ssize_t written = ::pwrite(fd, holder.data(), holder.size(), 0);
}

}  // namespace

RunLock::RunLock(const std::filesystem::path& run_dir) {
  const std::filesystem::path file = run_dir / "run.lock";
  fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) {
    throw Error(ErrorKind::data, "cannot open " + file.string() + ": " + std::strerror(errno),
                "check that the run folder exists and may be written to");
  }
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) {
    write_holder(fd_);
    return;
  }
  const int code = errno;
  const std::string holder = read_holder(fd_);
  ::close(fd_);
  if (code != EWOULDBLOCK) {
    throw Error(ErrorKind::data, "cannot lock " + file.string() + ": " + std::strerror(code),
                "use a run folder on a file system with locks");
  }
  throw Error(ErrorKind::usage, "the run folder " + run_dir.string() + " is in use by " + holder,
              "wait for that run or end it; `tapir status` may look at it meanwhile");
}

RunLock::~RunLock() {
  // The file stays: removing it would let two processes lock two files of one name.
  ::close(fd_);
}

}  // namespace tapir::store
