// Programs of others, run beside this one: servers over a student, training jobs.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace tapir {

// How a process ended.
struct ExitStatus {
  int code = 0;    // when it exited
  int signal = 0;  // when a signal ended it, else 0
  bool ok() const { return code == 0 && signal == 0; }
  // "exit status 3", "ended by SIGKILL"; what shells mean by 126, 127 and above 128 is said too.
  std::string words() const;
};

struct ChildOptions {
  std::string command;                // for /bin/sh -c
  std::filesystem::path working_dir;  // empty: this process's
  // Over this process's environment.
  std::map<std::string, std::string> environment;
  // Standard output and error are appended to it; its folder is made. Empty: nowhere.
  std::filesystem::path log;
  // Between SIGTERM and SIGKILL, when nobody says otherwise.
  std::chrono::milliseconds grace{10'000};
};

// A command line in a process group of its own, so that what it starts ends with it and a Ctrl-C at
// the terminal reaches this process only. Standard input is empty; no open file of this process is
// inherited. Owns the group: the destructor stops it. Not thread-safe; several of them may be used
// on several threads.
//
// When this process ends without a destructor (kill -9, out of memory), the group is stopped too:
// a small shell, in a group of its own, waits at a socket that this process holds open. Unlike
// PR_SET_PDEATHSIG this covers all of the group, and the thread that started it may end. Not
// covered: a child that leaves the group (setsid, a daemon), what a launcher started elsewhere
// (slurm, kubectl), and the instant between the start of the child and the first word to the shell.
class ChildProcess {
 public:
  // Error{data} when the log cannot be opened, the working directory is not there, or the system
  // starts no process. A program that is not found is no error here: the shell exits with 127.
  explicit ChildProcess(ChildOptions options);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Of the shell, which is the program itself where the command is a simple one; also the group's.
  pid_t pid() const { return pid_; }
  // How the child ended; nothing: it runs. What it started may run on, until stop().
  std::optional<ExitStatus> poll();
  // Until it ends: then the rest of its group is stopped, and its status comes back. Or until
  // `stop`: then nothing comes back and the child runs on. `tick` is called every so often.
  std::optional<ExitStatus> wait(const std::stop_token& stop,
                                 const std::function<void()>& tick = {},
                                 std::chrono::milliseconds every = std::chrono::milliseconds(200));
  // SIGTERM to the group, and SIGKILL to what is left of it after `grace`. Again: does nothing.
  void stop(std::chrono::milliseconds grace);
  void stop() { stop(options_.grace); }

 private:
  void start_guard();
  void dismiss_guard();
  void reap();
  bool group_ends_within(std::chrono::milliseconds time);

  ChildOptions options_;
  pid_t pid_ = -1;
  pid_t guard_ = -1;
  int guard_socket_ = -1;
  bool stopped_ = false;
  bool reaped_ = false;  // until then the number of the group cannot be another's
  std::optional<ExitStatus> status_;
};

// The last lines of a log, without progress that was written over (\r) and as valid UTF-8; empty
// when there is no such file or nothing in it. Reads no more than 64 KiB.
std::string last_lines(const std::filesystem::path& file, std::size_t lines);

// A port of 127.0.0.1 that nobody listens on now; another may take it before it is used.
// Error{data} when there is none.
int free_loopback_port();

}  // namespace tapir
