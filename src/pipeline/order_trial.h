// `tapir eval order`: a round of a run trained again on the same rows in other orders, and what its
// exam says of each.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/progress.h"
#include "evaluate/order.h"
#include "pipeline/recipe.h"
#include "student/student.h"

namespace tapir::pipeline {

struct OrderOptions {
  std::filesystem::path run_dir;
  std::string arm = "tapir";
  int round = 0;   // 0: the last
  int orders = 4;  // the run's own among them
  std::uint64_t seed = 1;
  std::filesystem::path output;  // empty: <run>/orders/<arm>-round-<r>
  bool allow_other_machine = false;
};

struct OrderStudent {
  std::string name;         // "order-1" is the run's own student, which is not trained again
  std::int64_t steps = 0;   // of the optimizer
  std::int64_t tokens = 0;  // non-padding tokens through it
  double seconds = 0;       // of training
  std::filesystem::path folder;
};

// "accuracy": of the gym's even exam, exact, higher is better. "loss": of held-out rows and of
// evaluation sets on their recorded answers, lower is better.
struct OrderMeasure {
  std::string name;
  evaluate::OrderFigures figures;
};

struct OrderTrial {
  std::string arm;
  int round = 0;
  std::uint64_t seed = 0;
  std::vector<OrderStudent> students;  // by order
  std::vector<OrderMeasure> measures;  // those that the run's exam has
};

// Trains and examines what the output folder does not hold yet; the run's folder is only read (but
// for the output, where that lies in it). Nobody is asked: a judge's scores are no part of it.
// Error{usage}: no such arm or round, fewer than two orders, an output of another trial, of another
// machine, or in use. Error{data}: no run, the round is not trained and examined yet, its students
// are gone, or the exam has nothing to measure. Error{interrupted} on stop: the same call goes on.
OrderTrial try_orders(const Recipe& recipe, const OrderOptions& options,
                      const student::StudentEngine& engine, ProgressSink& progress,
                      std::stop_token stop);

// {"arm", "round", "seed", "orders": [{"order", "steps", "tokens", "seconds", "folder"}],
//  "measures": [{"measure", "sets": [ROW], "overall": ROW or null, "expected": [low, high] or null,
//  "smallest_difference", "pairs": [{"orders": [a, b], "difference", "interval", "p", "p_holm"}]}]}
// with ROW {"set", "kind", "items", "means": [...], "mean", "range", "sd", "sd_by_chance", "p",
// "p_holm"}.
Json order_json(const OrderTrial& trial);
std::string order_text(const OrderTrial& trial);

}  // namespace tapir::pipeline
