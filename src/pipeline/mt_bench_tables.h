// Figures of MT-Bench as JSON and as tables. Internal to the pipeline.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "evaluate/mt_bench.h"

namespace tapir::pipeline {

struct MtTables {
  std::vector<evaluate::MtScore> scores;
  std::vector<evaluate::MtAgreement> agreement;
  std::vector<evaluate::MtComparison> comparisons;
  std::vector<evaluate::MtWinRate> win_rates;
};

// {"models": [{"model", "judge", "turn1", "turn2", "average", "low", "high", "by_category",
// "judgments", "failed", ...}]}, and where there are any "comparisons", "judges" and "pairs". A
// mean of nothing and a bound that nothing is known of are null.
Json to_json(const MtTables& tables);
// Best average first; categories in the order of their questions.
std::string to_text(const MtTables& tables, const evaluate::MtCategories& categories);

}  // namespace tapir::pipeline
