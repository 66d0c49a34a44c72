#include "store/run_store.h"

#include <system_error>

#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "store/file_system.h"
#include "store/schema.h"
#include "store/sqlite_run_store.h"

namespace tapir::store {
namespace fs = std::filesystem;
namespace {

constexpr int kCheckpointPages = 8192;  // of 4 kB: the WAL is folded into the file every 32 MB

std::string ledger_to_json(const Ledger& ledger) {
  return Json{{"in", ledger.in},
              {"done", ledger.done},
              {"failed", ledger.failed},
              {"filtered", ledger.filtered}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

Ledger ledger_from_json(const std::string& text, const std::string& where) {
  if (text.empty()) return {};
  using Counts = std::map<std::string, std::uint64_t>;
  const Json json = parse_json(text, where);
  return {json_get<std::uint64_t>(json, "in", where), json_get<std::uint64_t>(json, "done", where),
          json_get<Counts>(json, "failed", where), json_get<Counts>(json, "filtered", where)};
}

Outcome parse_outcome(const std::string& name) {
  for (const Outcome outcome : {Outcome::done, Outcome::failed, Outcome::filtered}) {
    if (name == to_string(outcome)) return outcome;
  }
  throw Error(ErrorKind::data, "run store: unknown outcome \"" + name + "\"");
}

StageRecord stage_of(const Statement& row) {
  const std::string name = row.text(0);
  return {name,        row.text(1),
          row.flag(2), ledger_from_json(row.text(3), "ledger of stage " + name),
          row.real(4), row.text(5)};
}
constexpr const char* kStageColumns =
    "SELECT name, fingerprint, finished, ledger, seconds, info FROM stages ";

// A file: URI of a store that nobody writes: SQLite then needs no write access to the folder.
std::string immutable_uri(const fs::path& file) {
  std::string uri = "file:";
  for (const char c : fs::absolute(file).string()) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (c == '%' || c == '?' || c == '#') {
      uri += {'%', kDigits[byte >> 4U], kDigits[byte & 15U]};
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

void require_store_file(const fs::path& file) {
  std::error_code code;
  if (fs::is_regular_file(file, code)) return;
  throw Error(ErrorKind::data, "run store " + file.string() + ": no such file",
              "give the folder of a run of tapir: it holds a file run.db");
}

std::unique_ptr<Connection> open_for_reading(const fs::path& file) {
  require_store_file(file);
  // A WAL file is read through a shared-memory file beside it. In a folder that may not be written
  // to, and with nothing left in the WAL, the file alone is the whole store.
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  std::error_code code;
  const auto wal_size = fs::file_size(file.string() + "-wal", code);
  const bool nothing_in_wal = static_cast<bool>(code) || wal_size == 0;
  if (nothing_in_wal && ::access(folder.c_str(), W_OK) != 0) {
    return std::make_unique<Connection>(immutable_uri(file),
                                        SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
  }
  return std::make_unique<Connection>(file, SQLITE_OPEN_READONLY);
}

std::unique_ptr<Connection> open_for_writing(const fs::path& file, OpenMode mode) {
  if (mode == OpenMode::read_write) require_store_file(file);
  const int create = mode == OpenMode::create ? SQLITE_OPEN_CREATE : 0;
  auto connection = std::make_unique<Connection>(file, SQLITE_OPEN_READWRITE | create);
  if (connection->read_only()) {
    throw Error(ErrorKind::data, "run store " + file.string() + ": may not be written to",
                "check who owns the run folder and whether its file system is mounted read-only");
  }
  return connection;
}

void delete_rows_of(Connection& db, const std::string& stage) {
  for (const char* table : {"outcomes", "instructions", "tasks", "responses", "judgments", "fits",
                            "teach_rows", "mixture", "exam_rows", "trainings"}) {
    db.run("DELETE FROM " + std::string(table) + " WHERE stage = ?", stage);
  }
}

// Returns a note when WAL is not used.
std::string set_journal(Connection& writer, const fs::path& file, Journal journal) {
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  std::string reason;
  if (journal == Journal::automatic) {
    if (const auto name = network_file_system_of(folder)) {
      reason = "the run folder is on a network file system (" + std::string(*name) + ")";
    }
  } else if (journal == Journal::rollback) {
    reason = "a rollback journal was asked for";
  }
  const std::string wanted = reason.empty() ? "wal" : "delete";
  const std::string got = writer.text("PRAGMA journal_mode=" + wanted);
  writer.execute("PRAGMA synchronous=FULL; PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=" +
                 std::to_string(kCheckpointPages));
  if (got != wanted && reason.empty()) reason = "the file system does not support SQLite's WAL";
  if (got == "wal") return {};
  return reason + ": writing with a rollback journal (journal_mode=" + got +
         "), which is safe but slower";
}

}  // namespace

std::unique_ptr<RunStore> RunStore::open(const fs::path& file, OpenMode mode) {
  return SqliteRunStore::open_with(file, mode, Journal::automatic);
}

std::unique_ptr<SqliteRunStore> SqliteRunStore::open_with(const fs::path& file, OpenMode mode,
                                                          Journal journal) {
  if (mode == OpenMode::read_only) {
    auto reader = open_for_reading(file);
    check_schema(*reader, file);
    show_as_newest(*reader);
    return std::unique_ptr<SqliteRunStore>(new SqliteRunStore(file, std::move(reader)));
  }
  auto writer = open_for_writing(file, mode);
  // An empty file may be the trace of a run that was killed at its start: only `create` makes
  // something of it.
  if (mode == OpenMode::read_write) check_schema(*writer, file);
  const bool was_there = writer->integer("PRAGMA application_id") == kApplicationId;
  if (was_there) check_schema(*writer, file);  // before anything of the file is changed
  if (!was_there && writer->integer("SELECT count(*) FROM sqlite_schema") != 0)
    check_schema(*writer, file);
  std::string note = set_journal(*writer, file, journal);
  create_or_upgrade(*writer, file);
  auto reader = std::make_unique<Connection>(file, SQLITE_OPEN_READONLY);
  std::unique_ptr<SqliteRunStore> store(new SqliteRunStore(file, std::move(reader)));
  store->journal_note_ = std::move(note);
  store->start_writer(std::move(writer));
  return store;
}

SqliteRunStore::SqliteRunStore(fs::path file, std::unique_ptr<Connection> reader)
    : file_(std::move(file)), reader_(std::move(reader)) {}

// The writer's connection closes last: only a last connection that may write folds the write-ahead
// log into the file and removes it. What ends the queue may still read, hence finish() first.
SqliteRunStore::~SqliteRunStore() {
  if (writes_) writes_->finish();
  reader_.reset();
}

void SqliteRunStore::start_writer(std::unique_ptr<Connection> writer) {
  writes_ = std::make_unique<WriteQueue>(std::move(writer), WriteQueueOptions{});
}

WriteQueue& SqliteRunStore::writes() {
  check(writes_ != nullptr, "run store: a write to a store that was opened read-only");
  return *writes_;
}

void SqliteRunStore::flush() {
  if (writes_) writes_->flush();
}

void SqliteRunStore::throw_if_failed() const {
  if (writes_) writes_->throw_if_failed();
}

// ---- meta ----

void SqliteRunStore::set_meta(std::string_view key, std::string_view value) {
  put("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", std::string(key),
      std::string(value));
}

std::optional<std::string> SqliteRunStore::meta(std::string_view key) const {
  std::optional<std::string> value;
  read(
      "SELECT value FROM meta WHERE key = ?", [&](const Statement& row) { value = row.text(0); },
      key);
  return value;
}

// ---- stages ----

void SqliteRunStore::begin_stage(std::string_view name, std::string_view fingerprint) {
  if (const auto known = stage(name)) {
    check(
        known->fingerprint == fingerprint,
        "stage " + std::string(name) + " of another fingerprint must be dropped before it begins");
    return;
  }
  put("INSERT INTO stages (name, fingerprint) VALUES (?, ?)", std::string(name),
      std::string(fingerprint));
}

void SqliteRunStore::finish_stage(std::string_view name, const Ledger& ledger, double seconds,
                                  std::string_view info) {
  check(ledger.balances(), "the ledger of stage " + std::string(name) +
                               " does not balance: " + ledger_to_json(ledger));
  require_stage(name);
  put("UPDATE stages SET finished = 1, ledger = ?, seconds = seconds + ?, info = ? WHERE name = ?",
      ledger_to_json(ledger), seconds, std::string(info), std::string(name));
  flush();
}

void SqliteRunStore::add_stage_seconds(std::string_view name, double seconds) {
  require_stage(name);
  put("UPDATE stages SET seconds = seconds + ? WHERE name = ?", seconds, std::string(name));
}

void SqliteRunStore::drop_stage(std::string_view name) {
  writes().put({[stage = std::string(name)](Connection& db) {
    delete_rows_of(db, stage);
    db.run("DELETE FROM stages WHERE name = ?", stage);
  }});
  flush();
}

void SqliteRunStore::reopen_stage(std::string_view name) {
  require_stage(name);
  writes().put({[stage = std::string(name)](Connection& db) {
    delete_rows_of(db, stage);
    db.run("UPDATE stages SET finished = 0, ledger = '', info = '' WHERE name = ?", stage);
  }});
  flush();
}

std::optional<StageRecord> SqliteRunStore::stage(std::string_view name) const {
  std::optional<StageRecord> found;
  read(
      std::string(kStageColumns) + "WHERE name = ?",
      [&](const Statement& row) { found = stage_of(row); }, name);
  return found;
}

std::vector<StageRecord> SqliteRunStore::stages() const {
  return read_all(std::string(kStageColumns) + "ORDER BY seq", stage_of);
}

void SqliteRunStore::require_stage(std::string_view name) const {
  check(stage(name).has_value(), "stage " + std::string(name) + " was never begun");
}

// ---- ledger ----

void SqliteRunStore::put_outcome(std::string_view stage, std::string_view row_id, Outcome outcome,
                                 std::string_view reason) {
  put("INSERT OR REPLACE INTO outcomes (stage, row_id, outcome, reason) VALUES (?, ?, ?, ?)",
      std::string(stage), std::string(row_id), to_string(outcome), std::string(reason));
}

Ledger SqliteRunStore::count_outcomes(std::string_view stage) const {
  Ledger ledger;
  read(
      "SELECT outcome, reason, count(*) FROM outcomes WHERE stage = ? GROUP BY outcome, reason",
      [&](const Statement& row) {
        const auto count = static_cast<std::uint64_t>(row.integer(2));
        switch (parse_outcome(row.text(0))) {
          case Outcome::done:
            ledger.done += count;
            break;
          case Outcome::failed:
            ledger.failed[row.text(1)] += count;
            break;
          case Outcome::filtered:
            ledger.filtered[row.text(1)] += count;
            break;
        }
      },
      stage);
  return ledger;
}

std::map<std::string, std::string> SqliteRunStore::rows_to_retry(std::string_view stage) const {
  std::map<std::string, std::string> rows;
  read(
      "SELECT row_id, reason FROM outcomes WHERE stage = ? AND (outcome = 'failed' OR (outcome = "
      "'done' AND reason <> ''))",
      [&](const Statement& row) { rows[row.text(0)] = row.text(1); }, stage);
  return rows;
}

std::map<std::string, Outcome> SqliteRunStore::outcomes(std::string_view stage) const {
  std::map<std::string, Outcome> rows;
  read(
      "SELECT row_id, outcome FROM outcomes WHERE stage = ?",
      [&](const Statement& row) { rows[row.text(0)] = parse_outcome(row.text(1)); }, stage);
  return rows;
}

}  // namespace tapir::store
