#include "store/schema.h"

#include <array>
#include <string>

#include "base/error.h"
#include "store/run_store.h"

namespace tapir::store {
namespace {

// Every table of rows has the same shape: `seq` (the order written; a replaced row moves to the
// end), `stage` (who wrote it: what drop_stage removes) and the row. A row that two stages wrote is
// there twice; reads give the later one. REAL columns may be NULL: SQLite stores NaN so.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE meta (
  key TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE stages (
  seq INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  fingerprint TEXT NOT NULL,
  finished INTEGER NOT NULL DEFAULT 0,
  ledger TEXT NOT NULL DEFAULT '',
  seconds REAL NOT NULL DEFAULT 0,
  info TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE outcomes (
  stage TEXT NOT NULL,
  row_id TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('done', 'failed', 'filtered')),
  reason TEXT NOT NULL,
  PRIMARY KEY (stage, row_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE instructions (
  seq INTEGER PRIMARY KEY,
  stage TEXT NOT NULL,
  id TEXT NOT NULL,
  round INTEGER NOT NULL,
  source TEXT NOT NULL,
  parent_id TEXT NOT NULL,
  task TEXT NOT NULL,
  messages TEXT NOT NULL,
  UNIQUE (id, stage)
) STRICT;

CREATE TABLE tasks (
  seq INTEGER PRIMARY KEY,
  stage TEXT NOT NULL,
  instruction_id TEXT NOT NULL,
  task TEXT NOT NULL,
  confidence REAL,
  UNIQUE (instruction_id, stage)
) STRICT;

CREATE TABLE responses (
  seq INTEGER PRIMARY KEY,
  stage TEXT NOT NULL,
  instruction_id TEXT NOT NULL,
  author TEXT NOT NULL,
  text TEXT NOT NULL,
  finish_reason TEXT NOT NULL,
  tokens INTEGER NOT NULL,
  reply_key TEXT NOT NULL,
  UNIQUE (author, instruction_id, stage)
) STRICT;
CREATE INDEX responses_by_instruction ON responses (instruction_id);

CREATE TABLE judgments (
  seq INTEGER PRIMARY KEY,
  stage TEXT NOT NULL,
  instruction_id TEXT NOT NULL,
  author TEXT NOT NULL,
  answer_order TEXT NOT NULL CHECK (answer_order IN ('teacher_first', 'student_first')),
  attempt INTEGER NOT NULL,
  teacher_score REAL,
  student_score REAL,
  failure TEXT NOT NULL,
  text TEXT NOT NULL,
  reply_key TEXT NOT NULL,
  UNIQUE (author, instruction_id, answer_order, attempt, stage)
) STRICT;
CREATE INDEX judgments_by_instruction ON judgments (instruction_id);

CREATE TABLE fits (
  seq INTEGER PRIMARY KEY,
  stage TEXT NOT NULL,
  instruction_id TEXT NOT NULL,
  author TEXT NOT NULL,
  teacher_score REAL,
  student_score REAL,
  orders INTEGER NOT NULL,
  truncated INTEGER NOT NULL,
  UNIQUE (author, instruction_id, stage)
) STRICT;

CREATE TABLE teach_rows (
  seq INTEGER PRIMARY KEY,
  stage TEXT NOT NULL,
  arm TEXT NOT NULL,
  round INTEGER NOT NULL,
  instruction_id TEXT NOT NULL,
  task TEXT NOT NULL,
  outcome TEXT NOT NULL,
  parent_id TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT;
CREATE INDEX teach_rows_by_arm ON teach_rows (arm);
CREATE UNIQUE INDEX teach_rows_with_id ON teach_rows (stage, arm, round, instruction_id, outcome)
  WHERE instruction_id <> '';

CREATE TABLE mixture (
  seq INTEGER PRIMARY KEY,
  stage TEXT NOT NULL,
  arm TEXT NOT NULL,
  round INTEGER NOT NULL,
  position INTEGER NOT NULL,
  instruction_id TEXT NOT NULL,
  author TEXT NOT NULL,
  stratum TEXT NOT NULL CHECK (stratum IN ('hard', 'easy')),
  task TEXT NOT NULL,
  repeat INTEGER NOT NULL,
  UNIQUE (arm, round, position)
) STRICT;

CREATE TABLE exam_rows (
  seq INTEGER PRIMARY KEY,
  stage TEXT NOT NULL,
  student TEXT NOT NULL,
  item_set TEXT NOT NULL,
  item_id TEXT NOT NULL,
  family TEXT NOT NULL,
  level INTEGER NOT NULL,
  answer TEXT NOT NULL,
  correct INTEGER NOT NULL,
  score REAL,
  UNIQUE (student, item_set, item_id, stage)
) STRICT;

CREATE TABLE trainings (
  seq INTEGER PRIMARY KEY,
  stage TEXT NOT NULL,
  student TEXT NOT NULL,
  steps INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  supervised_tokens INTEGER NOT NULL,
  row_count INTEGER NOT NULL,
  distinct_rows INTEGER NOT NULL,
  first_loss REAL,
  last_loss REAL,
  seconds REAL,
  folder TEXT NOT NULL,
  digest TEXT NOT NULL,
  UNIQUE (student, stage)
) STRICT;

CREATE TABLE replies (
  seq INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  row_id TEXT NOT NULL,
  stage TEXT NOT NULL,
  role TEXT NOT NULL,
  model TEXT NOT NULL,
  status TEXT NOT NULL,
  text TEXT NOT NULL,
  error TEXT NOT NULL,
  finish_reason TEXT NOT NULL,
  top_logprobs TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  cached_prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  paid_prompt_tokens INTEGER NOT NULL,
  paid_cached_prompt_tokens INTEGER NOT NULL,
  paid_completion_tokens INTEGER NOT NULL,
  usd REAL NOT NULL,
  seconds REAL NOT NULL,
  sends INTEGER NOT NULL
) STRICT;
)sql";

// Instruction-Following Difficulty beside the judged scores.
constexpr const char* kVersion2 = "ALTER TABLE fits ADD COLUMN ifd REAL";

// The loss on an answer of the exam, beside the score of the student's own.
constexpr const char* kVersion3 =
    "ALTER TABLE exam_rows ADD COLUMN loss REAL;"
    "ALTER TABLE exam_rows ADD COLUMN loss_tokens INTEGER NOT NULL DEFAULT 0";

// Entry v takes a store of version v to v + 1.
constexpr std::array<const char*, kSchemaVersion> kUpgrades = {kVersion1, kVersion2, kVersion3};

int version_of(Connection& connection) {
  return static_cast<int>(connection.integer("PRAGMA user_version"));
}

bool is_empty(Connection& connection) {
  return connection.integer("SELECT count(*) FROM sqlite_schema") == 0 &&
         connection.integer("PRAGMA application_id") == 0 && version_of(connection) == 0;
}

[[noreturn]] void not_a_store(const std::filesystem::path& file) {
  throw Error(ErrorKind::data,
              "run store " + file.string() + ": expected a run of tapir, found another SQLite file",
              "give the folder of a run of tapir, or start a new run in another folder");
}

}  // namespace

void check_schema(Connection& connection, const std::filesystem::path& file) {
  if (connection.integer("PRAGMA application_id") != kApplicationId) not_a_store(file);
  const int version = version_of(connection);
  if (version > kSchemaVersion) {
    throw Error(ErrorKind::data,
                "run store " + file.string() + ": expected schema version " +
                    std::to_string(kSchemaVersion) + " or older, found " + std::to_string(version),
                "this run was written by a newer tapir: use that one, or start a new run in "
                "another folder");
  }
  if (version < 1) not_a_store(file);
}

void show_as_newest(Connection& connection) {
  // A table of the temporary schema is found before the file's.
  const int version = version_of(connection);
  if (version < 2)
    connection.execute("CREATE TEMP VIEW fits AS SELECT *, NULL AS ifd FROM main.fits");
  if (version < 3) {
    connection.execute(
        "CREATE TEMP VIEW exam_rows AS SELECT *, NULL AS loss, 0 AS loss_tokens "
        "FROM main.exam_rows");
  }
}

void create_or_upgrade(Connection& connection, const std::filesystem::path& file) {
  if (!is_empty(connection)) {
    check_schema(connection, file);
    if (version_of(connection) == kSchemaVersion) return;
  }
  Transaction transaction(connection);
  for (int version = version_of(connection); version < kSchemaVersion; ++version) {
    connection.execute(kUpgrades.at(static_cast<std::size_t>(version)));
  }
  connection.execute("PRAGMA application_id = " + std::to_string(kApplicationId));
  connection.execute("PRAGMA user_version = " + std::to_string(kSchemaVersion));
  transaction.commit();
}

}  // namespace tapir::store
