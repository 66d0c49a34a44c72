// What an estimate knows of the user's rows: how many, how long, and how long the requests made
// from them are. Internal to the estimate.
#pragma once

#include <cstdint>
#include <vector>

#include "pipeline/estimate.h"
#include "pipeline/recipe.h"
#include "records/instruction.h"

namespace tapir::pipeline {

// Assumed where nothing is known before the run. assumptions_text() says them.
namespace assumed {
inline constexpr double kNewPerHard = 0.6;       // expansions per hard row of a mixture
inline constexpr double kRequestsPerNew = 1.15;  // some are rejected
inline constexpr double kSecondOrders = 0.15;    // adaptive: in both orders, beyond the pilot
inline constexpr double kBytesPerToken = 4;
inline constexpr double kGymBytesPerToken = 2;  // its vocabulary is small
inline constexpr double kJudgeReply = 150;      // tokens
inline constexpr double kLabelReply = 10;
inline constexpr double kAnswer = 150;        // of the teacher, where no row of D has one
inline constexpr double kStyledAnswer = 2.5;  // length of a refined answer over that of D
inline constexpr double kTrainFlops = 60e9;   // of the student engine on two cores, per second
inline constexpr double kDecodeFlops = 60e9;
inline constexpr double kLocalReplies = 6000;   // a second, of a teacher or judge in process
inline constexpr double kFirstToken = 1;        // seconds that an endpoint takes to it
inline constexpr double kTokensPerSecond = 50;  // of one answer of an endpoint
inline constexpr double kLimitsUsed = 0.98;     // of requests and tokens a minute
}  // namespace assumed

inline constexpr std::size_t kMemoryRows = 256;  // the longest rows: what memory is planned for

struct CorpusFacts {
  std::int64_t rows = 0;
  std::int64_t unanswered = 0;   // rows without an answer
  std::vector<Example> longest;  // kMemoryRows of them, as rounds train on them
  double prompt_tokens = 0;      // means of a row
  double answer_tokens = 0;      // of the rows that have one
  double asked_share = 0;        // rows that a model has to judge; the others are judged by rule
};
// Of the files as they are, before cleaning. Error{data} as dataset::read_instructions().
CorpusFacts corpus_facts(const Recipe& recipe);

// The estimate of a corpus that is known already.
Estimate estimate(const Recipe& recipe, const student::StudentEngine& engine, CorpusFacts corpus,
                  const Sample& sample = {});

// Tokens that our templates put around a row's own texts.
struct PromptFacts {
  double judge = 0;
  double classify = 0;
  double expand = 0;
  double answer = 0;
  double refine = 0;
};
PromptFacts prompt_facts(const Recipe& recipe);

}  // namespace tapir::pipeline
