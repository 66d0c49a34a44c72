// LLaMA-Factory's dataset_info.json: where a data set's file is and what its keys are called.
// Inside this folder only.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dataset/row_forms.h"

namespace tapir::dataset {

struct DatasetEntry {
  std::vector<std::filesystem::path> files;
  std::optional<Form> form;  // nothing: each file's first row tells
  RowFields fields;
  std::size_t num_samples = 0;  // the first so many rows of all files together; 0: all
  std::string text;             // the entry itself, as JSON; empty: there is none
};

// "DIR/dataset_info.json" or "DIR/dataset_info.json:NAME"; nothing for another path.
struct DatasetReference {
  std::filesystem::path info;
  std::string name;  // empty: the only one
};
std::optional<DatasetReference> dataset_reference(const std::filesystem::path& path);

// Error{data} naming the file and the data set: not there, remote, ranking, not text, an unknown
// formatting.
DatasetEntry read_dataset_entry(const DatasetReference& reference);

}  // namespace tapir::dataset
