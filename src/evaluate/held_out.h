// The exam of a user's own data: rows that nobody was trained on. Each has a recorded answer; a
// student is measured by how its own answer compares (the judge's score) and by how well it
// foresees the recorded one (its loss).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "records/instruction.h"
#include "stats/intervals.h"
#include "store/run_store.h"
#include "student/student.h"

namespace tapir::evaluate {

struct HeldOutRow {
  Instruction instruction;
  std::string reference;                // the recorded answer
  std::string answer{};                 // the student's
  std::optional<double> score{};        // of the student's answer, 1-10; nothing: not judged
  bool reached = false;                 // the gap to the reference does not make the row hard
  std::string set{store::kHeldOutSet};  // of the exam
};

// The student's losses on the rows' answers; each goes to `keep` with the row's place, on the
// caller's thread. False when stopped before all were done.
bool take_losses(const student::Student& student, const std::string& name,
                 std::span<const Example> rows,
                 const std::function<void(std::size_t, const student::TokenLosses&)>& keep,
                 ProgressSink& progress, std::stop_token stop);

// Takes the student's losses on the references and hands each row to `keep`, on the caller's
// thread. REQUIRES: every row has a score. False when stopped before all were done.
bool measure_held_out(const student::Student& student, const std::string& name,
                      std::span<const HeldOutRow> rows,
                      const std::function<void(const store::ExamRow&)>& keep,
                      ProgressSink& progress, std::stop_token stop);

// ---- figures: pure ----
struct HeldOutFigures {
  std::int64_t items = 0;
  double loss = 0;        // over all tokens of the references, natural logarithm
  double score = 0;       // mean of the judge's, 1-10
  double reached = 0;     // share of the rows
  double characters = 0;  // mean length of the student's answers, in code points
};
// Of the rows of the set "held_out".
HeldOutFigures held_out_figures(std::span<const store::ExamRow> rows);

struct PairedDifference {
  double value = 0;          // mean over rows of a - b
  stats::Interval interval;  // 95 %, paired bootstrap
  double p = 1;              // sign-flip test
};
struct HeldOutComparison {
  std::int64_t items = 0;  // rows that both sat
  PairedDifference loss;   // of rows' losses; below 0: a foresees the answers better
  double wins = 0.5;       // share of rows where a's answer scores higher than b's, ties half
  stats::Interval wins_interval;
  std::int64_t ties = 0;
  PairedDifference characters;
};
// Rows are paired by id; the draws come from streams of the seed.
HeldOutComparison compare_held_out(std::span<const store::ExamRow> a,
                                   std::span<const store::ExamRow> b, std::uint64_t seed);

}  // namespace tapir::evaluate
