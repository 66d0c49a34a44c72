// Reads a line of words, single digits and single marks from the left. Total.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tapir::rubric {

using Words = std::vector<std::string>;

inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Runs of ASCII letters, single digits, single other bytes; white space only separates. Total.
inline Words lex(std::string_view text) {
  Words words;
  bool inside = false;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (is_letter(c) && inside) {
      words.back() += c;
    } else if (!blank) {
      words.emplace_back(1, c);
    }
    inside = is_letter(c);
  }
  return words;
}

inline std::optional<std::size_t> index_of(const Words& list, std::string_view word) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i] == word) return i;
  }
  return std::nullopt;
}

// Reads a line from the left. Every take_ moves on only when it succeeds.
class WordReader {
 public:
  explicit WordReader(std::string_view text) : words_(lex(text)) {}

  bool done() const { return at_ == words_.size(); }
  bool next_is(std::string_view word) const { return !done() && words_[at_] == word; }
  bool take(std::string_view word) {
    if (!next_is(word)) return false;
    ++at_;
    return true;
  }
  bool take(std::initializer_list<std::string_view> words) {
    const std::size_t start = at_;
    for (const std::string_view word : words) {
      if (!take(word)) {
        at_ = start;
        return false;
      }
    }
    return true;
  }
  // The place of the next word in the list.
  std::optional<std::size_t> take_from(const Words& list) {
    const auto place = done() ? std::nullopt : index_of(list, words_[at_]);
    if (place) ++at_;
    return place;
  }
  std::optional<int> take_digit() {
    if (done() || words_[at_][0] < '0' || words_[at_][0] > '9') return std::nullopt;
    return words_[at_++][0] - '0';
  }
  // The next word, whatever it is. REQUIRES: !done().
  const std::string& take_any() { return words_[at_++]; }
  // The rest of the line.
  Words rest() const {
    return Words(words_.begin() + static_cast<std::ptrdiff_t>(at_), words_.end());
  }
  std::size_t place() const { return at_; }
  void go_back_to(std::size_t place) { at_ = place; }

 private:
  Words words_;
  std::size_t at_ = 0;
};

}  // namespace tapir::rubric
