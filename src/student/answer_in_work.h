// A chat request from its admission to its reply. Internal to student/; no torch here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "llm/chat_model.h"
#include "student/answer_stream.h"
#include "student/running_batch.h"
#include "student/student.h"
#include "text/chat_format.h"
#include "text/tokenizer.h"

namespace tapir::student {

// A request that waits, with all that could be found out about it before a worker takes it.
struct ChatJob {
  llm::ChatRequest request;  // without its text, which is in the prompt
  bool raw_text = false;     // no conversation was asked
  llm::Streaming streaming;
  llm::Completion done;
  llm::ChatReply reply;  // row_id and key are there; failure: why it will not be answered
  std::vector<std::int32_t> prompt;
  SamplingParameters sampling;
  std::string draw_id;  // names its stream of random numbers
  std::chrono::steady_clock::time_point submitted;

  bool unwanted() const { return streaming.cancel.stop_requested(); }
  void cancel();  // its reply says so
  // The reply goes to the one who asked. Call once, last of all.
  void finish();
};

// One job in a slot of a batch. tokenizer and format outlive it.
class AnswerInWork {
 public:
  AnswerInWork(ChatJob job, const text::Tokenizer& tokenizer, const text::ChatFormat& format);

  // Holds as long as this object does.
  RowStart start() const { return {job_.prompt, job_.sampling, job_.draw_id}; }
  // The next token. False: the answer is complete (a stop string, or the token's state says so).
  bool take(const RowToken& token);
  bool unwanted() const { return job_.unwanted(); }
  // Sends the reply. `tokens`: all that were generated.
  void finish(std::span<const std::int32_t> tokens);
  void fail(llm::Failure failure, const std::string& error);

 private:
  struct Ranks {
    std::size_t start;  // of the token in the decoded text
    llm::TokenLogprob token;
    std::vector<llm::TokenLogprob> top;
  };
  void rank(const RowToken& token);
  void show();
  std::vector<Ranks> settled_ranks(bool all);
  void keep(std::vector<Ranks> ranks, llm::ChatDelta* delta);

  ChatJob job_;
  const text::Tokenizer& tokenizer_;
  const text::ChatFormat* format_;  // null: raw text
  AnswerStream stream_;
  const bool streams_;  // the text is needed while the answer is being made
  std::deque<Ranks> ranks_;
  RowState state_ = RowState::running;
};

}  // namespace tapir::student
