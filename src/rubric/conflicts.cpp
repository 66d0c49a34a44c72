// Which two components no answer can keep together: a table of rules, each a small function.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/strings.h"
#include "rubric/component.h"
#include "rubric/language.h"
#include "rubric/text_units.h"

namespace tapir::rubric {
namespace {

// Why not, or nothing. A rule sees every pair in both orders.
using Rule = std::string (*)(const Component& a, const Component& b);

bool is_kind(const Component& component, std::initializer_list<std::string_view> kinds) {
  return std::find(kinds.begin(), kinds.end(), component.kind) != kinds.end();
}

// The phrases that stand in every answer that keeps the component.
std::vector<std::string> said_by(const Component& component) {
  const bool counted =
      component.kind == "phrase_count" && component.bounds.at_least.value_or(0) > 0;
  const bool always = is_kind(component, {"mention", "starts_with", "ends_with", "postscript"}) ||
                      (component.kind == "one_of" && component.values.size() == 1) ||
                      (component.kind == "sections" && component.bounds.at_least.value_or(0) > 0);
  return counted || always ? component.values : std::vector<std::string>{};
}

std::string same_count_elsewhere(const Component& a, const Component& b) {
  if (a.kind != b.kind || !a.bounds.any() || !b.bounds.any()) return {};
  if (a.values != b.values && !is_kind(a, {"paragraph_start"})) return {};
  const bool apart =
      (a.bounds.at_least && b.bounds.at_most && *a.bounds.at_least > *b.bounds.at_most) ||
      (b.bounds.at_least && a.bounds.at_most && *b.bounds.at_least > *a.bounds.at_most);
  if (!apart) return {};
  return fmt::format("{} and {}", to_string(a.bounds), to_string(b.bounds));
}

std::string two_values_of_one_thing(const Component& a, const Component& b) {
  if (a.kind != b.kind || a.values.empty() || b.values.empty()) return {};
  const std::string& one = a.values.front();
  const std::string& other = b.values.front();
  bool apart = false;
  if (is_kind(a, {"case", "list_separator", "list_prefix", "list_brackets", "list_title",
                  "list_end"})) {
    apart = one != other;
  } else if (a.kind == "language") {
    apart = language_code(one) != language_code(other);
  } else if (a.kind == "list_order") {
    apart = a.values != b.values;
  } else if (a.kind == "starts_with") {
    apart = !lower(one).starts_with(lower(other)) && !lower(other).starts_with(lower(one));
  } else if (a.kind == "ends_with") {
    apart = !lower(one).ends_with(lower(other)) && !lower(other).ends_with(lower(one));
  } else if (a.kind == "paragraph_start") {
    apart = a.place == b.place && lower(one) != lower(other);
  }
  return apart ? fmt::format("\"{}\" and \"{}\"", one, other) : "";
}

std::string said_and_avoided(const Component& a, const Component& b) {
  if (b.kind != "avoid") return {};
  for (const std::string& phrase : said_by(a)) {
    for (const std::string& avoided : b.values) {
      if (count_phrase(phrase, avoided, b.whole_words) > 0)
        return fmt::format("\"{}\" is asked for and \"{}\" is not allowed", phrase, avoided);
    }
  }
  return {};
}

std::string letter_in_what_is_said(const Component& a, const Component& b) {
  if (b.kind != "letter_count" || !b.bounds.at_most) return {};
  for (const std::string& phrase : said_by(a)) {
    if (count_letter(phrase, b.values.front()) > *b.bounds.at_most)
      return fmt::format("\"{}\" has too many of \"{}\"", phrase, b.values.front());
  }
  return {};
}

// Each sentence, and each word of capitals, is a word at least.
std::string more_parts_than_words(const Component& a, const Component& b) {
  if (a.kind != "words" || !a.bounds.at_most || !is_kind(b, {"sentences", "capital_words"}) ||
      b.bounds.at_least.value_or(0) <= *a.bounds.at_most) {
    return {};
  }
  return fmt::format("{} words have no {} {}", to_string(a.bounds), *b.bounds.at_least, b.kind);
}

// Phrases that are compared letter by letter keep their own case.
std::string case_of_what_is_said(const Component& a, const Component& b) {
  if (a.kind != "case") return {};
  const bool wants_lower = a.values.front() == "lower";
  if (wants_lower && b.kind == "capital_words" && b.bounds.at_least.value_or(0) > 0)
    return "small letters only, and words of capitals";
  if (!is_kind(b, {"one_of", "sections"}) || said_by(b).empty()) return {};
  const Case found = case_of(b.values.front());
  const Case wanted = wants_lower ? Case::lower : Case::upper;
  if (found == Case::none || found == wanted) return {};
  return fmt::format("\"{}\" is not all in {} case", b.values.front(), a.values.front());
}

std::string case_of_language(const Component& a, const Component& b) {
  static constexpr std::array<std::string_view, 24> kWithoutCase = {
      "zh", "ja", "ko", "ar", "he", "hi", "th", "fa", "ur", "ta", "te", "bn",
      "mr", "gu", "pa", "ml", "kn", "ne", "si", "my", "km", "lo", "ka", "am"};
  if (a.kind != "case" || b.kind != "language") return {};
  const std::string code = language_code(b.values.front());
  if (a.values.size() > 1 && language_code(a.values[1]) != code)
    return fmt::format("\"{}\" and \"{}\"", a.values[1], code);
  if (std::find(kWithoutCase.begin(), kWithoutCase.end(), code) == kWithoutCase.end()) return {};
  return fmt::format("the letters of \"{}\" have no case", code);
}

std::string start_inside_a_frame(const Component& a, const Component& b) {
  if (b.kind != "starts_with") return {};
  const char first = strip(b.values.front()).front();
  if (a.kind == "quotation" && first != '"')
    return fmt::format("a quotation does not start with \"{}\"", b.values.front());
  if (a.kind == "json" &&
      std::string_view("{[\"-0123456789tfn`").find(first) == std::string_view::npos)
    return fmt::format("JSON does not start with \"{}\"", b.values.front());
  return {};
}

constexpr std::array<Rule, 8> kRules = {
    same_count_elsewhere,  two_values_of_one_thing, said_and_avoided, letter_in_what_is_said,
    more_parts_than_words, case_of_what_is_said,    case_of_language, start_inside_a_frame};

}  // namespace

std::vector<Conflict> conflicts_of(const Rubric& rubric) {
  std::vector<Conflict> found;
  for (std::size_t i = 0; i < rubric.size(); ++i) {
    for (std::size_t j = i + 1; j < rubric.size(); ++j) {
      for (const Rule rule : kRules) {
        std::string why = rule(rubric[i], rubric[j]);
        if (why.empty()) why = rule(rubric[j], rubric[i]);
        if (why.empty()) continue;
        found.push_back({rubric[i].id, rubric[j].id, std::move(why)});
        break;
      }
    }
  }
  return found;
}

}  // namespace tapir::rubric
