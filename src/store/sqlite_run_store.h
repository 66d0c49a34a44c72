// The run store over SQLite. Internal to store/ and its tests.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/run_store.h"
#include "store/sqlite.h"
#include "store/write_queue.h"

namespace tapir::store {

enum class Journal {
  automatic,
  wal,
  rollback
};  // automatic: rollback on a network file system, else WAL

class SqliteRunStore final : public RunStore {
 public:
  static std::unique_ptr<SqliteRunStore> open_with(const std::filesystem::path& file, OpenMode mode,
                                                   Journal journal);

  ~SqliteRunStore() override;

  std::string journal_note() const override { return journal_note_; }
  const std::filesystem::path& file() const override { return file_; }

  void set_meta(std::string_view key, std::string_view value) override;
  std::optional<std::string> meta(std::string_view key) const override;

  void begin_stage(std::string_view name, std::string_view fingerprint) override;
  void finish_stage(std::string_view name, const Ledger& ledger, double seconds,
                    std::string_view info) override;
  void add_stage_seconds(std::string_view name, double seconds) override;
  void drop_stage(std::string_view name) override;
  void reopen_stage(std::string_view name) override;
  std::optional<StageRecord> stage(std::string_view name) const override;
  std::vector<StageRecord> stages() const override;

  void put_outcome(std::string_view stage, std::string_view row_id, Outcome outcome,
                   std::string_view reason) override;
  Ledger count_outcomes(std::string_view stage) const override;
  std::map<std::string, Outcome> outcomes(std::string_view stage) const override;
  std::map<std::string, std::string> rows_to_retry(std::string_view stage) const override;

  void put_instruction(std::string_view stage, const Instruction& instruction) override;
  void set_task(std::string_view stage, std::string_view instruction_id, std::string_view task,
                double confidence) override;
  void put_response(std::string_view stage, const Response& response) override;
  void put_judgment(std::string_view stage, const Judgment& judgment) override;
  void put_fit(std::string_view stage, const Fit& fit) override;
  void put_teach_row(std::string_view stage, const TeachRow& row) override;
  void put_mixture(std::string_view stage, std::string_view arm, int round,
                   const std::vector<MixtureRow>& rows) override;
  void put_exam_row(std::string_view stage, const ExamRow& row) override;
  void put_training(std::string_view stage, const TrainRecord& record) override;

  std::vector<Instruction> instructions(std::optional<int> round) const override;
  std::optional<Instruction> instruction(std::string_view id) const override;
  std::vector<Response> responses(std::string_view author) const override;
  std::vector<Response> responses_of(std::string_view instruction_id) const override;
  std::vector<std::string> authors() const override;
  std::vector<Judgment> judgments(std::string_view author) const override;
  std::vector<Judgment> judgments_of(std::string_view instruction_id) const override;
  std::vector<Fit> fits(std::string_view author) const override;
  std::vector<TeachRow> teach_rows(std::string_view arm) const override;
  std::vector<MixtureRow> mixture(std::string_view arm, int round) const override;
  std::vector<ExamRow> exam_rows(std::string_view student) const override;
  std::vector<std::string> exam_students() const override;
  std::vector<TrainRecord> trainings() const override;

  void put_reply(const ReplyRecord& reply) override;
  void put_reply_then(const ReplyRecord& reply, std::function<void()> done) override;
  std::optional<ReplyRecord> reply(std::string_view key) const override;
  std::vector<UsageRow> usage() const override;
  void for_each_reply(std::string_view status,
                      const std::function<void(const ReplyRecord&)>& reply) const override;
  void outdate_waiting() override;
  std::int64_t copy_replies_from(const std::filesystem::path& other_store) override;

  void flush() override;
  void throw_if_failed() const override;

 private:
  SqliteRunStore(std::filesystem::path file, std::unique_ptr<Connection> reader);

  void start_writer(std::unique_ptr<Connection> writer);
  WriteQueue& writes();
  // Queues one statement; the arguments are copied.
  template <typename... Args>
  void put(std::string_view sql, Args... args) {
    writes().put({[sql, ... args = std::move(args)](Connection& db) { db.run(sql, args...); }});
  }
  void put_reply_record(const ReplyRecord& reply, std::function<void()> done, bool bounded);
  void reply_settled(const std::string& key);

  // Every read first waits for what was queued before.
  template <typename Row, typename... Args>
  void read(std::string_view sql, Row&& row, const Args&... args) const {
    if (writes_) writes_->flush();
    read_committed(sql, std::forward<Row>(row), args...);
  }
  template <typename Row, typename... Args>
  void read_committed(std::string_view sql, Row&& row, const Args&... args) const {
    const std::lock_guard lock(read_mutex_);
    reader_->query(sql, std::forward<Row>(row), args...);
  }
  // All rows of a query, each made by make(const Statement&).
  template <typename Make, typename... Args>
  auto read_all(std::string_view sql, Make make, const Args&... args) const {
    std::vector<decltype(make(std::declval<const Statement&>()))> rows;
    read(
        sql, [&](const Statement& row) { rows.push_back(make(row)); }, args...);
    return rows;
  }
  void require_stage(std::string_view name) const;

  const std::filesystem::path file_;
  std::string journal_note_;
  mutable std::mutex read_mutex_;
  std::unique_ptr<Connection> reader_;
  // Replies that are queued but not durable yet: only these make reply() wait.
  mutable std::mutex pending_mutex_;
  std::map<std::string, std::size_t, std::less<>> pending_replies_;
  std::unique_ptr<WriteQueue> writes_;  // null when read-only
};

}  // namespace tapir::store
