// Which rows of a data set are left out, and why. Nothing is changed and nothing is lost: the
// caller keeps both parts.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "dataset/contamination.h"
#include "dataset/read_instructions.h"

namespace tapir::dataset {

struct CleanOptions {
  bool encoding = true;        // "bad_encoding": in any message or in the response
  bool empty_answers = false;  // "no_response": none, or a blank one
  bool refusals = true;        // "refusal": of the response
  bool duplicates = true;      // "duplicate": the same messages but for white space
  double rouge_l = 0;  // "near_duplicate": ROUGE-L with a row that is kept; 0: not looked at
  double minhash = 0;  // "near_duplicate_minhash": shared word sequences; 0: not looked at
};

struct Removal {
  std::size_t row = 0;  // index into the rows
  std::string reason;
  std::string detail;  // what was found; of duplicates the id of the row that is kept
};

// What two instructions are compared by: the messages but the system's, one below the other.
std::string comparison_text(const Messages& messages);

// In the order of the rows; of rows that are alike the first is kept. A row has one reason, the
// first of: bad_encoding, no_response, refusal, contaminated, duplicate, near_duplicate,
// near_duplicate_minhash; so a row that is left out is never what another one is like.
// evaluation may be nullptr.
std::vector<Removal> clean(std::span<const DataRow> rows, const CleanOptions& options,
                           const EvaluationIndex* evaluation);

std::map<std::string, std::size_t> count_reasons(std::span<const Removal> removals);

}  // namespace tapir::dataset
