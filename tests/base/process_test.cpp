#include "base/process.h"

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/strings.h"
#include "error_of.h"

namespace tapir {
namespace {

using std::chrono::milliseconds;
using testing::complaint_of;

class Process : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("process_" + std::to_string(::getpid()) + "_" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  ChildOptions options(const std::string& command) const {
    ChildOptions made;
    made.command = command;
    made.log = log();
    made.working_dir = folder_;
    return made;
  }
  std::filesystem::path log() const { return folder_ / "logs" / "child.log"; }
  // What stands in a file, once there is a line of it.
  std::string line_of(const std::string& name) const {
    for (int i = 0; i < 500; ++i) {
      if (const std::string text = last_lines(folder_ / name, 1); !text.empty()) return text;
      std::this_thread::sleep_for(milliseconds(10));
    }
    ADD_FAILURE() << "nothing was written to " << name;
    return "0";
  }
  std::filesystem::path folder_;
};

// A process that ended and was not reaped by its new parent is no more.
bool runs(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto at = text.rfind(") ");
  return at != std::string::npos && text[at + 2] != 'Z';
}

bool ends_within(pid_t pid, milliseconds time) {
  for (auto left = time; left.count() > 0; left -= milliseconds(10)) {
    if (!runs(pid)) return true;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return !runs(pid);
}

ExitStatus run_to_end(ChildOptions options) {
  ChildProcess child(std::move(options));
  return child.wait({}, {}, milliseconds(5)).value();
}

TEST_F(Process, TellsHowItEnded) {
  EXPECT_TRUE(run_to_end(options("true")).ok());
  EXPECT_EQ(run_to_end(options("exit 3")).words(), "exit status 3");
  const ExitStatus killed = run_to_end(options("kill -KILL $$"));
  EXPECT_EQ(killed.signal, SIGKILL);
  EXPECT_EQ(killed.words(), "ended by SIGKILL");
  EXPECT_FALSE(killed.ok());
  EXPECT_EQ(run_to_end(options("sh -c 'kill -TERM $$'; exit $?")).words(),
            "exit status 143 (as by SIGTERM)");
  EXPECT_EQ(run_to_end(options("no-such-program-here")).words(),
            "exit status 127 (the shell did not find the program)");
}

TEST_F(Process, KeepsTheLogOfBothStreams) {
  run_to_end(options("echo out; echo err >&2"));
  run_to_end(options("echo again"));
  EXPECT_EQ(read_file(log()), "out\nerr\nagain\n");
}

TEST_F(Process, HasItsEnvironmentFolderAndNoInput) {
  ChildOptions made = options("echo \"$A $B\"; pwd; cat; echo end");
  ::setenv("B", "old", 1);
  made.environment = {{"A", "one two"}, {"B", "new"}};
  run_to_end(made);
  EXPECT_EQ(read_file(log()),
            "one two new\n" + std::filesystem::canonical(folder_).string() + "\nend\n");
}

TEST_F(Process, InheritsNoOpenFile) {
  const int fd = ::dup2(STDERR_FILENO, 77);  // without O_CLOEXEC
  ASSERT_EQ(fd, 77);
  run_to_end(options("test -e /proc/self/fd/77 && echo inherited || echo closed"));
  ::close(fd);
  EXPECT_EQ(read_file(log()), "closed\n");
}

TEST_F(Process, IsPolledAndStopped) {
  ChildProcess child(options("exec sleep 60"));
  EXPECT_FALSE(child.poll());
  EXPECT_TRUE(runs(child.pid()));
  child.stop();
  ASSERT_TRUE(child.poll());
  EXPECT_EQ(child.poll()->signal, SIGTERM);
  EXPECT_FALSE(runs(child.pid()));
  child.stop();
}

TEST_F(Process, IsKilledWhenItIgnoresTheWish) {
  ChildProcess child(options("trap '' TERM; echo ready >f; while true; do sleep 0.05; done"));
  EXPECT_EQ(line_of("f"), "ready");
  child.stop(milliseconds(100));
  EXPECT_EQ(child.poll()->signal, SIGKILL);
}

TEST_F(Process, ItsChildrenEndWithIt) {
  pid_t grandchild = 0;
  {
    ChildProcess child(options("sleep 60 & echo $! >f; wait"));
    grandchild = std::stoi(line_of("f"));
    EXPECT_TRUE(runs(grandchild));
  }
  EXPECT_TRUE(ends_within(grandchild, milliseconds(2000)));
}

// A launcher that dies must not leave its workers.
TEST_F(Process, ItsChildrenEndWhenItEndsAlone) {
  ChildProcess child(options("sleep 60 & echo $! >f; exit 4"));
  EXPECT_EQ(child.wait({}, {}, milliseconds(5))->code, 4);
  EXPECT_TRUE(ends_within(std::stoi(line_of("f")), milliseconds(2000)));
}

TEST_F(Process, StubbornGrandchildrenAreKilled) {
  ChildOptions made =
      options("(trap '' TERM; sh -c 'echo $PPID' >f; while true; do sleep 0.05; done) & wait");
  made.grace = milliseconds(100);
  pid_t grandchild = 0;
  {
    ChildProcess child(made);
    grandchild = std::stoi(line_of("f"));
  }
  EXPECT_TRUE(ends_within(grandchild, milliseconds(2000)));
}

// kill -9 of the parent: no destructor runs.
TEST_F(Process, EndsWithAParentThatIsKilled) {
  const pid_t parent = ::fork();
  if (parent == 0) {
    ChildOptions made = options("sleep 60 & echo $! >f; echo $$ >g; wait");
    const ChildProcess child(made);
    while (true) ::pause();
  }
  const pid_t grandchild = std::stoi(line_of("f"));
  const pid_t child = std::stoi(line_of("g"));
  EXPECT_TRUE(runs(child));
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  EXPECT_TRUE(ends_within(child, milliseconds(5000)));
  EXPECT_TRUE(ends_within(grandchild, milliseconds(5000)));
}

TEST_F(Process, OutlivesTheThreadThatStartedIt) {
  std::unique_ptr<ChildProcess> child;
  std::thread([&] { child = std::make_unique<ChildProcess>(options("exec sleep 60")); }).join();
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_FALSE(child->poll());
}

TEST_F(Process, WaitsUntilStopAndTicks) {
  std::stop_source stop;
  int ticks = 0;
  ChildProcess child(options("exec sleep 60"));
  const auto tick = [&] {
    if (++ticks == 3) stop.request_stop();
  };
  EXPECT_FALSE(child.wait(stop.get_token(), tick, milliseconds(1)));
  EXPECT_EQ(ticks, 3);
  EXPECT_TRUE(runs(child.pid()));
}

TEST_F(Process, SaysWhatItCannotStart) {
  ChildOptions nowhere = options("true");
  nowhere.working_dir = folder_ / "missing";
  EXPECT_NE(complaint_of(ErrorKind::data, [&] { ChildProcess child(nowhere); }).find("missing"),
            std::string::npos);
  ChildOptions no_log = options("true");
  no_log.log = folder_;
  EXPECT_NE(complaint_of(ErrorKind::data, [&] { ChildProcess child(no_log); }).find("log"),
            std::string::npos);
}

TEST_F(Process, LastLinesOfALog) {
  EXPECT_EQ(last_lines(folder_ / "missing", 3), "");
  const auto file = folder_ / "log";
  write_file(file, "one\ntwo\r\n 10%\r 90%\rdone\n\nbad \xff end");
  EXPECT_EQ(last_lines(file, 3), "two\ndone\nbad \xEF\xBF\xBD end");
  EXPECT_EQ(last_lines(file, 0), "");
  write_file(file, std::string(200'000, 'x') + "\nlast\n");
  EXPECT_EQ(last_lines(file, 1), "last");
  EXPECT_LE(last_lines(file, 9).size(), 64U * 1024);
}

TEST(FreePort, CanBeListenedOn) {
  const int port = free_loopback_port();
  ASSERT_GT(port, 1023);
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ::close(fd);
}

}  // namespace
}  // namespace tapir
