// Reads a prompt or an answer from left to right. Every function is total: it takes what it names
// or nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tapir::gym {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
inline bool all_digits(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!is_digit(c)) return false;
  }
  return true;
}

class Scan {
 public:
  explicit Scan(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  bool literal(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  std::optional<char> one_of(std::string_view chars) {
    if (rest_.empty() || chars.find(rest_.front()) == std::string_view::npos) return std::nullopt;
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  std::optional<int> digit() {
    const auto c = one_of("0123456789");
    if (!c) return std::nullopt;
    return *c - '0';
  }
  // The longest run of digits, possibly empty.
  std::string_view digits() {
    std::size_t end = 0;
    while (end < rest_.size() && is_digit(rest_[end])) ++end;
    const std::string_view run = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return run;
  }

 private:
  std::string_view rest_;
};

}  // namespace tapir::gym
