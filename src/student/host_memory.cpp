#include "student/host_memory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

namespace tapir::student {
namespace {

using Path = std::filesystem::path;

constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();

// The number in a file; kNone when there is none ("max").
std::int64_t number_in(const Path& file) {
  std::ifstream in(file);
  std::int64_t number = 0;
  return in >> number && number > 0 ? number : kNone;
}

// The caps of a control group and of all above it.
std::int64_t cap_of_group(const Path& root, const std::string& group, const char* file) {
  std::int64_t cap = number_in(root / file);
  for (Path path = Path(group).relative_path(); !path.empty(); path = path.parent_path()) {
    cap = std::min(cap, number_in(root / path / file));
  }
  return cap;
}

// /proc/self/cgroup: "<number>:<controllers>:<path>"; version 2 has no controllers.
std::int64_t cgroup_cap() {
  std::int64_t cap = kNone;
  std::ifstream in("/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      cap = std::min(cap, cap_of_group("/sys/fs/cgroup", group, "memory.max"));
    } else if (controllers == "memory") {
      cap = std::min(cap, cap_of_group("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
    }
  }
  return cap;
}

std::int64_t address_space_cap() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kNone;
  std::ifstream in("/proc/self/statm");
  std::int64_t mapped = 0;
  std::int64_t resident = 0;
  in >> mapped >> resident;
  const std::int64_t unused = (mapped - resident) * ::sysconf(_SC_PAGESIZE);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(limit.rlim_cur) - unused);
}

std::int64_t machine_memory() {
  const std::int64_t pages = ::sysconf(_SC_PHYS_PAGES);
  return pages > 0 ? pages * ::sysconf(_SC_PAGESIZE) : kNone;
}

}  // namespace

std::int64_t resident_memory() {
  std::ifstream in("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  in >> total >> resident;
  return in ? resident * ::sysconf(_SC_PAGESIZE) : 0;
}

std::int64_t peak_resident_memory() {
  rusage usage{};
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? std::int64_t{usage.ru_maxrss} * 1024 : 0;
}

std::int64_t memory_cap() {
  const std::int64_t cap = std::min({cgroup_cap(), address_space_cap(), machine_memory()});
  return cap == kNone ? 0 : cap;
}

}  // namespace tapir::student
