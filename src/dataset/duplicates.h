// Exact duplicates: the same messages but for white space.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "records/instruction.h"

namespace tapir::dataset {

// Groups of indices into `instructions` with equal text_hash(), two or more each; in a group and
// among groups in the order of the input.
std::vector<std::vector<std::size_t>> exact_duplicates(std::span<const Instruction> instructions);

}  // namespace tapir::dataset
