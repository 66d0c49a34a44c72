// `tapir export data`: the training data of a run as files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "store/run_store.h"

namespace tapir::pipeline {

struct ExportOptions {
  std::string format = "messages";  // messages | alpaca
  std::string arm = "tapir";
  std::filesystem::path output;  // a folder: data file, README.md (data card), dataset_info.json
};
// Returns the number of rows.
std::int64_t export_data(const store::RunStore& store, const ExportOptions& options);

// The mixture of one round as data/round-<r>.jsonl: messages, id, parent_id, task, mfd, scores,
// source.
void export_mixture_file(const store::RunStore& store, const std::string& arm, int round,
                         const std::filesystem::path& file);

}  // namespace tapir::pipeline
