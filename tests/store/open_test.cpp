// Opening what is no store, a newer one, one that may not be written; the journal; the lock of a
// run folder.
#include <fstream>

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/file.h"
#include "store/file_system.h"
#include "store/schema.h"
#include "store/sqlite_run_store.h"
#include "store_fixture.h"

namespace tapir::store {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class OpenTest : public StoreTest {
 protected:
  Error open_error(OpenMode mode) const {
    return error_of([&] { open(mode); });
  }
  void pragma(const std::string& text) const {
    Connection(file(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE).execute("PRAGMA " + text);
  }
};

TEST_F(OpenTest, MakesAStoreInWalMode) {
  EXPECT_EQ(open()->journal_note(), "");
  Connection db(file(), SQLITE_OPEN_READONLY);
  EXPECT_EQ(db.integer("PRAGMA user_version"), kSchemaVersion);
  EXPECT_EQ(db.integer("PRAGMA application_id"), kApplicationId);
  EXPECT_EQ(db.text("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(db.text("PRAGMA integrity_check"), "ok");
}

TEST_F(OpenTest, LeavesOneFileBehind) {
  {
    const auto store = open();
    store->put_reply(ok_reply("a"));
    store->flush();
    EXPECT_TRUE(store->reply("a"));
    EXPECT_TRUE(fs::exists(file().string() + "-wal"));
  }
  EXPECT_FALSE(fs::exists(file().string() + "-wal"));
  EXPECT_FALSE(fs::exists(file().string() + "-shm"));
  EXPECT_TRUE(open(OpenMode::read_only)->reply("a"));
}

TEST_F(OpenTest, EveryTableIsDocumented) {
  open();
  const std::string page = read_file(fs::path(TAPIR_SOURCE_DIR) / "docs" / "run_store.md");
  Connection db(file(), SQLITE_OPEN_READONLY);
  int columns = 0;
  db.query(
      "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = "
      "'table'",
      [&](const Statement& row) {
        EXPECT_THAT(page, HasSubstr("## " + row.text(0) + "\n"));
        EXPECT_THAT(page, HasSubstr("`" + row.text(1) + "`")) << row.text(0);
        ++columns;
      });
  EXPECT_GT(columns, 80);
}

TEST_F(OpenTest, AMissingFileIsNamed) {
  for (const OpenMode mode : {OpenMode::read_write, OpenMode::read_only}) {
    const Error error = open_error(mode);
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_THAT(error.what(), HasSubstr(file().string()));
    EXPECT_FALSE(fs::exists(file()));
  }
}

TEST_F(OpenTest, ANewerSchemaIsRefusedAndLeftAlone) {
  open()->set_meta("a", "b");
  pragma("user_version = 7");
  for (const OpenMode mode : {OpenMode::create, OpenMode::read_write, OpenMode::read_only}) {
    const Error error = open_error(mode);
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_THAT(error.what(), HasSubstr("expected schema version 3 or older, found 7"));
    EXPECT_THAT(error.hint(), HasSubstr("newer tapir"));
  }
  pragma("user_version = 3");
  EXPECT_EQ(open()->meta("a"), "b");
}

TEST_F(OpenTest, AStoreOfVersionOneIsReadAndUpgraded) {
  Fit fit;
  fit.instruction_id = "row";
  fit.author = "student/s0";
  fit.teacher_score = 9;
  fit.student_score = 4;
  fit.orders = 1;
  open()->put_fit("difficulty", fit);
  open()->put_exam_row("exam/s0", {"s0", "i1", "uniform", "sorting", 1, "1 2 3", true, 10});
  Connection(file(), SQLITE_OPEN_READWRITE)
      .execute(
          "ALTER TABLE fits DROP COLUMN ifd; ALTER TABLE exam_rows DROP COLUMN loss;"
          "ALTER TABLE exam_rows DROP COLUMN loss_tokens");
  pragma("user_version = 1");
  EXPECT_THAT(open(OpenMode::read_only)->fits("student/s0"), ::testing::ElementsAre(fit));
  EXPECT_EQ(open(OpenMode::read_only)->exam_rows("s0").at(0).loss, std::nullopt);
  EXPECT_EQ(Connection(file(), SQLITE_OPEN_READONLY).integer("PRAGMA user_version"), 1);
  const auto upgraded = open(OpenMode::read_write);
  EXPECT_THAT(upgraded->fits("student/s0"), ::testing::ElementsAre(fit));
  fit.ifd = 0.75;
  upgraded->put_fit("difficulty", fit);
  EXPECT_THAT(upgraded->fits("student/s0"), ::testing::ElementsAre(fit));
  EXPECT_EQ(upgraded->exam_rows("s0").at(0).answer, "1 2 3");
}

TEST_F(OpenTest, AFileThatIsNoDatabase) {
  write_file(file(), std::string(5000, 'x'));
  for (const OpenMode mode : {OpenMode::create, OpenMode::read_write, OpenMode::read_only}) {
    const Error error = open_error(mode);
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_THAT(error.what(), HasSubstr("not a database"));
  }
  EXPECT_EQ(read_file(file()), std::string(5000, 'x'));
}

TEST_F(OpenTest, AnotherProgramsDatabaseIsLeftAlone) {
  Connection(file(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE).execute("CREATE TABLE theirs (x)");
  const std::string before = read_file(file());
  for (const OpenMode mode : {OpenMode::create, OpenMode::read_write, OpenMode::read_only}) {
    EXPECT_THAT(open_error(mode).what(), HasSubstr("another SQLite file"));
  }
  EXPECT_EQ(read_file(file()), before);
}

TEST_F(OpenTest, AnEmptyFileBecomesAStoreOnlyWhenCreating) {
  write_file(file(), "");
  EXPECT_EQ(open_error(OpenMode::read_only).kind(), ErrorKind::data);
  EXPECT_EQ(open_error(OpenMode::read_write).kind(), ErrorKind::data);
  open()->set_meta("a", "b");
  EXPECT_EQ(open(OpenMode::read_only)->meta("a"), "b");
}

TEST_F(OpenTest, ATruncatedStoreIsAnErrorNotACrash) {
  {
    const auto store = open();
    for (int i = 0; i < 200; ++i)
      store->put_reply(ok_reply(std::to_string(i), std::string(2000, 'x')));
  }
  fs::resize_file(file(), fs::file_size(file()) / 2);
  const Error error = error_of([&] {
    const auto store = open(OpenMode::read_only);
    for (int i = 0; i < 200; ++i) store->reply(std::to_string(i));
  });
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_THAT(error.what(), HasSubstr("malformed"));
}

TEST_F(OpenTest, APathThatCannotBe) {
  write_file(folder_.path() / "file", "x");
  for (const fs::path& path :
       {folder_.path() / "file" / "run.db", fs::path("/proc/run.db"), folder_.path()}) {
    const Error error = error_of([&] { RunStore::open(path, OpenMode::create); });
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_THAT(error.what(), HasSubstr(path.string()));
    EXPECT_NE(error.hint(), "");
  }
}

// In a process without root's rights, in a folder that it may only read.
TEST_F(OpenTest, AReadOnlyFolderCanBeReadOnly) {
  open()->set_meta("a", "b");
  fs::permissions(folder_.path(), fs::perms(0555));
  fs::permissions(file(), fs::perms(0444));
  const pid_t child = start_child([&] {
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) return 1;
    for (const OpenMode mode : {OpenMode::create, OpenMode::read_write}) {
      const Error error = open_error(mode);
      if (error.kind() != ErrorKind::data || error.hint().empty()) return 2;
    }
    if (error_of([&] { RunStore::open(folder_.path() / "new.db", OpenMode::create); }).kind() !=
        ErrorKind::data) {
      return 3;
    }
    return open(OpenMode::read_only)->meta("a") == "b" ? 0 : 4;
  });
  EXPECT_EQ(exit_code_of(child), 0);
  fs::permissions(folder_.path(), fs::perms(0755));
  fs::permissions(file(), fs::perms(0644));
  EXPECT_EQ(open()->meta("a"), "b");
}

TEST_F(OpenTest, ARollbackJournalWorksTooAndSaysSo) {
  {
    const auto store = SqliteRunStore::open_with(file(), OpenMode::create, Journal::rollback);
    EXPECT_THAT(store->journal_note(), HasSubstr("rollback journal"));
    for (int i = 0; i < 50; ++i) {
      store->put_reply(ok_reply(std::to_string(i)));
      EXPECT_TRUE(store->reply(std::to_string(i)));
    }
  }
  EXPECT_EQ(Connection(file(), SQLITE_OPEN_READONLY).text("PRAGMA journal_mode"), "delete");
  EXPECT_EQ(open(OpenMode::read_only)->usage().at(0).replies, 50);
  EXPECT_EQ(open()->journal_note(), "");  // moved to a local disk: WAL again
}

TEST_F(OpenTest, NetworkFileSystemsAreKnown) {
  EXPECT_EQ(network_file_system(0x6969), "NFS");
  EXPECT_EQ(network_file_system(0xff534d42), "CIFS");
  EXPECT_EQ(network_file_system(0xfe534d42), "SMB2");
  EXPECT_EQ(network_file_system(0x65735546), "FUSE");
  EXPECT_EQ(network_file_system(0xef53), std::nullopt);      // ext4
  EXPECT_EQ(network_file_system(0x01021994), std::nullopt);  // tmpfs
  EXPECT_EQ(network_file_system_of("/proc"), std::nullopt);
  EXPECT_EQ(network_file_system_of("/no/such/folder"), std::nullopt);
}

TEST_F(OpenTest, TheLockNamesItsHolder) {
  {
    const RunLock lock(folder_.path());
    const Error error = error_of([&] { const RunLock second(folder_.path()); });
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.what(), HasSubstr("process " + std::to_string(::getpid()) + " on host "));
    EXPECT_THAT(error.what(), HasSubstr(" since 20"));
    EXPECT_NE(error.hint(), "");
  }
  const RunLock again(folder_.path());
}

TEST_F(OpenTest, TheLockOfAKilledProcessIsFree) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = start_child([&] {
    const RunLock lock(folder_.path());
    if (::write(pipe[1], "x", 1) != 1) return 1;
    ::pause();
    return 0;
  });
  char ready = 0;
  ASSERT_EQ(::read(pipe[0], &ready, 1), 1);
  EXPECT_THAT(error_of([&] { const RunLock second(folder_.path()); }).what(),
              HasSubstr("process " + std::to_string(child)));
  ::kill(child, SIGKILL);
  EXPECT_EQ(exit_code_of(child), -SIGKILL);
  const RunLock free_again(folder_.path());
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(OpenTest, ALockInNoFolder) {
  const Error error = error_of([&] { const RunLock lock(folder_.path() / "none"); });
  EXPECT_EQ(error.kind(), ErrorKind::data);
}

}  // namespace
}  // namespace tapir::store
