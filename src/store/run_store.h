// The run store: one SQLite file (WAL, synchronous=FULL) with typed reads and writes. The schema is
// documented in docs/run_store.md. Rows are written by one writer thread that groups them into
// commits (at the latest after 16 rows or 5 ms); reads see what is committed.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "records/instruction.h"
#include "records/ledger.h"

namespace tapir::store {

inline constexpr int kSchemaVersion = 3;

// One stage of a run, in the order begun.
struct StageRecord {
  std::string name;         // "s0", "difficulty", "tapir/round-2/train"
  std::string fingerprint;  // of the recipe keys it reads and of the stages before it
  bool finished = false;
  Ledger ledger;       // as of its end
  double seconds = 0;  // over all sittings
  std::string info;    // JSON object of figures for the report; may be empty
};

// Status of a request that waits for a batch: its text is the body to send.
inline constexpr std::string_view kWaiting = "waiting";
// Of one that a sitting before waited for; the last one has not asked for it (again). Not exported,
// but its reply is still welcome.
inline constexpr std::string_view kOutdated = "outdated";

// What an endpoint sent back for one request: raw, paid for.
struct ReplyRecord {
  std::string key;
  std::string row_id;
  std::string stage;
  std::string role;  // "teacher", "judge"
  std::string model;
  // "ok", or a llm::Failure name ("rate_limited", ...), "unknown" (in flight at a kill), kWaiting
  // or kOutdated.
  std::string status;
  std::string text;
  std::string error;
  FinishReason finish_reason = FinishReason::stop;
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  double usd = 0;
  double seconds = 0;
  int sends = 0;  // attempts that left this machine for this key, over all sittings
  std::string
      top_logprobs;  // JSON [[["token", logprob], ...] per position], when asked for; else empty
};

// Sums over replies, for accounts and the report.
struct UsageRow {
  std::string stage, role, model;
  std::int64_t replies = 0;  // waiting ones apart
  std::int64_t failed = 0, sends = 0;
  std::int64_t waiting = 0;  // for a batch
  std::int64_t prompt_tokens = 0, cached_prompt_tokens = 0, completion_tokens = 0;
  double usd = 0, seconds = 0;
};

// One answer of an exam with its grade.
struct ExamRow {
  std::string student;  // "s0", "tapir/round-2"
  std::string item_id;
  std::string set;  // "uniform", "pool", "beyond"; kHeldOutSet; of kEvaluationSets
  std::string family;
  int level = 0;
  std::string answer;
  bool correct = false;
  double score = 0;  // 1-10
  // Of rows of the user's own: how well the student foresees their recorded answer.
  std::optional<double> loss = std::nullopt;  // mean over the answer's tokens, natural logarithm
  std::int64_t loss_tokens = 0;               // the answer's tokens
};

// Of a user's own rows.
inline constexpr std::string_view kHeldOutSet = "held_out";
// Beside the data, by what they are there for; the family is the file's name.
inline constexpr std::array<std::string_view, 3> kEvaluationSets = {"general", "instruction",
                                                                    "safety"};
// The set that speaks for an exam: the gym's even one, else what was held out, else the first of
// kEvaluationSets that was sat. Of no rows: the gym's.
std::string_view main_exam_set(const std::vector<ExamRow>& rows);

// An instruction as a member of an arm's P_r, or rejected on the way there.
struct TeachRow {
  std::string arm;
  int round = 0;
  std::string instruction_id;  // of an accepted row
  std::string task;
  std::string outcome;  // "kept", or the reason of rejection ("near_duplicate", "held_out", ...)
  std::string parent_id;
  std::string text;  // of a rejected row
};

struct TrainRecord {
  std::string student;  // "s0", "tapir/round-2"
  std::int64_t steps = 0, tokens = 0, supervised_tokens = 0, rows = 0, distinct_rows = 0;
  double first_loss = 0, last_loss = 0, seconds = 0;
  std::string folder;  // relative to the run folder
  std::string digest;  // SHA-256 of model.safetensors (sharded: of all shards in order)
};

// create: opens, and makes the file when it is not there. read_write, read_only: the file must be
// there.
enum class OpenMode { create, read_write, read_only };

// Thread-safe. Writes are queued (bounded) and made durable in order; flush() waits for all of
// them. Every read first waits for what was queued before it; reply() only where that very reply is
// still queued. The end of the store makes durable what is queued. A failure of the writer (disk
// full) is kept and thrown as Error{data} by every later call; the commit that failed is rolled
// back, so the file is usable by the next one to open it. A row that two stages wrote is kept for
// both; reads give the one written last.
class RunStore {
 public:
  // Error{data}: a newer schema, not a store, read-only folder. On a network file system WAL does
  // not work: a rollback journal is used and journal_note() says so. The run folder's lock is
  // RunLock's work, not the store's.
  static std::unique_ptr<RunStore> open(const std::filesystem::path& file, OpenMode mode);
  virtual ~RunStore() = default;
  virtual std::string journal_note() const = 0;
  virtual const std::filesystem::path& file() const = 0;  // that it lies in

  // ---- facts about the run: recipe, fingerprint, version, machine ----
  virtual void set_meta(std::string_view key, std::string_view value) = 0;
  virtual std::optional<std::string> meta(std::string_view key) const = 0;

  // ---- stages ----
  // Begins or goes on; a stage of another fingerprint must be dropped first (Error{bug}). A
  // finished stage stays so.
  virtual void begin_stage(std::string_view name, std::string_view fingerprint) = 0;
  // seconds: of this sitting, added to those before. Durable on return. Error{bug} when the ledger
  // does not balance.
  virtual void finish_stage(std::string_view name, const Ledger& ledger, double seconds,
                            std::string_view info) = 0;
  virtual void add_stage_seconds(std::string_view name, double seconds) = 0;
  // Removes the stage and every row it wrote. Replies stay: what was paid for is found again by its
  // key.
  virtual void drop_stage(std::string_view name) = 0;
  // The same, but the stage stays: begun, with the seconds spent on it.
  virtual void reopen_stage(std::string_view name) = 0;
  virtual std::optional<StageRecord> stage(std::string_view name) const = 0;
  virtual std::vector<StageRecord> stages() const = 0;

  // ---- ledger: one outcome per row of a stage; a later one replaces an earlier one ----
  virtual void put_outcome(std::string_view stage, std::string_view row_id, Outcome outcome,
                           std::string_view reason) = 0;
  // Counts of put_outcome; `in` is left 0, the caller knows it.
  virtual Ledger count_outcomes(std::string_view stage) const = 0;
  virtual std::map<std::string, Outcome> outcomes(std::string_view stage) const = 0;
  // Rows that failed, and rows that are done for want of something better (done with a reason): by
  // id, with the reason.
  virtual std::map<std::string, std::string> rows_to_retry(std::string_view stage) const = 0;

  // ---- rows; `stage` is who wrote them (drop_stage). Same primary key again: replaced ----
  virtual void put_instruction(std::string_view stage, const Instruction& instruction) = 0;
  virtual void set_task(
      std::string_view stage, std::string_view instruction_id, std::string_view task,
      double confidence) = 0;  // kept beside the instruction: dropping the stage clears it
  virtual void put_response(std::string_view stage, const Response& response) = 0;
  virtual void put_judgment(std::string_view stage, const Judgment& judgment) = 0;
  virtual void put_fit(std::string_view stage, const Fit& fit) = 0;
  // Rows with an instruction id are told apart by (arm, round, id, outcome) and keep their place
  // when replaced; rows without one are all kept.
  virtual void put_teach_row(std::string_view stage, const TeachRow& row) = 0;
  // Replaces the whole mixture of that arm and round.
  virtual void put_mixture(std::string_view stage, std::string_view arm, int round,
                           const std::vector<MixtureRow>& rows) = 0;
  virtual void put_exam_row(std::string_view stage, const ExamRow& row) = 0;
  virtual void put_training(std::string_view stage, const TrainRecord& record) = 0;

  // Sorted by id (responses: by instruction id). Tasks are filled in from set_task.
  virtual std::vector<Instruction> instructions(std::optional<int> round = {}) const = 0;
  virtual std::optional<Instruction> instruction(std::string_view id) const = 0;
  virtual std::vector<Response> responses(std::string_view author) const = 0;
  virtual std::vector<Response> responses_of(std::string_view instruction_id) const = 0;
  virtual std::vector<std::string> authors() const = 0;
  virtual std::vector<Judgment> judgments(std::string_view author) const = 0;
  virtual std::vector<Judgment> judgments_of(std::string_view instruction_id) const = 0;
  virtual std::vector<Fit> fits(std::string_view author) const = 0;
  virtual std::vector<TeachRow> teach_rows(std::string_view arm) const = 0;  // in the order written
  virtual std::vector<MixtureRow> mixture(std::string_view arm, int round) const = 0;  // in order
  virtual std::vector<ExamRow> exam_rows(std::string_view student) const = 0;
  virtual std::vector<std::string> exam_students() const = 0;
  virtual std::vector<TrainRecord> trainings() const = 0;

  // ---- replies ----
  // The same key again: usd, seconds, sends (and the tokens that usage() counts) add up; the rest
  // is replaced, but an ok reply never by another status. Status "unknown" books a request before
  // it leaves.
  virtual void put_reply(const ReplyRecord& reply) = 0;
  // done() runs exactly once on the writer thread, once the reply is durable or the writer has
  // failed (throw_if_failed() tells); it must not block and not read. Never blocks itself: the
  // caller bounds what is in flight. When this throws, done() is not called.
  virtual void put_reply_then(const ReplyRecord& reply, std::function<void()> done) = 0;
  virtual std::optional<ReplyRecord> reply(std::string_view key) const = 0;
  virtual std::vector<UsageRow> usage() const = 0;
  // In the order first written. The store must not be called from inside.
  virtual void for_each_reply(std::string_view status,
                              const std::function<void(const ReplyRecord&)>& reply) const = 0;
  // All that wait become outdated: whoever still needs them asks again.
  virtual void outdate_waiting() = 0;
  // Copies every ok reply of another run that is not here yet (--reuse), as spent nothing. Returns
  // how many.
  virtual std::int64_t copy_replies_from(const std::filesystem::path& other_store) = 0;

  virtual void flush() = 0;
  // Throws the kept failure of the writer, if there is one; never waits.
  virtual void throw_if_failed() const = 0;
};

// The lock of a run folder: one process at a time. Error{usage} names the holder (pid, host, since
// when).
class RunLock {
 public:
  explicit RunLock(const std::filesystem::path& run_dir);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace tapir::store
