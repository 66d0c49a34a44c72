// What was acknowledged is there: after SIGKILL, on a full disk.
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/random.h"
#include "store/sqlite.h"
#include "store_fixture.h"

namespace tapir::store {
namespace {

namespace fs = std::filesystem;

class DurabilityTest : public StoreTest {
 protected:
  void expect_sound() const {
    EXPECT_EQ(Connection(file(), SQLITE_OPEN_READWRITE).text("PRAGMA integrity_check"), "ok");
  }
};

std::string text_of(std::uint32_t id) {
  return std::string(200 + id % 1500, static_cast<char>('a' + id % 26));
}

// Writes replies and rows until it is killed; tells the id of every reply once it is durable.
int write_forever(const fs::path& file, int acknowledged) {
  const auto store = RunStore::open(file, OpenMode::create);
  const std::int64_t known = store->usage().empty() ? 0 : store->usage().at(0).replies;
  for (auto id = static_cast<std::uint32_t>(known);; ++id) {
    while (store->reply(std::to_string(id))) ++id;
    store->put_response("s", {std::to_string(id), "data", text_of(id), FinishReason::stop, 1, ""});
    store->put_reply_then(ok_reply(std::to_string(id), text_of(id)), [acknowledged, id] {
      if (::write(acknowledged, &id, sizeof id) != sizeof id) ::_exit(1);
    });
    if (id % 512 == 0) store->flush();  // put_reply_then is not bounded by the queue
  }
}

// Kills the child after it has acknowledged `enough` and some microseconds more; returns what it
// acknowledged.
std::set<std::uint32_t> write_and_kill(const fs::path& file, std::size_t enough,
                                       std::uint64_t microseconds) {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) throw std::runtime_error("pipe");
  const pid_t child = start_child([&] { return write_forever(file, pipe[1]); });
  ::close(pipe[1]);
  std::set<std::uint32_t> acknowledged;
  std::uint32_t id = 0;
  bool killed = false;
  while (::read(pipe[0], &id, sizeof id) == sizeof id) {
    acknowledged.insert(id);
    if (acknowledged.size() < enough || killed) continue;
    std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
    ::kill(child, SIGKILL);
    killed = true;
  }
  ::close(pipe[0]);
  EXPECT_EQ(exit_code_of(child), -SIGKILL);
  return acknowledged;
}

TEST_F(DurabilityTest, EveryAcknowledgedReplyOutlivesSigkill) {
  RandomStream draws(1, "kill");
  std::set<std::uint32_t> acknowledged;
  for (int round = 0; round < 8; ++round) {
    acknowledged.merge(write_and_kill(file(), draws.below(300) + 1, draws.below(6000)));
    expect_sound();
    const auto store = open(OpenMode::read_write);
    for (const std::uint32_t id : acknowledged) {
      const auto reply = store->reply(std::to_string(id));
      ASSERT_TRUE(reply) << id;
      ASSERT_EQ(reply->text, text_of(id));
      ASSERT_EQ(reply->sends, 1);
      // Writes are durable in order: the row before the reply is there too.
      ASSERT_EQ(store->responses_of(std::to_string(id)).size(), 1U) << id;
    }
  }
}

// Writes until the store refuses; returns how many replies were acknowledged. Every done must be
// called.
int fill(RunStore& store, int limit) {
  std::atomic<int> durable{0};
  std::atomic<int> called{0};
  int put = 0;
  try {
    for (; put < limit; ++put) {
      store.put_reply_then(ok_reply(std::to_string(put), std::string(1500, 'x')), [&] {
        ++called;
        try {
          store.throw_if_failed();
          ++durable;
        } catch (const Error&) {
        }
      });
      if (put % 16 == 0) store.flush();
    }
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::data || e.hint().find("disk is full") == std::string::npos) throw;
  }
  const auto refuses = [&](const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& e) {
      return e.kind() == ErrorKind::data;
    }
    return false;
  };
  if (!refuses([&] { store.set_meta("a", "b"); }) || !refuses([&] { store.usage(); })) return -1;
  while (called < put) std::this_thread::yield();
  return durable;
}

TEST_F(DurabilityTest, AFileThatMayNotGrowIsLikeAFullDisk) {
  open()->set_meta("before", "yes");
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = start_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1 << 20, 1 << 20};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    const auto store = open();
    const int durable = fill(*store, 20'000);
    return ::write(pipe[1], &durable, sizeof durable) == sizeof durable ? 0 : 2;
  });
  ASSERT_EQ(exit_code_of(child), 0);
  int durable = 0;
  ASSERT_EQ(::read(pipe[0], &durable, sizeof durable), static_cast<ssize_t>(sizeof durable));
  ::close(pipe[0]);
  ::close(pipe[1]);
  EXPECT_GT(durable, 50);
  EXPECT_LT(durable, 20'000);
  expect_sound();
  const auto store = open(OpenMode::read_write);
  EXPECT_EQ(store->meta("before"), "yes");
  EXPECT_EQ(store->usage().at(0).replies, durable);
  store->put_reply(ok_reply("after"));
  EXPECT_TRUE(store->reply("after"));
}

// On a file system of 2 MB of its own, where the system lets us have one (as root).
TEST_F(DurabilityTest, AFullDiskThatGetsRoomAgain) {
  constexpr int kNotAllowed = 77;
  const pid_t child = start_child([&] {
    const fs::path disk = folder_.path() / "disk";
    fs::create_directory(disk);
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m") != 0) {
      return kNotAllowed;
    }
    std::ofstream(disk / "ballast") << std::string(1 << 20, 'x');
    const int durable = fill(*RunStore::open(disk / "run.db", OpenMode::create), 20'000);
    if (durable < 10 || durable == 20'000) return 1;
    fs::remove(disk / "ballast");
    const auto store = RunStore::open(disk / "run.db", OpenMode::read_write);
    if (store->usage().at(0).replies != durable) return 2;
    store->put_reply(ok_reply("after"));
    return store->reply("after") ? 0 : 3;
  });
  const int code = exit_code_of(child);
  if (code == kNotAllowed) GTEST_SKIP() << "no right to mount a file system";
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace tapir::store
