// What becomes of rows that stand more than once.
#pragma once

#include <string>

namespace tapir::evaluate {

enum class Duplicates { error, first, last, average };
// Error{usage} for another word than "error", "first", "last", "average".
Duplicates parse_duplicates(const std::string& word);

}  // namespace tapir::evaluate
