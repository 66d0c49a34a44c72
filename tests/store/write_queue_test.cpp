// The writer thread: order, grouping, failures.
#include "store/write_queue.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "store_fixture.h"

namespace tapir::store {
namespace {

class WriteQueueTest : public StoreTest {
 protected:
  std::unique_ptr<Connection> connection() const {
    auto db = std::make_unique<Connection>(file(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    db->execute("PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS t (n INTEGER UNIQUE)");
    return db;
  }
  static std::function<void(Connection&)> insert(int n) {
    return [n](Connection& db) { db.run("INSERT INTO t VALUES (?)", n); };
  }
  std::int64_t count() const {
    return Connection(file(), SQLITE_OPEN_READONLY).integer("SELECT count(*) FROM t");
  }
};

TEST_F(WriteQueueTest, ManyThreadsThroughASmallQueue) {
  {
    WriteQueue queue(connection(), {.capacity = 4, .enough = 2});
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < 100; ++i) queue.put({insert(thread * 1000 + i)});
        queue.flush();
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(count(), 400);
    queue.put({insert(-1)});
  }
  EXPECT_EQ(count(), 401);  // the end made the last one durable
}

TEST_F(WriteQueueTest, AFailureIsKeptAndEveryDoneIsCalled) {
  std::atomic<int> done{0};
  {
    WriteQueue queue(connection(), {.patience = std::chrono::milliseconds(50)});
    queue.put({insert(1)});
    queue.flush();
    queue.put({insert(2), [&] { ++done; }});
    queue.put({insert(1), [&] { ++done; }});  // breaks UNIQUE: its whole commit is rolled back
    queue.put({insert(3), [&] { ++done; }});
    EXPECT_EQ(error_of([&] { queue.flush(); }).kind(), ErrorKind::bug);
    EXPECT_THROW(queue.put({insert(4)}), Error);
    EXPECT_THROW(queue.throw_if_failed(), Error);
  }
  EXPECT_EQ(done, 3);
  EXPECT_EQ(count(), 1);
}

TEST_F(WriteQueueTest, AnExceptionOfADoneIsKept) {
  std::atomic<int> done{0};
  WriteQueue queue(connection(), {.patience = std::chrono::milliseconds(50)});
  queue.put({insert(1), [] { throw Error(ErrorKind::bug, "from done"); }});
  queue.put({insert(2), [&] { ++done; }});
  while (done == 0) std::this_thread::yield();
  EXPECT_EQ(count(), 2);
  const auto failed = [&] {
    try {
      queue.throw_if_failed();
    } catch (const Error& e) {
      return std::string(e.what()).find("from done") != std::string::npos;
    }
    return false;
  };
  while (!failed()) std::this_thread::yield();
  EXPECT_THROW(queue.flush(), Error);
}

TEST_F(WriteQueueTest, ADoneMayPutButNotFlush) {
  std::atomic<bool> refused{false};
  std::atomic<int> done{0};
  WriteQueue queue(connection(), {.capacity = 1});
  queue.put({insert(1), [&] {
               for (int i = 10; i < 20; ++i) queue.put({insert(i), [&] { ++done; }});
               try {
                 queue.flush();
               } catch (const Error&) {
                 refused = true;
               }
             }});
  while (done < 10) std::this_thread::yield();
  EXPECT_TRUE(refused);
  EXPECT_EQ(count(), 11);
}

TEST_F(WriteQueueTest, AWriteAloneIsOutsideOfATransaction) {
  std::atomic<int> outside{0};
  WriteQueue queue(connection(), {});
  for (int i = 0; i < 20; ++i) {
    queue.put({insert(i)});
    queue.put(
        {.work = [&](Connection& db) { outside += db.in_transaction() ? 0 : 1; }, .alone = true});
  }
  queue.flush();
  EXPECT_EQ(outside, 20);
  EXPECT_EQ(count(), 20);
}

}  // namespace
}  // namespace tapir::store
