// Rows as the decoder takes them.
#pragma once

#include <cstdint>
#include <vector>

#include "student/batching.h"

namespace tapir::testing {

// In order, in batches of at most `limit` tokens (a longer row alone in its own).
inline std::vector<student::PackedBatch> pack(const std::vector<const student::EncodedRow*>& rows,
                                              std::int64_t limit) {
  std::vector<std::int64_t> lengths;
  for (const student::EncodedRow* row : rows)
    lengths.push_back(static_cast<std::int64_t>(row->tokens.size()));
  std::vector<student::PackedBatch> batches;
  for (const auto& pass : student::plan_passes(lengths, limit, /*best_fit=*/false)) {
    student::PackedBatch& batch = batches.emplace_back();
    for (const std::size_t row : pass) append_sequence(batch, rows[row]->tokens, rows[row]->loss);
  }
  return batches;
}

}  // namespace tapir::testing
