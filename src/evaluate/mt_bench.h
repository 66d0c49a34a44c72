// MT-Bench (Zheng et al. 2023, arXiv 2306.05685): questions of two turns, answers that a judge
// grades from 1 to 10 or compares in pairs. Figures as FastChat's show_result.py has them: over
// judgments, those that failed left out; here they are counted too, and the figures have intervals.
// Pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evaluate/duplicates.h"
#include "stats/intervals.h"

namespace tapir::evaluate {

inline constexpr int kMtTurns = 2;

struct MtQuestion {
  std::int64_t id = 0;
  std::string category;
  std::vector<std::string> turns;      // kMtTurns
  std::vector<std::string> reference;  // the question's own; empty, or one for each turn
  std::optional<double> temperature;   // of the answers, where the question asks for one
};

// Question id -> category.
using MtCategories = std::map<std::int64_t, std::string>;
// The 80 questions 81-160, 10 of each category.
const MtCategories& official_mt_categories();
// Whether the official reference to this question (reference_answer/gpt-4.jsonl) is known to be
// wrong (FastChat pull request 3158); with its turns: whether these are that reference.
bool has_wrong_mt_reference(std::int64_t question);
bool is_wrong_mt_reference(std::int64_t question, const std::vector<std::string>& turns);
// Graded with a reference answer: math, reasoning, coding.
bool needs_mt_reference(std::string_view category);
// Of a model's answers: writing and roleplay 0.7, stem and humanities 0.1, all others 0.
double mt_temperature(std::string_view category);

// ---- single grading ----

// One judgment of one turn of one answer.
struct MtJudgment {
  std::int64_t question = 0;
  int turn = 1;
  std::string model;
  std::string judge;
  std::string prompt;            // name of the judge's template: "single-math-v1"
  std::string reference_set;     // which references the judge saw; empty: the file does not say
  bool wrong_reference = false;  // one of them that is known to be wrong
  int repeat = 0;                // 0: the first judging, k: the k-th repetition
  std::optional<double> score;   // nothing: failed
  bool rereads = true;  // the recorded score is what its text says, or one of them is missing
  std::string where;    // "file:line"
};

// Judgments of one answer's turn that stand more than once (same model, judge, references,
// question, turn and repeat). error: Error{data} naming them. average: all of them stay and count
// one by one in every mean, as in FastChat's. Order as given.
std::vector<MtJudgment> settle_duplicates(std::vector<MtJudgment> judgments, Duplicates policy);

// One model by one judge.
struct MtScore {
  std::string model;
  std::string judge;
  std::string reference_set;
  std::optional<double> turn1, turn2, average;  // nothing: not one judgment that counts
  std::map<std::string, std::optional<double>> by_category;
  // 95 % of `average`, other questions of the kind in mind: standard error by question.
  stats::Interval interval;
  std::int64_t judgments = 0;
  std::int64_t failed = 0;
  std::int64_t missing = 0;       // turns of questions that nobody judged
  std::int64_t out_of_range = 0;  // counted as they stand, as FastChat does
  std::int64_t misread = 0;       // recorded otherwise than their text says
  // `average` of each judging, and what they differ by chance alone: 95 % of their mean. One
  // judging: infinite bounds.
  std::vector<double> repeats;
  stats::Interval repeat_interval;
  // Without what was judged by references that are known to be wrong; nothing where none was.
  std::optional<double> average_without_wrong_references;
};

// By model, judge and reference set, in that order of names. Every judgment's question has a
// category. Duplicates are settled.
std::vector<MtScore> score_mt_bench(std::span<const MtJudgment> judgments,
                                    const MtCategories& categories);

// A model beside a baseline, by one judge: over the turns of questions that both have scores for,
// each the mean of its judgments.
struct MtComparison {
  std::string model;
  std::string baseline;
  std::string judge;
  std::string reference_set;
  double difference = 0;     // model - baseline
  stats::Interval interval;  // 95 %, paired bootstrap over questions
  double p = 1;              // sign-flip test, questions flipped as wholes
  double p_holm = 1;         // among all models compared by that judge
  std::int64_t questions = 0;
  std::int64_t unpaired = 0;  // turns that one of the two lacks
  double shown = 0;           // the smallest difference that so many questions show, power 80 %
  std::optional<double> p_equivalent;  // two one-sided tests, when a margin is given
};
struct MtComparisonOptions {
  std::string baseline;
  double margin = 0;  // above 0: differences within it are as good as none
  std::uint64_t seed = 42;
};
// Error{data} when no judge has judged the baseline.
std::vector<MtComparison> compare_mt_bench(std::span<const MtJudgment> judgments,
                                           const MtComparisonOptions& options);

// Two judges beside each other, over the turns of answers that both have scores for.
struct MtAgreement {
  std::string judge_a, judge_b;
  std::int64_t both = 0;
  double difference = 0;              // a - b
  stats::Interval interval;           // 95 %, by question
  double within_one = 0;              // share of turns where they are at most one point apart
  std::optional<double> correlation;  // Pearson's; nothing where one of them never varies
};
// Every two judges of the files that have scored the same turns, in that order of names.
std::vector<MtAgreement> mt_agreement(std::span<const MtJudgment> judgments);

// ---- pairs ----

enum class MtWinner { model_1, model_2, tie, error };

// Two answers judged in both orders.
struct MtPair {
  std::int64_t question = 0;
  int turn = 1;
  std::string model_1, model_2;
  std::string judge;
  MtWinner game_1 = MtWinner::error;  // model_1 shown first
  MtWinner game_2 = MtWinner::error;  // model_2 shown first
  std::string where;
};

// error and average: the same pair twice is an Error{data}: there is no mean of two verdicts.
std::vector<MtPair> settle_duplicates(std::vector<MtPair> pairs, Duplicates policy);

struct MtWinRate {
  std::string model;
  std::string judge;
  std::int64_t win = 0, loss = 0, tie = 0;  // tie: said so, or the two orders disagree
  std::int64_t disagree = 0;                // of the ties
  std::int64_t failed = 0;                  // a judgment could not be read
  std::int64_t games() const { return win + loss + tie; }
  // (wins + ties / 2) / games with its interval by question; nothing without a game.
  std::optional<double> adjusted;
  stats::Interval interval;
};
// By model and judge. baseline: games against it only; empty: all games.
std::vector<MtWinRate> mt_win_rates(std::span<const MtPair> pairs, const std::string& baseline);

}  // namespace tapir::evaluate
