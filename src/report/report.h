// The report of a run: one HTML file, no network, no script, readable on a phone, light and dark.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "report/report_data.h"
#include "store/run_store.h"

namespace tapir::report {

struct ReportOptions {
  std::filesystem::path run_dir;  // where metrics/*.jsonl lie (learning curves); empty: none
  // Exam set of the headline and the examples; empty: store::main_exam_set() of what S_0 sat.
  std::string headline_set;
  std::uint64_t seed = 1;  // of bootstrap and of the examples drawn
  int random_examples = 10;
  int extreme_examples = 5;  // largest gains, and largest losses
};

// Everything that the report shows, as plain figures. What a run half way has not made yet is
// empty.
ReportData gather(const store::RunStore& store, const ReportOptions& options);

// The HTML text of the figures. All text of models and users is escaped.
std::string render_html(const ReportData& data);

std::string render_report(const store::RunStore& store, const ReportOptions& options);

}  // namespace tapir::report
