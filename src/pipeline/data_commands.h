// tapir data stats, data clean: a data set looked at and cleaned before anything is spent on it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "dataset/clean.h"
#include "dataset/statistics.h"

namespace tapir::pipeline {

struct DataCommand {
  std::vector<std::filesystem::path> inputs;   // files of instructions, one list
  std::vector<std::filesystem::path> against;  // evaluation sets
  dataset::ContaminationOptions contamination;
  dataset::CleanOptions clean;
};

// What an evaluation set has to do with the data.
struct EvaluationReport {
  std::size_t items = 0;
  std::size_t found = 0;  // rows of the data that hold one of them
  std::vector<std::pair<std::string, std::string>> examples;  // row id, item id: the first ten
};

struct DataReport {
  dataset::Statistics statistics;                      // of all rows
  std::map<std::string, std::size_t> reasons;          // rows that cleaning leaves out
  std::map<std::string, EvaluationReport> evaluation;  // by set
  std::size_t kept = 0;
};

// Reads, and says what is there and what cleaning would leave out.
DataReport data_stats(const DataCommand& command);

// The same, and writes the rows that are kept to `output` and the others to `removed` (each with
// "reason" and "detail"), as tapir's own rows: both together are the data again, in any order.
// Either may be "-"; removed may be empty: then those rows are not written.
DataReport data_clean(const DataCommand& command, const std::string& output,
                      const std::string& removed);

Json data_report_json(const DataReport& report);
std::string data_report_text(const DataReport& report);

}  // namespace tapir::pipeline
