// Regular expressions on UTF-8 (PCRE2, compiled to machine code).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tapir::text {

// Byte range [begin, end) of a text.
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Immutable; thread-safe.
class Regex {
 public:
  // Error{data} naming `where`, the position in the pattern and PCRE2's reason.
  Regex(std::string_view pattern, std::string_view where);
  ~Regex();
  Regex(Regex&& other) noexcept;
  Regex& operator=(Regex&& other) noexcept;

  // All matches that are not empty, from left to right. text: valid UTF-8.
  // Error{data} when a match passes PCRE2's limits.
  void find_all(std::string_view text, std::vector<Range>& matches) const;

  // The pattern that matches exactly `text`.
  static std::string quote(std::string_view text);

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace tapir::text
