#include "evaluate/alpaca_ask.h"

#include <utility>

#include "base/strings.h"
#include "evaluate/alpaca_judge.h"
#include "llm/ask_rows.h"
#include "stats/intervals.h"

namespace tapir::evaluate {
namespace {

class AnswerQuestions : public llm::RowQuestions {
 public:
  AnswerQuestions(std::span<const std::string> instructions, const AlpacaAnswerOptions& options)
      : instructions_(instructions), options_(options) {
    answers_.outputs.resize(instructions.size());
  }

  std::size_t rows() const override { return instructions_.size(); }

  llm::ChatRequest request(std::size_t row, int /*attempt*/) override {
    llm::ChatRequest request;
    request.row_id = std::to_string(row);
    request.messages = {{Role::user, instructions_[row]}};
    request.sampling = options_.sampling;
    request.cut_is_answer = true;
    return request;
  }

  bool read(std::size_t row, int /*attempt*/, const llm::ChatReply& reply) override {
    ++read_;
    answers_.outputs[row] = std::string(trim(reply.text));
    answers_.truncated += reply.finish_reason == FinishReason::length ? 1 : 0;
    answers_.empty += answers_.outputs[row]->empty() ? 1 : 0;
    return true;
  }

  void unanswered(std::size_t /*row*/, int /*attempt*/, const llm::ChatReply& reply) override {
    if (is_transient(reply.failure)) return;
    ++read_;
    ++answers_.failed[std::string(to_string(reply.failure))];
  }

  AlpacaAnswers take() {
    answers_.complete = read_ == instructions_.size();
    return std::move(answers_);
  }

 private:
  std::span<const std::string> instructions_;
  const AlpacaAnswerOptions& options_;
  AlpacaAnswers answers_;
  std::size_t read_ = 0;  // rows that are done with, for better or worse
};

class JudgeQuestions : public llm::RowQuestions {
 public:
  JudgeQuestions(std::span<const AlpacaPair> pairs, const prompting::PairTemplate& prompt,
                 const AlpacaJudgeOptions& options)
      : pairs_(pairs), prompt_(prompt), options_(options) {
    judgments_.rows.resize(pairs.size());
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (pairs[i].output_1 == pairs[i].output_2) {
        judgments_.rows[i].preference = 1.5;
        ++judgments_.equal;
        continue;
      }
      judgments_.rows[i].row_id = std::to_string(asked_.size());
      for (int repeat = 0; repeat < options.repeats; ++repeat) asked_.push_back({i, repeat});
    }
    preferences_.resize(asked_.size());
  }

  std::size_t rows() const override { return asked_.size(); }

  llm::ChatRequest request(std::size_t row, int /*attempt*/) override {
    const AlpacaPair& pair = pairs_[asked_[row].pair];
    const bool switched = is_switched(pair.instruction);
    llm::ChatRequest request;
    request.row_id = std::to_string(row);
    request.messages = prompt_.render(pair.instruction, switched ? pair.output_2 : pair.output_1,
                                      switched ? pair.output_1 : pair.output_2);
    request.sampling.temperature = options_.temperature;
    request.sampling.max_tokens = options_.max_tokens;
    request.cut_is_answer = true;  // the letter and its probability stand before the cut
    request.sampling.logprobs = options_.logprobs;
    request.sampling.top_logprobs = options_.logprobs ? 5 : 0;
    // What tells one repeat from another: its own request, and where the endpoint heeds it its own
    // draw.
    if (asked_[row].repeat > 0) request.sampling.seed = asked_[row].repeat;
    return request;
  }

  bool read(std::size_t row, int attempt, const llm::ChatReply& reply) override {
    const std::size_t at = asked_[row].pair;
    const std::vector<llm::TokenLogprob> first_tokens =
        reply.top_logprobs.empty() ? std::vector<llm::TokenLogprob>() : reply.top_logprobs.front();
    if (asked_[row].repeat == 0) {
      judgments_.rows[at].reply = reply.text;
      judgments_.rows[at].first_tokens = first_tokens;
    }
    const bool by_letter = first_tokens.empty();
    const auto shown =
        by_letter ? preference_of_letter(reply.text) : preference_of_tokens(first_tokens);
    if (!shown) {
      if (attempt + 1 >= options_.max_attempts) fail(at, "unreadable");
      return false;
    }
    ++done_;
    judgments_.by_letter += by_letter ? 1 : 0;
    preferences_[row] = unswitched(*shown, is_switched(pairs_[at].instruction));
    return true;
  }

  void unanswered(std::size_t row, int /*attempt*/, const llm::ChatReply& reply) override {
    if (!is_transient(reply.failure)) fail(asked_[row].pair, std::string(to_string(reply.failure)));
  }

  AlpacaJudgments take() {
    for (std::size_t row = 0; row < asked_.size(); ++row) {
      if (preferences_[row])
        judgments_.rows[asked_[row].pair].repeats.push_back(*preferences_[row]);
    }
    for (AlpacaJudged& judged : judgments_.rows) {
      if (judged.repeats.empty()) continue;
      judged.preference = stats::mean(judged.repeats);
      judged.failure.clear();  // of another repeat
    }
    judgments_.complete = done_ == asked_.size();
    return std::move(judgments_);
  }

 private:
  struct Asked {
    std::size_t pair = 0;
    int repeat = 0;
  };

  void fail(std::size_t pair, const std::string& reason) {
    ++done_;
    ++judgments_.failed[reason];
    judgments_.rows[pair].failure = reason;
  }

  std::span<const AlpacaPair> pairs_;
  const prompting::PairTemplate& prompt_;
  const AlpacaJudgeOptions& options_;
  std::vector<Asked> asked_;
  std::vector<std::optional<double>> preferences_;  // as asked_
  AlpacaJudgments judgments_;
  std::size_t done_ = 0;
};

}  // namespace

AlpacaAnswers answer_alpaca(llm::ChatModel& model, std::span<const std::string> instructions,
                            const AlpacaAnswerOptions& options, ProgressSink& progress,
                            std::stop_token stop) {
  AnswerQuestions questions(instructions, options);
  llm::ask_rows(model, questions, {1, "alpaca answer", options.max_in_flight}, progress,
                std::move(stop));
  return questions.take();
}

AlpacaJudgments judge_alpaca(llm::ChatModel& judge, std::span<const AlpacaPair> pairs,
                             const prompting::PairTemplate& prompt,
                             const AlpacaJudgeOptions& options, ProgressSink& progress,
                             std::stop_token stop) {
  JudgeQuestions questions(pairs, prompt, options);
  llm::ask_rows(judge, questions, {options.max_attempts, "alpaca judge", options.max_in_flight},
                progress, std::move(stop));
  return questions.take();
}

}  // namespace tapir::evaluate
