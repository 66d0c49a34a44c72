// A part of a page that a test makes: what stands between two marks.
#pragma once

#include <string>

#include <gtest/gtest.h>

namespace tapir::testing {

// The page with `text` between the first `begin` and the `end` after it; the test fails where a
// mark is missing.
inline std::string with_part(const std::string& page, const std::string& begin,
                             const std::string& end, const std::string& text) {
  const std::size_t start = page.find(begin);
  const std::size_t stop = start == std::string::npos ? start : page.find(end, start);
  EXPECT_NE(stop, std::string::npos) << "the page has no part from " << begin << " to " << end;
  if (stop == std::string::npos) return page;
  return page.substr(0, start + begin.size()) + text + page.substr(stop);
}

}  // namespace tapir::testing
