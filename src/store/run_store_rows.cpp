// The rows of the method in the store: instructions, responses, judgments, fits, teaching,
// mixtures, exams, trainings.
#include <algorithm>

#include "base/error.h"
#include "store/sqlite_run_store.h"

namespace tapir::store {
namespace {

// A row that two stages wrote is there twice: the one written last counts. SQLite takes the other
// columns from the row where max() was found.

// The task is the last one set (tasks), else the one that the instruction brought.
constexpr std::string_view kInstructions =
    "SELECT i.id, i.messages, coalesce((SELECT t.task FROM tasks t WHERE t.instruction_id = i.id"
    " ORDER BY t.seq DESC LIMIT 1), i.task), i.source, i.parent_id, i.round, max(i.seq) FROM "
    "instructions i ";

Instruction instruction_of(const Statement& row) {
  const std::string id = row.text(0);
  return {id,          messages_from_json(row.text(1), "instruction " + id + " of the run store"),
          row.text(2), row.text(3),
          row.text(4), row.small(5)};
}

constexpr std::string_view kResponses =
    "SELECT instruction_id, author, text, finish_reason, tokens, reply_key, max(seq) FROM "
    "responses ";

Response response_of(const Statement& row) {
  const std::string id = row.text(0);
  return {id,
          row.text(1),
          row.text(2),
          parse_finish_reason(row.text(3), "response to " + id),
          row.integer(4),
          row.text(5)};
}

constexpr std::string_view kJudgments =
    "SELECT instruction_id, author, answer_order, attempt, teacher_score, student_score, failure, "
    "text, reply_key,"
    " max(seq) FROM judgments ";

std::optional<double> score_of(const Statement& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(row.real(column));
}

Judgment judgment_of(const Statement& row) {
  Judgment judgment;
  judgment.instruction_id = row.text(0);
  judgment.author = row.text(1);
  judgment.order =
      row.text(2) == to_string(Order::teacher_first) ? Order::teacher_first : Order::student_first;
  judgment.attempt = row.small(3);
  judgment.teacher_score = score_of(row, 4);
  judgment.student_score = score_of(row, 5);
  judgment.failure = row.text(6);
  judgment.text = row.text(7);
  judgment.reply_key = row.text(8);
  return judgment;
}

std::string first_column(const Statement& row) { return row.text(0); }

}  // namespace

// ---- writes ----

void SqliteRunStore::put_instruction(std::string_view stage, const Instruction& instruction) {
  put("INSERT OR REPLACE INTO instructions (stage, id, round, source, parent_id, task, messages)"
      " VALUES (?, ?, ?, ?, ?, ?, ?)",
      std::string(stage), instruction.id, instruction.round, instruction.source,
      instruction.parent_id, instruction.task, messages_to_json(instruction.messages));
}

void SqliteRunStore::set_task(std::string_view stage, std::string_view instruction_id,
                              std::string_view task, double confidence) {
  put("INSERT OR REPLACE INTO tasks (stage, instruction_id, task, confidence) VALUES (?, ?, ?, ?)",
      std::string(stage), std::string(instruction_id), std::string(task), confidence);
}

void SqliteRunStore::put_response(std::string_view stage, const Response& response) {
  put("INSERT OR REPLACE INTO responses (stage, instruction_id, author, text, finish_reason, "
      "tokens, reply_key)"
      " VALUES (?, ?, ?, ?, ?, ?, ?)",
      std::string(stage), response.instruction_id, response.author, response.text,
      to_string(response.finish_reason), response.tokens, response.reply_key);
}

void SqliteRunStore::put_judgment(std::string_view stage, const Judgment& judgment) {
  put("INSERT OR REPLACE INTO judgments (stage, instruction_id, author, answer_order, attempt, "
      "teacher_score,"
      " student_score, failure, text, reply_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      std::string(stage), judgment.instruction_id, judgment.author, to_string(judgment.order),
      judgment.attempt, judgment.teacher_score, judgment.student_score, judgment.failure,
      judgment.text, judgment.reply_key);
}

void SqliteRunStore::put_fit(std::string_view stage, const Fit& fit) {
  put("INSERT OR REPLACE INTO fits (stage, instruction_id, author, teacher_score, student_score, "
      "orders, truncated, ifd)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      std::string(stage), fit.instruction_id, fit.author, fit.teacher_score, fit.student_score,
      fit.orders, fit.truncated, fit.ifd);
}

void SqliteRunStore::put_teach_row(std::string_view stage, const TeachRow& row) {
  // A row with an id that is decided again (after a kill) keeps its place; rows without one are all
  // kept.
  put("INSERT INTO teach_rows (stage, arm, round, instruction_id, task, outcome, parent_id, text)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
      " ON CONFLICT (stage, arm, round, instruction_id, outcome) WHERE instruction_id <> ''"
      " DO UPDATE SET task = excluded.task, parent_id = excluded.parent_id, text = excluded.text",
      std::string(stage), row.arm, row.round, row.instruction_id, row.task, row.outcome,
      row.parent_id, row.text);
}

void SqliteRunStore::put_mixture(std::string_view stage, std::string_view arm, int round,
                                 const std::vector<MixtureRow>& rows) {
  writes().put({[stage = std::string(stage), arm = std::string(arm), round, rows](Connection& db) {
    db.run("DELETE FROM mixture WHERE arm = ? AND round = ?", arm, round);
    std::int64_t position = 0;
    for (const MixtureRow& row : rows) {
      db.run(
          "INSERT INTO mixture (stage, arm, round, position, instruction_id, author, stratum, "
          "task, repeat)"
          " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
          stage, arm, round, position++, row.instruction_id, row.author, to_string(row.stratum),
          row.task, row.repeat);
    }
  }});
}

std::string_view main_exam_set(const std::vector<ExamRow>& rows) {
  constexpr std::string_view kEven = "uniform";
  std::vector<std::string_view> by_rank = {kEven, kHeldOutSet};
  by_rank.insert(by_rank.end(), kEvaluationSets.begin(), kEvaluationSets.end());
  const auto sat = std::find_if(by_rank.begin(), by_rank.end(), [&](std::string_view set) {
    return std::any_of(rows.begin(), rows.end(),
                       [set](const ExamRow& row) { return row.set == set; });
  });
  return sat == by_rank.end() ? kEven : *sat;
}

void SqliteRunStore::put_exam_row(std::string_view stage, const ExamRow& row) {
  put("INSERT OR REPLACE INTO exam_rows (stage, student, item_set, item_id, family, level, answer, "
      "correct, score, loss, loss_tokens)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      std::string(stage), row.student, row.set, row.item_id, row.family, row.level, row.answer,
      row.correct, row.score, row.loss, row.loss_tokens);
}

void SqliteRunStore::put_training(std::string_view stage, const TrainRecord& record) {
  put("INSERT OR REPLACE INTO trainings (stage, student, steps, tokens, supervised_tokens, "
      "row_count, distinct_rows,"
      " first_loss, last_loss, seconds, folder, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
      "?)",
      std::string(stage), record.student, record.steps, record.tokens, record.supervised_tokens,
      record.rows, record.distinct_rows, record.first_loss, record.last_loss, record.seconds,
      record.folder, record.digest);
}

// ---- reads ----

std::vector<Instruction> SqliteRunStore::instructions(std::optional<int> round) const {
  const std::string select(kInstructions);
  if (!round) return read_all(select + "GROUP BY i.id ORDER BY i.id", instruction_of);
  return read_all(select + "WHERE i.round = ? GROUP BY i.id ORDER BY i.id", instruction_of, *round);
}

std::optional<Instruction> SqliteRunStore::instruction(std::string_view id) const {
  std::optional<Instruction> found;
  read(
      std::string(kInstructions) + "WHERE i.id = ? GROUP BY i.id",
      [&](const Statement& row) { found = instruction_of(row); }, id);
  return found;
}

std::vector<Response> SqliteRunStore::responses(std::string_view author) const {
  return read_all(
      std::string(kResponses) + "WHERE author = ? GROUP BY instruction_id ORDER BY instruction_id",
      response_of, author);
}

std::vector<Response> SqliteRunStore::responses_of(std::string_view instruction_id) const {
  return read_all(
      std::string(kResponses) + "WHERE instruction_id = ? GROUP BY author ORDER BY author",
      response_of, instruction_id);
}

std::vector<std::string> SqliteRunStore::authors() const {
  return read_all("SELECT DISTINCT author FROM responses ORDER BY author", first_column);
}

std::vector<Judgment> SqliteRunStore::judgments(std::string_view author) const {
  return read_all(std::string(kJudgments) +
                      "WHERE author = ? GROUP BY instruction_id, answer_order, attempt"
                      " ORDER BY instruction_id, answer_order DESC, attempt",
                  judgment_of, author);
}

std::vector<Judgment> SqliteRunStore::judgments_of(std::string_view instruction_id) const {
  return read_all(std::string(kJudgments) +
                      "WHERE instruction_id = ? GROUP BY author, answer_order, attempt"
                      " ORDER BY author, answer_order DESC, attempt",
                  judgment_of, instruction_id);
}

std::vector<Fit> SqliteRunStore::fits(std::string_view author) const {
  return read_all(
      "SELECT instruction_id, author, teacher_score, student_score, orders, truncated, ifd, "
      "max(seq) FROM fits"
      " WHERE author = ? GROUP BY instruction_id ORDER BY instruction_id",
      [](const Statement& row) {
        return Fit{row.text(0),  row.text(1), row.real(2),     row.real(3),
                   row.small(4), row.flag(5), score_of(row, 6)};
      },
      author);
}

std::vector<TeachRow> SqliteRunStore::teach_rows(std::string_view arm) const {
  return read_all(
      "SELECT arm, round, instruction_id, task, outcome, parent_id, text FROM teach_rows WHERE arm "
      "= ? ORDER BY seq",
      [](const Statement& row) {
        return TeachRow{row.text(0), row.small(1), row.text(2), row.text(3),
                        row.text(4), row.text(5),  row.text(6)};
      },
      arm);
}

std::vector<MixtureRow> SqliteRunStore::mixture(std::string_view arm, int round) const {
  return read_all(
      "SELECT instruction_id, author, stratum, task, repeat FROM mixture WHERE arm = ? AND round = "
      "?"
      " ORDER BY position",
      [](const Statement& row) {
        const Stratum stratum =
            row.text(2) == to_string(Stratum::hard) ? Stratum::hard : Stratum::easy;
        return MixtureRow{row.text(0), row.text(1), stratum, row.text(3), row.small(4)};
      },
      arm, round);
}

std::vector<ExamRow> SqliteRunStore::exam_rows(std::string_view student) const {
  return read_all(
      "SELECT student, item_id, item_set, family, level, answer, correct, score, loss, "
      "loss_tokens, max(seq) FROM exam_rows"
      " WHERE student = ? GROUP BY item_set, item_id ORDER BY item_set, item_id",
      [](const Statement& row) {
        return ExamRow{row.text(0), row.text(1), row.text(2), row.text(3),      row.small(4),
                       row.text(5), row.flag(6), row.real(7), score_of(row, 8), row.integer(9)};
      },
      student);
}

std::vector<std::string> SqliteRunStore::exam_students() const {
  return read_all("SELECT DISTINCT student FROM exam_rows ORDER BY student", first_column);
}

std::vector<TrainRecord> SqliteRunStore::trainings() const {
  return read_all(
      "SELECT student, steps, tokens, supervised_tokens, row_count, distinct_rows, first_loss, "
      "last_loss, seconds,"
      " folder, digest, max(seq) AS written FROM trainings GROUP BY student ORDER BY written",
      [](const Statement& row) {
        return TrainRecord{row.text(0),    row.integer(1), row.integer(2), row.integer(3),
                           row.integer(4), row.integer(5), row.real(6),    row.real(7),
                           row.real(8),    row.text(9),    row.text(10)};
      });
}

}  // namespace tapir::store
