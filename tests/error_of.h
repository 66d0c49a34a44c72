// The errors that calls throw, for tests of what they say.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "base/error.h"

namespace tapir::testing {

// The Error that a call throws; the test fails when it throws none.
template <typename Call>
Error error_of(const Call& call) {
  try {
    (void)call();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorKind::bug, "nothing was thrown");
}

// What it says, the hint on a line of its own.
inline std::string words_of(const Error& error) {
  return std::string(error.what()) + "\n" + error.hint();
}

// What the Error that a call throws says; the test fails when it is of another kind.
template <typename Call>
std::string complaint_of(ErrorKind kind, const Call& call) {
  const Error error = error_of(call);
  EXPECT_EQ(error.kind(), kind) << error.what();
  return words_of(error);
}

}  // namespace tapir::testing
