// Replies: what was paid for, found again by its key.
#include "base/error.h"
#include "base/strings.h"
#include "store/schema.h"
#include "store/sqlite_run_store.h"

namespace tapir::store {
namespace {

// The same key again: what was spent adds up; the rest is replaced, but never an answer by a
// failure.
std::string put_reply_sql() {
  std::vector<std::string> updates;
  for (const std::string column : {"paid_prompt_tokens", "paid_cached_prompt_tokens",
                                   "paid_completion_tokens", "usd", "seconds", "sends"}) {
    updates.push_back(column + " = " + column + " + excluded." + column);
  }
  for (const std::string column :
       {"row_id", "stage", "role", "model", "text", "error", "finish_reason", "top_logprobs",
        "prompt_tokens", "cached_prompt_tokens", "completion_tokens", "status"}) {
    updates.push_back(column + " = iif(status = 'ok' AND excluded.status <> 'ok', " + column +
                      ", excluded." + column + ")");
  }
  return "INSERT INTO replies (key, row_id, stage, role, model, status, text, error, "
         "finish_reason, top_logprobs,"
         " prompt_tokens, cached_prompt_tokens, completion_tokens,"
         " paid_prompt_tokens, paid_cached_prompt_tokens, paid_completion_tokens, usd, seconds, "
         "sends)"
         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?11, ?12, ?13, ?14, "
         "?15, ?16)"
         " ON CONFLICT (key) DO UPDATE SET " +
         join(updates, ", ");
}

void write_reply(Connection& db, const ReplyRecord& r) {
  static const std::string sql = put_reply_sql();
  db.run(sql, r.key, r.row_id, r.stage, r.role, r.model, r.status, r.text, r.error,
         to_string(r.finish_reason), r.top_logprobs, r.prompt_tokens, r.cached_prompt_tokens,
         r.completion_tokens, r.usd, r.seconds, r.sends);
}

constexpr std::string_view kReplies =
    "SELECT key, row_id, stage, role, model, status, text, error, finish_reason, top_logprobs, "
    "prompt_tokens, cached_prompt_tokens, completion_tokens, usd, seconds, sends FROM replies ";

ReplyRecord reply_of(const Statement& row) {
  ReplyRecord r;
  r.key = row.text(0);
  r.row_id = row.text(1);
  r.stage = row.text(2);
  r.role = row.text(3);
  r.model = row.text(4);
  r.status = row.text(5);
  r.text = row.text(6);
  r.error = row.text(7);
  r.finish_reason = parse_finish_reason(row.text(8), "reply " + r.key + " of the run store");
  r.top_logprobs = row.text(9);
  r.prompt_tokens = row.integer(10);
  r.cached_prompt_tokens = row.integer(11);
  r.completion_tokens = row.integer(12);
  r.usd = row.real(13);
  r.seconds = row.real(14);
  r.sends = row.small(15);
  return r;
}

// Detaches however the copying ends.
class Attached {
 public:
  Attached(Connection& db, const std::filesystem::path& file) : db_(db) {
    db_.run("ATTACH DATABASE ? AS other", file.string());
  }
  ~Attached() { sqlite3_exec(db_.handle(), "DETACH DATABASE other", nullptr, nullptr, nullptr); }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;

 private:
  Connection& db_;
};

// A copied reply cost this run nothing; what this run spent itself on the same key stays booked.
std::int64_t copy_replies(Connection& db, const std::filesystem::path& other) {
  const Attached attached(db, other);
  Transaction transaction(db);
  db.run(
      "INSERT INTO replies (key, row_id, stage, role, model, status, text, error, finish_reason, "
      "top_logprobs,"
      " prompt_tokens, cached_prompt_tokens, completion_tokens, paid_prompt_tokens, "
      "paid_cached_prompt_tokens,"
      " paid_completion_tokens, usd, seconds, sends)"
      " SELECT key, row_id, stage, role, model, status, text, error, finish_reason, top_logprobs, "
      "prompt_tokens,"
      " cached_prompt_tokens, completion_tokens, 0, 0, 0, 0, 0, 0 FROM other.replies o WHERE "
      "o.status = 'ok'"
      " AND NOT EXISTS (SELECT 1 FROM main.replies m WHERE m.key = o.key AND m.status = 'ok') "
      "ORDER BY o.seq"
      " ON CONFLICT (key) DO UPDATE SET status = excluded.status, text = excluded.text, error = "
      "excluded.error,"
      " finish_reason = excluded.finish_reason, top_logprobs = excluded.top_logprobs,"
      " prompt_tokens = excluded.prompt_tokens, cached_prompt_tokens = "
      "excluded.cached_prompt_tokens,"
      " completion_tokens = excluded.completion_tokens");
  const std::int64_t copied = db.changes();
  transaction.commit();
  return copied;
}

}  // namespace

void SqliteRunStore::put_reply(const ReplyRecord& reply) {
  put_reply_record(reply, {}, /*bounded=*/true);
}

void SqliteRunStore::put_reply_then(const ReplyRecord& reply, std::function<void()> done) {
  put_reply_record(reply, std::move(done), /*bounded=*/false);
}

void SqliteRunStore::put_reply_record(const ReplyRecord& reply, std::function<void()> done,
                                      bool bounded) {
  {
    const std::lock_guard lock(pending_mutex_);
    ++pending_replies_[reply.key];
  }
  try {
    writes().put({.work = [reply](Connection& db) { write_reply(db, reply); },
                  .done =
                      [this, key = reply.key, done = std::move(done)] {
                        reply_settled(key);
                        if (done) done();
                      },
                  .bounded = bounded});
  } catch (...) {
    reply_settled(reply.key);
    throw;
  }
}

void SqliteRunStore::reply_settled(const std::string& key) {
  const std::lock_guard lock(pending_mutex_);
  const auto found = pending_replies_.find(key);
  if (--found->second == 0) pending_replies_.erase(found);
}

std::optional<ReplyRecord> SqliteRunStore::reply(std::string_view key) const {
  bool pending = false;
  {
    const std::lock_guard lock(pending_mutex_);
    pending = pending_replies_.contains(key);
  }
  if (writes_ && pending) writes_->flush();
  throw_if_failed();
  std::optional<ReplyRecord> found;
  read_committed(
      std::string(kReplies) + "WHERE key = ?", [&](const Statement& row) { found = reply_of(row); },
      key);
  return found;
}

void SqliteRunStore::for_each_reply(std::string_view status,
                                    const std::function<void(const ReplyRecord&)>& reply) const {
  read(
      std::string(kReplies) + "WHERE status = ? ORDER BY seq",
      [&](const Statement& row) { reply(reply_of(row)); }, status);
}

void SqliteRunStore::outdate_waiting() {
  put("UPDATE replies SET status = ? WHERE status = ?", std::string(kOutdated),
      std::string(kWaiting));
}

std::vector<UsageRow> SqliteRunStore::usage() const {
  return read_all(
      "SELECT stage, role, model, sum(status NOT IN ('waiting', 'outdated')),"
      " sum(status NOT IN ('ok', 'waiting', 'outdated')), sum(sends), sum(paid_prompt_tokens),"
      " sum(paid_cached_prompt_tokens), sum(paid_completion_tokens), sum(usd), sum(seconds),"
      " sum(status = 'waiting') FROM replies"
      " GROUP BY stage, role, model ORDER BY stage, role, model",
      [](const Statement& row) {
        UsageRow usage{row.text(0), row.text(1), row.text(2)};
        usage.replies = row.integer(3);
        usage.failed = row.integer(4);
        usage.sends = row.integer(5);
        usage.prompt_tokens = row.integer(6);
        usage.cached_prompt_tokens = row.integer(7);
        usage.completion_tokens = row.integer(8);
        usage.usd = row.real(9);
        usage.seconds = row.real(10);
        usage.waiting = row.integer(11);
        return usage;
      });
}

std::int64_t SqliteRunStore::copy_replies_from(const std::filesystem::path& other_store) {
  std::error_code code;
  if (std::filesystem::equivalent(file_, other_store, code)) {
    throw Error(ErrorKind::usage,
                "run store " + file_.string() + ": replies cannot be taken from the run itself",
                "give another run");
  }
  // Opened once by itself, for its errors: no file, no store, a newer schema.
  SqliteRunStore::open_with(other_store, OpenMode::read_only, Journal::automatic);
  std::int64_t copied = 0;
  writes().put(
      {.work = [&copied, other_store](Connection& db) { copied = copy_replies(db, other_store); },
       .alone = true});
  flush();
  return copied;
}

}  // namespace tapir::store
