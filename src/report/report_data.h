// What the report shows, as plain data: gathered from the store, tested without HTML.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stats/intervals.h"
#include "store/run_store.h"

namespace tapir::report {

// ---- the outcome ----
struct ExamCell {
  std::int64_t items = 0;
  double accuracy = 0;  // [0, 1]
  double score = 0;     // mean judge score, 1-10
  bool beyond = false;  // a level that nothing was trained on
};

struct SetResult {
  std::int64_t items = 0;
  double accuracy = 0;       // macro: mean over family x level cells
  stats::Interval interval;  // 95 %, bootstrap within cells
  double score = 0;          // mean judge score
};

// Paired by item; positive: the student is better than the other.
struct Difference {
  double value = 0;  // of macro accuracy
  stats::Interval interval;
  double p = 1;
  double win_rate = 0.5;  // by judge score, ties half
  stats::Interval win_interval;
  std::int64_t items = 0;
};

using CellKey = std::pair<std::string, int>;  // family, level

struct StudentResult {
  std::string student;  // "s0", "tapir/round-3"
  std::string arm;      // "" for S_0
  std::string label;    // "S_0", "plain", "tapir"; "tapir (round 2)" while rounds are missing
  bool main = false;
  std::map<std::string, SetResult> sets;  // by exam set
  std::map<CellKey, ExamCell> cells;  // headline set, and "beyond" for the levels that only it has
  std::optional<Difference> to_s0;
  std::optional<Difference> to_plain;
  std::optional<Difference> to_previous;  // the step of the ladder: to the arm shown before
};

struct Outcome {
  std::string headline_set;
  std::vector<StudentResult>
      students;  // S_0, the other arms, the main arm; those that sat the exam
  const StudentResult* find(std::string_view arm) const;  // "" is S_0; nullptr when not there
  const StudentResult* main() const;
};

// ---- held-out rows of the user's own ----
// Paired by row; `wins`: share of rows with the higher judge's score, ties half.
struct HeldOutComparison {
  std::int64_t items = 0, ties = 0;
  double loss = 0;  // difference; below 0 is better
  stats::Interval loss_interval;
  double loss_p = 1;
  double wins = 0.5;
  stats::Interval wins_interval;
  double characters = 0;  // difference
  stats::Interval characters_interval;
};

struct HeldOutFigures {
  std::int64_t items = 0;
  double loss = 0;        // mean over tokens of the recorded answers
  double score = 0;       // mean judge score
  double reached = 0;     // share of rows that are not hard for it
  double characters = 0;  // mean length of its answers
};

struct HeldOutStudent {
  std::string student, arm, label;
  bool main = false;
  HeldOutFigures all;
  std::map<std::string, HeldOutFigures> by_source;  // by file
  std::optional<HeldOutComparison> to_s0, to_plain;
};

struct HeldOut {
  std::int64_t items = 0;
  double reference_characters = 0;  // mean length of the recorded answers
  std::vector<HeldOutStudent> students;
};

// ---- difficulty ----
struct OrderPoint {
  double teacher_first = 0;  // gap when the teacher's answer was shown first
  double student_first = 0;
  std::int64_t count = 0;
};

struct TaskGaps {
  std::string task;
  std::int64_t rows = 0, hard = 0;
  double mean = 0;
  std::map<double, std::int64_t> histogram;
};

struct GapSummary {
  std::int64_t rows = 0, hard = 0;
  double mean = 0;
};

// What the judgments say about the judge: the stage's own figures.
struct JudgeQuality {
  std::int64_t replies = 0, strict = 0, tolerant = 0, unreadable = 0, out_of_range = 0;
  double parse_rate = 1;  // of replies
  std::int64_t both_orders = 0;
  double position_consistency = 1;  // share of both_orders with the same winner
  double position_bias = 0;         // points, of being shown first
  std::map<double, std::int64_t> teacher_scores, student_scores;  // by rounded score
  std::vector<std::string> warnings;
  struct Audit {
    std::int64_t rows = 0, judge_only = 0, auditor_only = 0;
    double agreement = 0, kappa = 0;
    stats::Interval interval;  // 95 %
  };
  std::optional<Audit> audit;  // a second judge about a sample
};

struct Difficulty {
  std::string method = "mfd";  // mfd: gaps between scores; ifd: ratios of losses
  double threshold = 2;
  bool strict = true;  // hard: gap > threshold; false: >=
  std::int64_t rows = 0, hard = 0, truncated = 0;
  double mean = 0;
  std::map<double, std::int64_t> histogram;  // low edge of a bin -> rows
  std::vector<TaskGaps> by_task;
  struct Kept {
    double threshold = 0;
    std::int64_t above = 0, at_least = 0;
  };
  std::vector<Kept> thresholds;    // what others would keep
  std::vector<OrderPoint> orders;  // pairs judged in both orders, by rounded gaps
  std::int64_t both_orders = 0, flips = 0;
  std::int64_t unread = 0;  // judgments without scores
  std::optional<double> band;
  std::optional<GapSummary> held_out;  // rows that S_0 was not trained on
  std::int64_t never_reached = 0;      // rows hard in every judging, where rounds were judged again
  int judgings = 1;
  struct Component {
    std::string kind;
    std::int64_t components = 0;
    double teacher = 0, student = 0;  // shares of them that were met
  };
  std::vector<Component> components;  // where rows were judged by their requirements
  std::optional<JudgeQuality> judge;  // nothing: no judge was asked, or by an older version
  double bin() const { return method == "ifd" ? 0.1 : 0.5; }  // width of the histogram's bins
};

// ---- tasks, expansion, mixture ----
struct TaskRow {
  std::string task;
  std::int64_t in_data = 0, hard = 0;
  std::int64_t attempts = 0, kept = 0;
  std::map<std::string, std::int64_t> rejected;  // by reason
  std::int64_t rows = 0, repeated = 0;           // of the mixtures
  std::optional<double> target, reached;         // shares of the mixtures
};

struct RoundRow {
  int round = 0;
  std::optional<double> alpha;
  std::int64_t rows = 0, hard = 0, easy = 0, repeated = 0, distinct = 0;
  std::vector<std::string> relaxed;
};

// The new rows of one task in one round, of which a sample was judged.
struct FloorRow {
  std::string task;
  int round = 0;
  std::int64_t rows = 0, judged = 0, filtered = 0;
  double mean = 0;                // of the teacher's answers, 1-10
  stats::Interval interval;       // 95 %
  double hard_share = 0;          // of judged ones: S_0 fails at them
  stats::Interval hard_interval;  // 95 %
  std::string verdict;            // stands, doubtful, below
};

struct ArmTeaching {
  std::string arm;
  bool main = false;
  std::vector<TaskRow> tasks;
  std::vector<RoundRow> rounds;
  std::vector<FloorRow> floor;  // by task, then round; empty: nothing was judged
  double floor_score = 0;       // what a task's mean has to reach
};

// ---- training ----
struct CurvePoint {
  std::int64_t step = 0;
  std::int64_t tokens = 0;  // through the optimizer, from the start of this student's training
  double loss = 0;
  double learning_rate = 0;
};

struct Curve {
  std::string arm;  // "" for S_0
  std::string label;
  bool main = false;
  std::vector<CurvePoint> points;          // of all rounds, tokens and steps going on
  std::vector<std::int64_t> round_starts;  // tokens at which round 2, 3, ... begin
};

struct ArmTokens {
  std::string arm;  // "" for S_0
  std::int64_t steps = 0, tokens = 0, supervised_tokens = 0, rows = 0, distinct_rows = 0;
  std::int64_t teacher_tokens = 0, judge_tokens = 0;  // of the arm's own stages
  double seconds = 0;
};

// ---- forgetting ----
struct ForgettingCell {
  double accuracy = 0;       // [0, 1]
  stats::Interval interval;  // 95 %
  std::int64_t items = 0;
};

struct ForgettingRow {
  std::string set;
  std::string kind = "own";                          // own | part | general | instruction | safety
  std::vector<std::optional<ForgettingCell>> cells;  // S_0, round 1, ...
  std::optional<double> best, last_minus_best, last_minus_first;
};

// Mean over sets of the last round's accuracy minus S_0's.
struct ForgettingChange {
  std::int64_t sets = 0;
  double difference = 0;
  stats::Interval interval;
  double p = 1;
};

struct ForgettingRound {
  int round = 1;
  int from = 0;      // the round whose student it started from; 0: S_0
  std::string fell;  // what fell, by how much; empty: the gate did not trip
};

struct ArmForgetting {
  std::string arm;
  bool main = false;
  std::vector<std::string> students;
  std::vector<ForgettingRow> rows;
  std::vector<std::optional<ForgettingCell>> overall;  // mean over own sets; without items
  std::optional<ForgettingChange> backward_transfer;   // of the own sets
  std::optional<double> mean_drop;
  std::optional<ForgettingChange> general, instruction, safety;
  std::vector<ForgettingRound> gate;  // of the main arm
};

// ---- benchmarks ----
struct BenchmarkRow {
  std::string student;  // "s0", "final", an arm
  std::string judge;
  std::optional<double> win_rate, standard_error, lc, lc_standard_error;  // AlpacaEval, percent
  std::optional<double> average, turn1, turn2;                            // MT-Bench, 1-10
  std::optional<stats::Interval> average_interval;
  double avg_length = 0;  // AlpacaEval, characters
  std::int64_t items = 0, failed = 0;
  std::string not_comparable;  // why not with the leaderboard; empty: it is
};

struct Benchmarks {
  std::vector<BenchmarkRow> alpaca_eval, mt_bench;
  bool empty() const { return alpaca_eval.empty() && mt_bench.empty(); }
};

// ---- signs that figures fool us ----
// The answers of one student to the exam, as the stage looked at them.
struct OutputsRow {
  std::string who;  // "s0", "tapir/round-2"
  std::int64_t asked = 0, answers = 0, blank = 0;
  double duplicate_share = 0;  // of answers that another row has too
  double commonest_share = 0;
  std::string commonest_text;
  double median_length = 0;  // characters
  struct Right {
    double duplicate = 0, commonest = 0, median_length = 0;
  };
  std::optional<Right> right;  // the same of the right answers
};

struct Signs {
  std::vector<OutputsRow> outputs;
  std::vector<std::string> warnings;        // what is off, in sentences
  std::optional<std::int64_t> near_copies;  // rows of mixtures; nothing: nothing to look for
};

// ---- examples ----
struct JudgeWords {
  std::string about;  // "S_0, teacher's answer shown first"
  std::optional<double> teacher_score, student_score;
  std::string text;  // the judge's words, or why they could not be read
};

struct Example {
  std::string id, family, task;
  int level = 0;
  std::string instruction;  // empty: the run does not hold its text
  std::string teacher, teacher_author;
  std::string s0, final_answer;
  std::optional<bool> s0_correct, final_correct;
  std::optional<double> teacher_score, s0_score, final_score;
  std::vector<JudgeWords> judge;
};

struct Examples {
  std::string final_label;
  std::vector<Example> random, gains, losses;  // of the exam: S_0 against the main arm's student
  std::vector<Example> judged_random,
      judged_hard;  // of D: teacher against S_0, with the judge's words
};

// ---- the run itself ----
struct StageRow {
  std::string name;
  bool begun = false, finished = false;
  Ledger ledger;
  double seconds = 0;
  std::int64_t calls = 0, tokens = 0;
  double usd = 0;
  std::optional<double> estimated_seconds, estimated_calls, estimated_tokens, estimated_usd;
};

struct RunFacts {
  std::string name, version, command, machine, seed, fingerprint, recipe;
  std::string classifier;  // how tasks were found, and how well; empty when not known
  std::int64_t planned = 0, finished = 0;
  double seconds = 0, usd = 0;
  bool complete() const { return planned > 0 && finished >= planned; }
};

struct ReportData {
  RunFacts run;
  Outcome outcome;
  std::optional<HeldOut> held_out;
  Difficulty difficulty;
  std::vector<ArmTeaching> teaching;
  std::vector<Curve> curves;
  std::vector<store::TrainRecord> trainings;
  std::vector<ArmTokens> tokens;
  std::vector<ArmForgetting> forgetting;
  Benchmarks benchmarks;
  Signs signs;
  Examples examples;
  std::vector<StageRow> stages;
  std::vector<store::UsageRow> usage;  // summed over stages
};

}  // namespace tapir::report
