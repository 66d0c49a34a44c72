#include "student/answer_in_work.h"

#include <exception>
#include <utility>

#include "student/token_logprobs.h"

namespace tapir::student {

void ChatJob::cancel() {
  reply.failure = llm::Failure::stopped;
  reply.error = "cancelled";
}

void ChatJob::finish() {
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - submitted;
  reply.seconds = spent.count();
  done(std::move(reply));
}

AnswerInWork::AnswerInWork(ChatJob job, const text::Tokenizer& tokenizer,
                           const text::ChatFormat& format)
    : job_(std::move(job)),
      tokenizer_(tokenizer),
      format_(job_.raw_text ? nullptr : &format),
      stream_(tokenizer, format_, job_.request.sampling.stop),
      streams_(job_.streaming.on_delta != nullptr || !job_.request.sampling.stop.empty()) {
  job_.reply.usage.prompt_tokens = static_cast<std::int64_t>(job_.prompt.size());
  job_.reply.attempts_charged = 1;
}

bool AnswerInWork::take(const RowToken& token) {
  state_ = token.state;
  if (state_ != RowState::ended) {
    if (job_.request.sampling.logprobs) rank(token);
    if (streams_) stream_.push(token.token);
  }
  if (state_ != RowState::running || stream_.stopped()) return false;
  if (job_.streaming.on_delta) show();
  return true;
}

void AnswerInWork::rank(const RowToken& token) {
  const TokenRanks ranks =
      rank_token(token.logits, token.token, job_.request.sampling.top_logprobs);
  Ranks entry{stream_.size(), {tokenizer_.token_bytes(token.token), ranks.logprob}, {}};
  for (const RankedToken& likely : ranks.top) {
    entry.top.push_back({tokenizer_.token_bytes(likely.token), likely.logprob});
  }
  ranks_.push_back(std::move(entry));
}

// Those of tokens whose text has been given out.
std::vector<AnswerInWork::Ranks> AnswerInWork::settled_ranks(bool all) {
  std::vector<Ranks> settled;
  while (!ranks_.empty() && (all || ranks_.front().start < stream_.taken())) {
    settled.push_back(std::move(ranks_.front()));
    ranks_.pop_front();
  }
  return settled;
}

void AnswerInWork::keep(std::vector<Ranks> ranks, llm::ChatDelta* delta) {
  for (Ranks& entry : ranks) {
    if (delta != nullptr) {
      delta->logprobs.push_back(entry.token);
      delta->top_logprobs.push_back(entry.top);
    }
    job_.reply.logprobs.push_back(std::move(entry.token));
    job_.reply.top_logprobs.push_back(std::move(entry.top));
  }
}

void AnswerInWork::show() {
  llm::ChatDelta delta;
  delta.text = stream_.take();
  keep(settled_ranks(/*all=*/false), &delta);
  if (delta.text.empty() && delta.logprobs.empty()) return;
  job_.reply.text += delta.text;
  job_.streaming.on_delta(std::move(delta));
}

void AnswerInWork::finish(std::span<const std::int32_t> tokens) {
  llm::ChatReply& reply = job_.reply;
  reply.usage.completion_tokens = static_cast<std::int64_t>(tokens.size());
  reply.finish_reason = state_ == RowState::cut ? FinishReason::length : FinishReason::stop;
  llm::ChatDelta last;
  if (streams_) {
    stream_.finish();
    if (stream_.stopped()) {
      reply.finish_reason = FinishReason::stop;
      // Tokens of the stop string are not of the answer.
      while (!ranks_.empty() && ranks_.back().start >= stream_.size()) ranks_.pop_back();
    }
    last.text = stream_.take();
    reply.text += last.text;
  } else {
    const bool ended = state_ == RowState::ended;
    reply.text = tokenizer_.decode(tokens.first(tokens.size() - (ended ? 1 : 0)),
                                   /*skip_special_tokens=*/true);
    if (format_ != nullptr) reply.text = format_->answer_text(reply.text);
  }
  keep(settled_ranks(/*all=*/true), &last);
  if (job_.streaming.on_delta && (!last.text.empty() || !last.logprobs.empty())) {
    job_.streaming.on_delta(std::move(last));
  }
  job_.finish();
}

void AnswerInWork::fail(llm::Failure failure, const std::string& error) {
  job_.reply.failure = failure;
  job_.reply.error = error;
  job_.finish();
}

}  // namespace tapir::student
