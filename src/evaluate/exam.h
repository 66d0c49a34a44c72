// The exam: exact accuracy and judge score on held-out prompts; comparisons of students.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "records/instruction.h"
#include "store/run_store.h"
#include "student/student.h"

namespace tapir::evaluate {

struct ExamItem {
  std::string id;
  std::string set;  // "uniform", "pool", "beyond", "held_out"
  std::string family;
  int level = 0;
  Messages messages;
};

struct Grade {
  bool correct = false;
  double score = 1;  // 1-10
};

// Grades one answer without asking anybody. Thread-safe.
class Grader {
 public:
  virtual ~Grader() = default;
  virtual Grade grade(const ExamItem& item, const std::string& answer) const = 0;
};

// Answers and grades; rows go to `keep` on the caller's thread. False when stopped before all were
// done.
bool run_exam(const student::Student& student, const std::string& name,
              std::span<const ExamItem> items, const Grader& grader,
              const student::GenerateOptions& options,
              const std::function<void(const store::ExamRow&)>& keep, ProgressSink& progress,
              std::stop_token stop);

// ---- summaries: pure ----
struct Cell {
  std::int64_t items = 0;
  double accuracy = 0;  // [0, 1]
  double score = 0;     // mean judge score, 1-10
};
struct ExamSummary {
  Cell all;                   // over items
  double macro_accuracy = 0;  // mean over family x level cells
  std::map<std::string, Cell> by_family;
  std::map<std::pair<std::string, int>, Cell> by_cell;  // family, level
};
ExamSummary summarise(std::span<const store::ExamRow> rows, std::string_view set);

struct Comparison {
  double difference = 0;     // a - b of macro accuracy, items paired by id
  double low = 0, high = 0;  // 95 % paired bootstrap interval, items resampled within cells
  double p = 1;              // sign-flip test on the items' differences
  double win_rate = 0.5;     // share of items where a's judge score is higher, ties half
  double win_low = 0, win_high = 0;
  std::int64_t items = 0;
};
// Error{bug} when the two did not sit the same items.
Comparison compare(std::span<const store::ExamRow> a, std::span<const store::ExamRow> b,
                   std::string_view set, std::uint64_t seed);

}  // namespace tapir::evaluate
