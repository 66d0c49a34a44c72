// Encoded rows, together.
#pragma once

#include <vector>

#include "student/batching.h"
#include "student/decoder.h"

namespace tapir::testing {

inline std::vector<const student::EncodedRow*> pointers_to(
    const std::vector<student::EncodedRow>& rows) {
  std::vector<const student::EncodedRow*> pointers;
  for (const student::EncodedRow& row : rows) pointers.push_back(&row);
  return pointers;
}

// All of them in one batch, in order.
inline student::PackedBatch packed_together(const std::vector<student::EncodedRow>& rows) {
  student::PackedBatch batch;
  for (const student::EncodedRow& row : rows) append_sequence(batch, row.tokens, row.loss);
  return batch;
}

}  // namespace tapir::testing
