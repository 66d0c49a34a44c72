#include "evaluate/duplicates.h"

#include "base/error.h"

namespace tapir::evaluate {

Duplicates parse_duplicates(const std::string& word) {
  if (word == "error") return Duplicates::error;
  if (word == "first") return Duplicates::first;
  if (word == "last") return Duplicates::last;
  if (word == "average") return Duplicates::average;
  throw Error(ErrorKind::usage,
              "duplicates: expected error, first, last or average, found \"" + word + "\"");
}

}  // namespace tapir::evaluate
