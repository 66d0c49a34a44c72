#include "rubric/expression.h"

#include <array>
#include <charconv>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "base/random.h"
#include "base/strings.h"

namespace tapir::rubric {
namespace {

constexpr std::size_t kLongest = 500;
constexpr int kDeepest = 50;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// In plain signs; spaces stay, since "2 3" is no product of digits.
std::string plain(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kSigns = {{
      {"\\times", "*"},
      {"\\cdot", "*"},
      {"\\div", "/"},
      {"\\left", ""},
      {"\\right", ""},
      {"\\dfrac", "\\frac"},
      {"\\tfrac", "\\frac"},
      {"\\!", ""},
      {"\\,", ""},
      {"\xC3\x97", "*"},      // multiplication cross
      {"\xC2\xB7", "*"},      // middle dot
      {"\xC3\xB7", "/"},      // division sign
      {"\xE2\x88\x92", "-"},  // minus
      {"\xE2\x80\x93", "-"},  // en dash
      {"**", "^"},
      {"\xCF\x80", "\\pi"},
  }};
  std::string out(text);
  for (const auto& [sign, meaning] : kSigns) out = replace_all(std::move(out), sign, meaning);
  return out;
}

// Recursive descent. Every function returns nothing when the text does not go on as it must.
class Parser {
 public:
  Parser(std::string_view text, std::optional<int> seed) : text_(text), seed_(seed) {}

  std::optional<double> value() {
    const std::optional<double> sum = this->sum();
    skip_space();
    return sum && at_ == text_.size() ? sum : std::nullopt;
  }

 private:
  std::optional<double> sum() {
    if (++depth_ > kDeepest) return std::nullopt;
    std::optional<double> left = product();
    while (left) {
      if (take('+')) {
        left = combine(left, product(), [](double a, double b) { return a + b; });
      } else if (take('-')) {
        left = combine(left, product(), [](double a, double b) { return a - b; });
      } else {
        break;
      }
    }
    --depth_;
    return left;
  }

  std::optional<double> product() {
    std::optional<double> left = signed_power();
    while (left) {
      if (take('*')) {
        left = combine(left, signed_power(), [](double a, double b) { return a * b; });
      } else if (take('/')) {
        left = combine(left, signed_power(), [](double a, double b) { return a / b; });
      } else if (goes_on_as_factor()) {
        left = combine(left, power(), [](double a, double b) { return a * b; });
      } else {
        break;
      }
    }
    return left;
  }

  // A digit does not go on a product: "2 3" and "x2" are no expressions.
  bool goes_on_as_factor() {
    skip_space();
    if (at_ == text_.size()) return false;
    return text_[at_] == '(' || text_[at_] == '\\' || is_letter(text_[at_]);
  }

  std::optional<double> signed_power() {
    if (++depth_ > kDeepest) return std::nullopt;
    std::optional<double> value;
    if (take('-')) {
      value = signed_power();
      if (value) value = -*value;
    } else {
      take('+');
      value = power();
    }
    --depth_;
    return value;
  }

  std::optional<double> power() {
    const std::optional<double> base = primary();
    if (!base || !take('^')) return base;
    return combine(base, signed_power(), [](double a, double b) { return std::pow(a, b); });
  }

  std::optional<double> primary() {
    skip_space();
    if (at_ == text_.size()) return std::nullopt;
    const char c = text_[at_];
    if (c == '(' || c == '{') return group();
    if (is_digit(c) || c == '.') return number();
    if (take_word("\\frac")) {
      const std::optional<double> over = group();
      return combine(over, group(), [](double a, double b) { return a / b; });
    }
    if (take_word("\\sqrt") || take_word("sqrt")) {
      const std::optional<double> inside = group();
      return inside ? std::optional(std::sqrt(*inside)) : std::nullopt;
    }
    if (take_word("\\pi")) return std::numbers::pi;
    return variable();
  }

  std::optional<double> group() {
    const char close = take('(') ? ')' : take('{') ? '}' : '\0';
    if (close == '\0') return std::nullopt;
    const std::optional<double> inside = sum();
    return inside && take(close) ? inside : std::nullopt;
  }

  std::optional<double> number() {
    std::string digits;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (is_digit(c) || c == '.') {
        digits += c;
      } else if (!(c == ',' && groups_of_three(at_))) {
        break;
      }
    }
    double value = 0;
    const char* end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, value, std::chars_format::fixed);
    if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
    return value;
  }

  // A comma between a digit and exactly three digits.
  bool groups_of_three(std::size_t comma) const {
    if (comma == 0 || !is_digit(text_[comma - 1]) || comma + 3 >= text_.size()) return false;
    for (std::size_t i = comma + 1; i <= comma + 3; ++i) {
      if (!is_digit(text_[i])) return false;
    }
    return comma + 4 == text_.size() || !is_digit(text_[comma + 4]);
  }

  std::optional<double> variable() {
    if (!seed_ || !is_letter(text_[at_])) return std::nullopt;
    const bool alone = at_ + 1 == text_.size() || !is_letter(text_[at_ + 1]);
    if (!alone) return std::nullopt;
    const std::string name(1, text_[at_++]);
    return 1 + RandomStream(static_cast<std::uint64_t>(*seed_), "variable", name).uniform();
  }

  template <typename Operation>
  static std::optional<double> combine(std::optional<double> a, std::optional<double> b,
                                       Operation operation) {
    if (!a || !b) return std::nullopt;
    return operation(*a, *b);
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  std::string_view text_;
  std::optional<int> seed_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::optional<double> evaluate(std::string_view text, std::optional<int> seed) {
  if (text.size() > kLongest) return std::nullopt;
  const std::string signs = plain(text);
  const std::optional<double> value = Parser(signs, seed).value();
  return value && std::isfinite(*value) ? value : std::nullopt;
}

}  // namespace tapir::rubric
