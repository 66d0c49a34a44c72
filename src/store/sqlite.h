// A small RAII layer over the SQLite C API. Internal to store/: nobody else includes it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <sqlite3.h>

namespace tapir::store {

// A prepared statement. Text is bound without a copy: it must live until the statement is reset.
class Statement {
 public:
  Statement(sqlite3* db, std::string_view sql);

  template <typename... Args>
  void bind_all(const Args&... args) {
    int index = 0;
    (bind(++index, args), ...);
  }
  bool step();  // true: a row is there; false: done
  void reset() noexcept;

  // Columns of the current row, from 0.
  bool is_null(int column) const;
  bool flag(int column) const { return integer(column) != 0; }
  int small(int column) const { return static_cast<int>(integer(column)); }
  std::int64_t integer(int column) const;
  double real(int column) const;  // NULL is read as NaN: SQLite stores NaN that way
  std::string text(int column) const;

 private:
  void bind(int index, std::string_view value);
  void bind(int index, std::int64_t value);
  void bind(int index, int value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, bool value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, double value);
  void bind(int index, const std::string& value) { bind(index, std::string_view(value)); }
  void bind(int index, const char* value) { bind(index, std::string_view(value)); }
  void bind(int index, const std::optional<double>& value);

  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// One connection: one thread at a time. Every failure is thrown as Error{data} with the path, the
// system's reason and what to do; a broken constraint or wrong SQL is Error{bug}.
class Connection {
 public:
  // flags: SQLITE_OPEN_*.
  Connection(const std::filesystem::path& file, int flags);

  void execute(const std::string& sql);  // one or more statements without parameters
  // A statement with parameters, prepared once and kept.
  template <typename... Args>
  void run(std::string_view sql, const Args&... args) {
    query(
        sql, [](const Statement&) {}, args...);
  }
  // row(const Statement&) for every row.
  template <typename Row, typename... Args>
  void query(std::string_view sql, Row&& row, const Args&... args) {
    Statement& statement = prepared(sql);
    const Reset reset{statement};
    statement.bind_all(args...);
    while (statement.step()) row(std::as_const(statement));
  }
  std::int64_t integer(const std::string& sql);  // the single value of, for example, a PRAGMA
  std::string text(const std::string& sql);
  std::int64_t changes() const { return sqlite3_changes64(db_.get()); }
  bool in_transaction() const { return sqlite3_get_autocommit(db_.get()) == 0; }
  bool read_only() const { return sqlite3_db_readonly(db_.get(), "main") == 1; }
  sqlite3* handle() const { return db_.get(); }

 private:
  struct Reset {
    Statement& statement;
    ~Reset() { statement.reset(); }
  };
  Statement& prepared(std::string_view sql);

  struct Close {
    void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
  };
  std::unique_ptr<sqlite3, Close> db_;
  std::map<std::string, Statement, std::less<>> prepared_;  // after db_: finalized before it closes
};

// Rolls back unless committed.
class Transaction {
 public:
  explicit Transaction(Connection& connection);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Connection& connection_;
};

}  // namespace tapir::store
