// Asks a model about rows, each again until its reply can be read or its attempts are used up: the
// loop that judging, labelling, expansion and refinement share, on top of ask_all().
#pragma once

#include <cstddef>
#include <deque>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/progress.h"
#include "base/strings.h"
#include "llm/ask_all.h"
#include "llm/chat_model.h"

namespace tapir::llm {

// What is asked and what becomes of the replies. All calls come on the caller's thread; replies in
// any order.
class RowQuestions {
 public:
  virtual ~RowQuestions() = default;
  virtual std::size_t rows() const = 0;
  virtual int first_attempt(std::size_t /*row*/) const { return 0; }
  // row_id must be unique among the rows.
  virtual ChatRequest request(std::size_t row, int attempt) = 0;
  // An answer came. True: it could be read, the row is done. False: asked again while attempts are
  // left.
  virtual bool read(std::size_t row, int attempt, const ChatReply& reply) = 0;
  // No answer came (reply.failure, transient or terminal): the row is not asked again in this
  // sitting.
  virtual void unanswered(std::size_t row, int attempt, const ChatReply& reply) = 0;
};

struct AskRowsOptions {
  int max_attempts = 1;             // attempts 0 .. max_attempts - 1
  std::string stage;                // of the accounts and of the progress
  std::size_t max_in_flight = 256;  // speed only
  // When of so many new replies to first attempts not one could be read, nobody reads the rest:
  // they are not paid for. 0: off, as where others were read before.
  int unread_at_first = 64;
};

// Returns when every row is read, unanswered or out of attempts; after stop, when what was admitted
// is taken in. Error{endpoint} when the first replies are all unreadable (unread_at_first), with
// the beginning of the last one.
void ask_rows(ChatModel& model, RowQuestions& questions, const AskRowsOptions& options,
              ProgressSink& progress, std::stop_token stop);

// ---- implementation ----
namespace ask_rows_detail {

class Loop : public RequestSource, public ReplySink {
 public:
  Loop(RowQuestions& questions, const AskRowsOptions& options, ProgressSink& progress)
      : questions_(questions), options_(options), progress_(progress) {
    update_.stage = options.stage;
    update_.total = questions.rows();
  }

  std::optional<ChatRequest> next() override {
    Turn turn;
    if (!again_.empty()) {
      turn = again_.front();
      again_.pop_front();
    } else if (next_row_ < questions_.rows()) {
      turn = {next_row_, questions_.first_attempt(next_row_)};
      ++next_row_;
    } else {
      return std::nullopt;
    }
    ChatRequest request = questions_.request(turn.row, turn.attempt);
    request.stage = options_.stage;
    request.attempt = turn.attempt;
    check(in_flight_.emplace(request.row_id, turn).second, "ask_rows: row_id is unique");
    return request;
  }

  void take(ChatReply reply) override {
    const auto found = in_flight_.find(reply.row_id);
    check(found != in_flight_.end(), "ask_rows: a reply to a request in flight");
    const Turn turn = found->second;
    in_flight_.erase(found);
    update_.usd += reply.usd;
    if (!reply.ok()) {
      questions_.unanswered(turn.row, turn.attempt, reply);
      ++update_.failed;
    } else if (questions_.read(turn.row, turn.attempt, reply)) {
      any_read_ = true;
      ++update_.done;
    } else if (check_readable(turn, reply); turn.attempt + 1 < options_.max_attempts) {
      again_.push_back({turn.row, turn.attempt + 1});
    } else {
      ++update_.failed;
    }
    progress_.update(update_);
  }

 private:
  struct Turn {
    std::size_t row = 0;
    int attempt = 0;
  };
  void check_readable(const Turn& turn, const ChatReply& reply) {
    if (any_read_ || turn.attempt > 0 || reply.from_cache || options_.unread_at_first <= 0) return;
    if (++unread_ < options_.unread_at_first) return;
    throw Error(ErrorKind::endpoint,
                options_.stage + ": not one of the first " + std::to_string(unread_) +
                    " replies could be read, so no more are asked for; the last one begins: \"" +
                    join(split_whitespace(valid_utf8(reply.text.substr(0, kShownBytes))), " ") +
                    "\"",
                "does the model do what the prompt asks for? Try another model, or prompts of your "
                "own (teach.prompts)");
  }

  static constexpr std::size_t kShownBytes = 200;
  RowQuestions& questions_;
  const AskRowsOptions& options_;
  ProgressSink& progress_;
  ProgressUpdate update_;
  std::size_t next_row_ = 0;
  bool any_read_ = false;
  int unread_ = 0;
  std::deque<Turn> again_;
  std::unordered_map<std::string, Turn> in_flight_;  // by row_id; looked up only
};

}  // namespace ask_rows_detail

inline void ask_rows(ChatModel& model, RowQuestions& questions, const AskRowsOptions& options,
                     ProgressSink& progress, std::stop_token stop) {
  ask_rows_detail::Loop loop(questions, options, progress);
  ask_all(model, loop, loop, AskOptions{options.max_in_flight}, std::move(stop));
}

}  // namespace tapir::llm
