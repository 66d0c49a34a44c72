// Names for test data.
#pragma once

#include <string>

namespace tapir::testing {

// "t7". append() instead of operator+: GCC 12 warns wrongly about the latter (GCC bug 105651).
inline std::string numbered(const char* prefix, int number) {
  return std::string(prefix).append(std::to_string(number));
}

}  // namespace tapir::testing
