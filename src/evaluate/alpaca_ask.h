// Asking for AlpacaEval 2.0: a model answers the instructions, a judge compares two outputs.
// Nothing here knows of files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "llm/chat_model.h"
#include "prompting/alpaca_template.h"

namespace tapir::evaluate {

// ---- answers ----

struct AlpacaAnswerOptions {
  llm::Sampling sampling;          // an answer that is cut at max_tokens is an answer
  std::size_t max_in_flight = 64;  // speed only
};

struct AlpacaAnswers {
  // As the instructions, trimmed; nothing: there is no answer.
  std::vector<std::optional<std::string>> outputs;
  std::int64_t truncated = 0;                  // of them, cut at max_tokens
  std::int64_t empty = 0;                      // of them, without a word
  std::map<std::string, std::int64_t> failed;  // without an answer, by reason
  bool complete = true;  // false: stopped, or rows for which nobody could be asked
};

AlpacaAnswers answer_alpaca(llm::ChatModel& model, std::span<const std::string> instructions,
                            const AlpacaAnswerOptions& options, ProgressSink& progress,
                            std::stop_token stop);

// ---- judging ----

struct AlpacaPair {
  std::string instruction;
  std::string output_1, output_2;  // the baseline's, the evaluated model's
};

struct AlpacaJudgeOptions {
  bool logprobs = true;            // false: only the sampled letter counts
  double temperature = 1;          // as upstream
  int max_tokens = 1;              // as upstream; a judge without log-probabilities may need more
  int repeats = 1;                 // each pair is judged so often: the preference is the mean
  int max_attempts = 1;            // of each, while the reply names neither output
  std::size_t max_in_flight = 64;  // speed only
};

struct AlpacaJudged {
  std::optional<double> preference;  // [1, 2], of output 1 and 2; nothing: none could be read
  std::vector<double> repeats;       // those it is the mean of, in the order of the repeats
  std::vector<llm::TokenLogprob> first_tokens;  // of the first repeat; empty: it told none
  std::string reply;                            // likewise
  std::string failure;  // why there is no preference: "unreadable", "content_filter", ...
  std::string row_id;   // of its (first) request; empty: equal outputs, nobody was asked
};

struct AlpacaJudgments {
  std::vector<AlpacaJudged> rows;              // as the pairs
  std::int64_t equal = 0;                      // pairs of equal outputs: a draw, nobody is asked
  std::int64_t by_letter = 0;                  // replies read without log-probabilities
  std::map<std::string, std::int64_t> failed;  // replies that gave no preference, by reason
  bool complete = true;
};

// Which output is shown first is drawn by the instruction (is_switched()).
AlpacaJudgments judge_alpaca(llm::ChatModel& judge, std::span<const AlpacaPair> pairs,
                             const prompting::PairTemplate& prompt,
                             const AlpacaJudgeOptions& options, ProgressSink& progress,
                             std::stop_token stop);

}  // namespace tapir::evaluate
