#include "store/sqlite.h"

#include <cerrno>
#include <cstring>
#include <limits>

#include "base/error.h"

namespace tapir::store {
namespace {

constexpr int kBusyMilliseconds = 30'000;

std::string hint_of(int code, int system_error) {
  if (code == SQLITE_FULL || system_error == ENOSPC || system_error == EFBIG ||
      system_error == EDQUOT) {
    return "the disk is full: free some space and run the same command again";
  }
  switch (code) {
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      return "check that the run folder exists and may be written to";
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return "give the folder of a run of tapir, or start a new run in another folder";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another program holds the file: end it and run the same command again";
    case SQLITE_IOERR:
      return "check the disk, then run the same command again: what was committed is safe";
    default:
      return {};
  }
}

// last_errno: SQLite keeps none of what happens inside COMMIT.
[[noreturn]] void fail(sqlite3* db, std::string_view doing, int last_errno = 0) {
  const int code = db != nullptr ? sqlite3_errcode(db) : SQLITE_NOMEM;
  const int kept = db != nullptr ? sqlite3_system_errno(db) : 0;
  const int system_error = kept != 0 ? kept : last_errno;
  const char* file = db != nullptr ? sqlite3_db_filename(db, "main") : nullptr;
  std::string message = "run store " + std::string(file != nullptr && *file != 0 ? file : "") +
                        ": " + std::string(doing) + ": " +
                        (db != nullptr ? sqlite3_errmsg(db) : "out of memory");
  const bool file_trouble = code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_FULL;
  if (file_trouble && system_error != 0)
    message += " (" + std::string(std::strerror(system_error)) + ")";
  const bool ours = code == SQLITE_ERROR || code == SQLITE_CONSTRAINT || code == SQLITE_MISUSE ||
                    code == SQLITE_RANGE || code == SQLITE_MISMATCH;
  throw Error(ours ? ErrorKind::bug : ErrorKind::data, message, hint_of(code, system_error));
}

void must(sqlite3* db, int code, std::string_view doing) {
  if (code != SQLITE_OK) fail(db, doing);
}

}  // namespace

Statement::Statement(sqlite3* db, std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  must(db,
       sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                          &raw, nullptr),
       "cannot read");
  statement_.reset(raw);
}

void Statement::bind(int index, std::string_view value) {
  // A null pointer would bind NULL where an empty text is meant.
  const char* bytes = value.data() != nullptr ? value.data() : "";
  must(
      sqlite3_db_handle(statement_.get()),
      sqlite3_bind_text64(statement_.get(), index, bytes, value.size(), SQLITE_STATIC, SQLITE_UTF8),
      "bind");
}

void Statement::bind(int index, std::int64_t value) {
  must(sqlite3_db_handle(statement_.get()), sqlite3_bind_int64(statement_.get(), index, value),
       "bind");
}

void Statement::bind(int index, double value) {
  must(sqlite3_db_handle(statement_.get()), sqlite3_bind_double(statement_.get(), index, value),
       "bind");
}

void Statement::bind(int index, const std::optional<double>& value) {
  if (value) return bind(index, *value);
  must(sqlite3_db_handle(statement_.get()), sqlite3_bind_null(statement_.get(), index), "bind");
}

bool Statement::step() {
  errno = 0;
  const int code = sqlite3_step(statement_.get());
  const int last_errno = errno;
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  // BEGIN and COMMIT count as read-only, but what fails in them is writing.
  const std::string_view sql = sqlite3_sql(statement_.get());
  const bool reads = sqlite3_stmt_readonly(statement_.get()) != 0 && sql != "COMMIT" &&
                     sql.substr(0, 5) != "BEGIN";
  fail(sqlite3_db_handle(statement_.get()), reads ? "cannot read" : "cannot write", last_errno);
}

void Statement::reset() noexcept {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

double Statement::real(int column) const {
  return is_null(column) ? std::numeric_limits<double>::quiet_NaN()
                         : sqlite3_column_double(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return bytes != nullptr ? std::string(bytes, static_cast<std::size_t>(size)) : std::string();
}

Connection::Connection(const std::filesystem::path& file, int flags) {
  sqlite3* raw = nullptr;
  // The caller keeps a connection to one thread at a time.
  const int code = sqlite3_open_v2(file.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  db_.reset(raw);
  if (code != SQLITE_OK) {
    const int system_error = db_ ? sqlite3_system_errno(db_.get()) : 0;
    std::string reason = db_ ? sqlite3_errmsg(db_.get()) : "out of memory";
    if (system_error != 0) reason += " (" + std::string(std::strerror(system_error)) + ")";
    throw Error(ErrorKind::data, "run store " + file.string() + ": cannot open: " + reason,
                hint_of(code & 0xff, system_error));
  }
  sqlite3_busy_timeout(db_.get(), kBusyMilliseconds);
}

void Connection::execute(const std::string& sql) {
  must(db_.get(), sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr), "cannot write");
}

Statement& Connection::prepared(std::string_view sql) {
  const auto found = prepared_.find(sql);
  if (found != prepared_.end()) return found->second;
  return prepared_.emplace(std::string(sql), Statement(db_.get(), sql)).first->second;
}

std::int64_t Connection::integer(const std::string& sql) {
  Statement statement(db_.get(), sql);
  return statement.step() ? statement.integer(0) : 0;
}

std::string Connection::text(const std::string& sql) {
  Statement statement(db_.get(), sql);
  return statement.step() ? statement.text(0) : std::string();
}

Transaction::Transaction(Connection& connection) : connection_(connection) {
  connection_.run("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!connection_.in_transaction()) return;
  // A rollback cannot fail in a way that matters: what is not committed is not there for the next
  // one to open the file.
  sqlite3_exec(connection_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() { connection_.run("COMMIT"); }

}  // namespace tapir::store
