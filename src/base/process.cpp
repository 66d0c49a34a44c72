#include "base/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strings.h"

namespace tapir {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kLook{20};
constexpr std::chrono::milliseconds kAfterKill{5'000};  // for the kernel to take a group away
constexpr std::streamoff kMostTail = 64 * 1024;

// Waits for the end of its standard input. A line more than the number of the group: all is well.
// $1 counts tenths of a second.
constexpr const char* kGuardScript = R"(trap '' INT TERM HUP
read -r group || exit 0
read -r word && exit 0
kill -TERM -"$group"
left=$1
while [ "$left" -gt 0 ] && kill -0 -"$group"; do sleep 0.1; left=$((left - 1)); done
kill -KILL -"$group"
)";

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name == nullptr ? "signal " + std::to_string(signal) : "SIG" + std::string(name);
}

[[noreturn]] void fail(const std::string& what, int error) {
  throw Error(ErrorKind::data, what + ": " + std::strerror(error));
}

// What posix_spawn needs. It starts a process without a copy of this one's page tables, which
// matters when gigabytes of weights are in them.
class Spawn {
 public:
  Spawn() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    sigset_t signals;
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    ::sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Spawn() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;

  void open(int fd, const std::string& path, int flags) {
    ::posix_spawn_file_actions_addopen(&actions_, fd, path.c_str(), flags, 0644);
  }
  void copy(int from, int to) { ::posix_spawn_file_actions_adddup2(&actions_, from, to); }
  void go_to(const std::string& folder) {
    ::posix_spawn_file_actions_addchdir_np(&actions_, folder.c_str());
  }
  // Of /bin/sh with these arguments. Error{data} naming `what`.
  pid_t shell(std::vector<std::string> arguments, std::vector<std::string> environment,
              const std::string& what) {
    // Not all libraries open their files with O_CLOEXEC.
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
    arguments.insert(arguments.begin(), "sh");
    pid_t pid = -1;
    const int error = ::posix_spawn(&pid, "/bin/sh", &actions_, &attributes_,
                                    pointers(arguments).data(), pointers(environment).data());
    if (error != 0) fail("cannot start " + what, error);
    return pid;
  }

 private:
  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    all.reserve(texts.size() + 1);
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
  }

  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

std::vector<std::string> environment_with(const std::map<std::string, std::string>& more) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!more.contains(std::string(text.substr(0, text.find('='))))) all.emplace_back(text);
  }
  for (const auto& [name, value] : more) all.push_back(name + "=" + value);
  return all;
}

// Here, so that the error can name it: a child only says that it could not start.
void prepare_log(const std::filesystem::path& log) {
  std::error_code error;
  if (log.has_parent_path()) std::filesystem::create_directories(log.parent_path(), error);
  const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) fail("cannot open the log " + log.string(), errno);
  ::close(fd);
}

// Whether a process of the group still runs. One that ended and waits for init to notice does not:
// in a container without an init it waits for ever.
bool group_runs(pid_t group) {
  if (::kill(-group, 0) != 0) return false;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    if (entry.path().filename().string().find_first_not_of("0123456789") != std::string::npos) {
      continue;
    }
    std::ifstream in(entry.path() / "stat");
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    const std::size_t name_end = text.rfind(')');  // a name may hold anything
    if (name_end == std::string::npos) continue;
    // state, parent, group
    const std::vector<std::string> fields = split_whitespace(text.substr(name_end + 1));
    if (fields.size() > 2 && fields[0] != "Z" && fields[2] == std::to_string(group)) return true;
  }
  return static_cast<bool>(error);  // without /proc, what kill() says
}

void say(int socket, const std::string& line) {
  // A guard that was killed is no reason for a signal here.
  [[maybe_unused]] const ssize_t sent = ::send(socket, line.data(), line.size(), MSG_NOSIGNAL);
}

}  // namespace

std::string ExitStatus::words() const {
  if (signal != 0) return "ended by " + signal_name(signal);
  std::string text = "exit status " + std::to_string(code);
  if (code == 126) text += " (the shell may not execute the program)";
  if (code == 127) text += " (the shell did not find the program)";
  if (code > 128 && ::sigabbrev_np(code - 128) != nullptr) {
    text += " (as by " + signal_name(code - 128) + ")";
  }
  return text;
}

ChildProcess::ChildProcess(ChildOptions options) : options_(std::move(options)) {
  if (!options_.working_dir.empty() && !std::filesystem::is_directory(options_.working_dir)) {
    throw Error(ErrorKind::data,
                "no folder to start a command in: " + options_.working_dir.string());
  }
  if (!options_.log.empty()) prepare_log(options_.log);
  start_guard();
  Spawn spawn;
  spawn.open(0, "/dev/null", O_RDONLY);
  const std::string log = options_.log.empty() ? "/dev/null" : options_.log.string();
  spawn.open(1, log, O_WRONLY | O_CREAT | O_APPEND);
  spawn.copy(1, 2);
  if (!options_.working_dir.empty()) spawn.go_to(options_.working_dir.string());
  try {
    pid_ = spawn.shell({"-c", options_.command}, environment_with(options_.environment),
                       options_.command);
  } catch (...) {
    dismiss_guard();
    throw;
  }
  say(guard_socket_, std::to_string(pid_) + "\n");
}

ChildProcess::~ChildProcess() { stop(); }

void ChildProcess::start_guard() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    fail("cannot make a socket pair", errno);
  }
  Spawn spawn;
  spawn.copy(ends[1], 0);
  spawn.open(1, "/dev/null", O_WRONLY);
  spawn.copy(1, 2);
  spawn.go_to("/");
  try {
    guard_ =
        spawn.shell({"-c", kGuardScript, "guard", std::to_string(options_.grace.count() / 100)},
                    environment_with({}), "a shell");
  } catch (...) {
    ::close(ends[0]);
    ::close(ends[1]);
    throw;
  }
  ::close(ends[1]);
  guard_socket_ = ends[0];
}

void ChildProcess::dismiss_guard() {
  if (guard_ < 0) return;
  say(guard_socket_, pid_ < 0 ? "0\ndone\n" : "done\n");
  ::close(guard_socket_);
  while (::waitpid(guard_, nullptr, 0) < 0 && errno == EINTR) {
  }
  guard_ = -1;
  guard_socket_ = -1;
}

std::optional<ExitStatus> ChildProcess::poll() {
  if (status_) return status_;
  siginfo_t info{};
  // Not reaped: its number, which is the group's, stays taken until stop().
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0) return {};
  if (info.si_pid == 0) return {};
  status_.emplace();
  (info.si_code == CLD_EXITED ? status_->code : status_->signal) = info.si_status;
  return status_;
}

std::optional<ExitStatus> ChildProcess::wait(const std::stop_token& stop_asked,
                                             const std::function<void()>& tick,
                                             std::chrono::milliseconds every) {
  std::mutex mutex;
  std::condition_variable_any changed;
  while (!poll()) {
    if (tick) tick();
    std::unique_lock lock(mutex);
    changed.wait_for(lock, stop_asked, every, [] { return false; });
    if (stop_asked.stop_requested()) return {};
  }
  stop();
  return status_;
}

void ChildProcess::reap() {
  if (reaped_ || !poll()) return;
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  reaped_ = true;
}

bool ChildProcess::group_ends_within(std::chrono::milliseconds time) {
  const auto end = Clock::now() + time;
  while (true) {
    reap();
    if (reaped_ && !group_runs(pid_)) return true;
    if (Clock::now() >= end) return false;
    std::this_thread::sleep_for(kLook);
  }
}

void ChildProcess::stop(std::chrono::milliseconds grace) {
  if (stopped_) return;
  stopped_ = true;
  ::kill(-pid_, SIGTERM);
  if (!group_ends_within(grace)) {
    ::kill(-pid_, SIGKILL);
    group_ends_within(kAfterKill);
  }
  dismiss_guard();
}

std::string last_lines(const std::filesystem::path& file, std::size_t lines) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in || lines == 0) return {};
  const std::streamoff size = in.tellg();
  const std::streamoff from = std::max<std::streamoff>(0, size - kMostTail);
  std::string text(static_cast<std::size_t>(size - from), '\0');
  in.seekg(from);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  std::vector<std::string> all;
  for (std::string& line : split(text, '\n')) {
    while (line.ends_with('\r')) line.pop_back();
    line.erase(0, line.rfind('\r') + 1);  // npos + 1 is 0
    if (!trim(line).empty()) all.push_back(valid_utf8(line));
  }
  if (all.size() > lines) all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(lines));
  return join(all, "\n");
}

int free_loopback_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("cannot make a socket", errno);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  const bool bound = ::bind(fd, any, size) == 0 && ::getsockname(fd, any, &size) == 0;
  const int error = errno;
  ::close(fd);
  if (!bound) fail("no port of 127.0.0.1 is free", error);
  return ntohs(address.sin_port);
}

}  // namespace tapir
