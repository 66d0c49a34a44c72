// Annotations of one or several models brought into the order of the evaluation set, by the text of
// the instruction, never by position. What is missing, too much or double is named and counted;
// whether it may be is the caller's to decide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluate/alpaca_records.h"
#include "evaluate/duplicates.h"

namespace tapir::evaluate {

// One kind of fault: how often, and the first few by name.
struct Fault {
  std::int64_t count = 0;
  std::vector<std::string> examples;  // at most three
  void add(const std::string& example);
};

// The start of an instruction, in quotes, for messages.
std::string shown(const std::string& instruction);

struct JoinedRow {
  std::size_t place = 0;             // in the set
  std::optional<double> preference;  // [1, 2]
  double delta_length = 0;           // code points of output 1 - of output 2
  std::int64_t length_2 = 0;         // code points
  std::vector<double> repeats;       // Annotation::repeats
};

struct JoinedModel {
  std::string model, baseline, annotator;
  std::vector<JoinedRow> rows;  // ascending by place, each place once
  Fault missing;                // instructions of the set without a row
  Fault unknown;                // rows whose instruction is not in the set: left out
  Fault duplicates;             // further rows on the same instruction
  Fault no_preference;          // rows whose preference is null or NaN
  Fault out_of_range;           // rows whose preference is no number from 1 to 2: taken as null
  bool in_order = true;         // the rows stood in the order of the set
  bool complete() const {
    return missing.count == 0 && no_preference.count == 0 && out_of_range.count == 0;
  }
};

// The instructions that come up in the rows, in the order of first appearance.
std::vector<std::string> instructions_of(std::span<const Annotation> annotations);

// By model (generator_2), in the order of first appearance. Duplicates::error takes the first row.
// Error{data} when the rows of one model have different baselines or judges.
std::vector<JoinedModel> join_annotations(std::span<const Annotation> annotations,
                                          std::span<const std::string> instructions,
                                          Duplicates duplicates);

}  // namespace tapir::evaluate
