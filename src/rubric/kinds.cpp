#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "base/strings.h"
#include "rubric/checkers.h"
#include "rubric/component.h"
#include "rubric/language.h"
#include "rubric/text_units.h"

namespace tapir::rubric {
namespace {

using Choices = std::vector<std::string>;

// What the first value of a kind may be; empty: any text that is not blank.
const Choices& choices_of(std::string_view kind) {
  static const Choices kCases = {"upper", "lower"};
  static const Choices kSeparators = {"none", "comma", "slash", "bar"};
  static const Choices kPrefixes = {"none", "number", "dash"};
  static const Choices kBrackets = {"none", "round", "square"};
  static const Choices kTitles = {"none", "list"};
  static const Choices kEnds = {"none", "total", "end"};
  static const Choices kAny;
  if (kind == "case") return kCases;
  if (kind == "list_separator") return kSeparators;
  if (kind == "list_prefix") return kPrefixes;
  if (kind == "list_brackets") return kBrackets;
  if (kind == "list_title") return kTitles;
  if (kind == "list_end") return kEnds;
  return kAny;
}

bool is_id(std::string_view id) {
  return !id.empty() && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

std::string fault_of_bounds(const ComponentKind& kind, const Bounds& bounds) {
  if (kind.bounds == Takes::always && !bounds.any())
    return "expected at_least, at_most or exactly, found none of them";
  if (kind.bounds == Takes::nothing && bounds.any())
    return "it takes no at_least, at_most or exactly";
  if (bounds.at_least && *bounds.at_least < 0) return "at_least is below 0";
  if (bounds.at_most && *bounds.at_most < 0) return "no count is below 0: at_most is";
  if (bounds.at_least && bounds.at_most && *bounds.at_least > *bounds.at_most)
    return "at_least is above at_most";
  return {};
}

std::string fault_of_values(const ComponentKind& kind, const Component& component) {
  const std::size_t count = component.values.size();
  if (kind.values == Values::none && count > 0) return "it takes no value";
  if (kind.values == Values::one && count != 1)
    return fmt::format("expected one value, found {}", count);
  if (kind.values == Values::at_most_one && count > 1)
    return fmt::format("expected at most one value, found {}", count);
  if (kind.values == Values::several && count == 0)
    return "expected at least one value, found none";
  for (const std::string& value : component.values) {
    if (is_blank(value)) return "a value is blank";
  }
  const Choices& choices = choices_of(kind.name);
  if (count > 0 && !choices.empty() &&
      std::find(choices.begin(), choices.end(), component.values.front()) == choices.end()) {
    return fmt::format("expected one of {}, found \"{}\"", join(choices, ", "),
                       component.values.front());
  }
  return {};
}

// What only some kinds ask of their values.
std::string fault_of_language(const Component& component) {
  const bool of_case = component.kind == "case";
  if (of_case && component.values.size() > 2) return "expected a case and maybe a language";
  if (component.kind != "language" && (!of_case || component.values.size() < 2)) return {};
  if (is_known_language(component.values.back())) return {};
  return fmt::format("\"{}\" is no language that can be told (a code such as en, de, zh)",
                     component.values.back());
}

std::string fault_of_letter(const Component& component) {
  if (component.kind != "letter_count" ||
      count_letter(component.values[0], component.values[0]) == 1)
    return {};
  return fmt::format("expected one character, found \"{}\"", component.values[0]);
}

}  // namespace

const std::vector<ComponentKind>& component_kinds() {
  constexpr bool kNo = false;
  constexpr Takes kUncounted = Takes::nothing;
  constexpr Takes kBounds = Takes::always;
  constexpr bool kWords = true;
  constexpr bool kPlace = true;
  static const std::vector<ComponentKind> kinds = {
      {"words", "length", Values::none, kBounds, kNo, kNo,
       "so many words (runs of letters, digits and underscores)", check_words},
      {"sentences", "length", Values::none, kBounds, kNo, kNo,
       "so many sentences, by ICU's rules and its English abbreviations", check_sentences},
      {"paragraphs", "length", Values::at_most_one, kBounds, kNo, kNo,
       "so many paragraphs: an empty line is between them, or the value", check_paragraphs},
      {"paragraph_start", "length", Values::one, Takes::maybe, kNo, kPlace,
       "the paragraph at that place starts with the value; and there are so many of them",
       check_paragraph_start},
      {"answers", "length", Values::at_most_one, kBounds, kNo, kNo,
       "so many answers, all different, with `******` or the value between them", check_answers},
      {"mention", "content", Values::several, kUncounted, kWords, kNo, "each value is there",
       check_mention},
      {"avoid", "content", Values::several, kUncounted, kWords, kNo, "no value is there",
       check_avoid},
      {"phrase_count", "content", Values::one, kBounds, kWords, kNo, "the value is there so often",
       check_phrase_count},
      {"letter_count", "content", Values::one, kBounds, kNo, kNo,
       "the one character is there so often, in either case", check_letter_count},
      {"one_of", "content", Values::several, kUncounted, kNo, kNo,
       "one of the values is there, to the letter", check_one_of},
      {"case", "case", Values::several, kUncounted, kNo, kNo,
       "all letters are `upper` or `lower`; a second value: and in that language", check_case},
      {"capital_words", "case", Values::none, kBounds, kNo, kNo, "so many words of capitals only",
       check_capital_words},
      {"language", "language", Values::one, kUncounted, kNo, kNo,
       "most of it is in the language of that code", check_language},
      {"json", "format", Values::none, kUncounted, kNo, kNo,
       "all of it is one JSON value, maybe in a code fence", check_json},
      {"sections", "format", Values::one, kBounds, kNo, kNo,
       "so many headings of the value and a number (`Section 1`)", check_sections},
      {"bullets", "format", Values::none, kBounds, kNo, kNo,
       "so many lines that begin with `*` or `-`", check_bullets},
      {"numbered", "format", Values::none, kBounds, kNo, kNo,
       "so many lines that begin with `1. ` or `1) `", check_numbered},
      {"highlights", "format", Values::none, kBounds, kNo, kNo,
       "so many passages between asterisks", check_highlights},
      {"title", "format", Values::none, kUncounted, kNo, kNo, "a title in `<<...>>`", check_title},
      {"placeholders", "format", Values::none, kBounds, kNo, kNo,
       "so many placeholders in square brackets", check_placeholders},
      {"starts_with", "frame", Values::one, kUncounted, kNo, kNo,
       "it begins with the value, in any case", check_starts_with},
      {"ends_with", "frame", Values::one, kUncounted, kNo, kNo,
       "it ends with the value, in any case", check_ends_with},
      {"quotation", "frame", Values::none, kUncounted, kNo, kNo,
       "all of it stands in double quotation marks", check_quotation},
      {"postscript", "frame", Values::one, kUncounted, kNo, kNo, "the value (`P.S.`) is there",
       check_postscript},
      {"list_order", "list", Values::several, kUncounted, kNo, kNo,
       "a list on one line has these items in this order", check_list_order},
      {"list_separator", "list", Values::one, kUncounted, kNo, kNo,
       "between its items: `none`, `comma`, `slash` or `bar`", check_list_separator},
      {"list_prefix", "list", Values::one, kUncounted, kNo, kNo,
       "before each item: `none`, its `number` or a `dash`", check_list_prefix},
      {"list_brackets", "list", Values::one, kUncounted, kNo, kNo,
       "around each item: `none`, `round` or `square`", check_list_brackets},
      {"list_title", "list", Values::one, kUncounted, kNo, kNo,
       "before it: `none`, or `list` for `List :`", check_list_title},
      {"list_end", "list", Values::one, kUncounted, kNo, kNo,
       "behind it: `none`, the `total` of its items, or `end`", check_list_end},
  };
  return kinds;
}

const ComponentKind* find_kind(std::string_view name) {
  for (const ComponentKind& kind : component_kinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

std::string_view group_of(const Component& component) {
  const ComponentKind* kind = find_kind(component.kind);
  return kind == nullptr ? kJudged : kind->group;
}

bool has_judged(const Rubric& rubric) {
  return std::any_of(rubric.begin(), rubric.end(), is_judged);
}

std::string to_string(const Bounds& bounds) {
  if (bounds.at_least && bounds.at_most) {
    if (*bounds.at_least == *bounds.at_most) return fmt::format("exactly {}", *bounds.at_least);
    return fmt::format("{} to {}", *bounds.at_least, *bounds.at_most);
  }
  if (bounds.at_least) return fmt::format("at least {}", *bounds.at_least);
  if (bounds.at_most) return fmt::format("at most {}", *bounds.at_most);
  return "any number";
}

std::string fault_of(const Component& component) {
  if (!is_id(component.id))
    return fmt::format("the id \"{}\" is not of letters, digits, _ and -", component.id);
  if (!(component.weight > 0) || !std::isfinite(component.weight))
    return "the weight is not above 0";
  if (is_judged(component)) {
    if (is_blank(component.text)) return "expected \"text\", what the judge has to confirm";
    const bool bare = component.values.empty() && !component.bounds.any();
    return bare ? "" : "a judged component takes \"text\" only";
  }
  const ComponentKind* kind = find_kind(component.kind);
  if (kind == nullptr) {
    std::vector<std::string> known = {std::string(kJudged)};
    for (const ComponentKind& one : component_kinds()) known.emplace_back(one.name);
    const auto near = nearest(component.kind, known);
    return fmt::format("unknown kind \"{}\"; {}", component.kind,
                       near ? "did you mean " + *near + "?" : "known: " + join(known, ", "));
  }
  if (!component.text.empty()) return "\"text\" is for judged components";
  if (component.place < 1 || (component.place != 1 && !kind->takes_place))
    return "it takes no such \"place\"";
  if (!component.whole_words && !kind->takes_words) return "it takes no \"whole_words\"";
  for (const std::string& fault :
       {fault_of_bounds(*kind, component.bounds), fault_of_values(*kind, component)}) {
    if (!fault.empty()) return fault;
  }
  const std::string fault = fault_of_language(component);
  return fault.empty() ? fault_of_letter(component) : fault;
}

}  // namespace tapir::rubric
