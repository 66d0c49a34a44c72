// How long, and in how many parts.
#include <set>

#include <fmt/format.h>

#include "rubric/checkers.h"
#include "rubric/text_units.h"

namespace tapir::rubric {
namespace {

constexpr std::string_view kBlankLine = "\n\n";
constexpr std::string_view kBetweenAnswers = "******";

std::string_view separator_of(const Component& component, std::string_view usual) {
  return component.values.empty() ? usual : std::string_view(component.values.front());
}

std::int64_t count_filled(const std::vector<std::string_view>& parts) {
  std::int64_t count = 0;
  for (const std::string_view part : parts) count += is_blank(part) ? 0 : 1;
  return count;
}

// A separator at the very start or end makes no part; two in a row make an empty one.
bool has_empty_part(const std::vector<std::string_view>& parts) {
  for (std::size_t i = 1; i + 1 < parts.size(); ++i) {
    if (is_blank(parts[i])) return true;
  }
  return false;
}

// In lower case, without quotation marks before it, up to the first mark of punctuation.
std::string first_word(std::string_view paragraph) {
  std::string_view rest = strip(paragraph);
  while (rest.starts_with('\'')) rest.remove_prefix(1);
  while (rest.starts_with('"')) rest.remove_prefix(1);
  return lower(rest.substr(0, rest.find_first_of(" \t\n\r.,?!'\"")));
}

}  // namespace

Finding counted(const Component& component, std::int64_t count, std::string_view what) {
  return {component.bounds.hold(count),
          fmt::format("{} {}; asked for: {}", count, what, to_string(component.bounds))};
}

Finding check_words(const Component& component, std::string_view answer) {
  return counted(component, static_cast<std::int64_t>(words(answer).size()), "words");
}

Finding check_sentences(const Component& component, std::string_view answer) {
  return counted(component, count_sentences(answer), "sentences");
}

Finding check_paragraphs(const Component& component, std::string_view answer) {
  const auto parts = split_by(answer, separator_of(component, kBlankLine));
  if (!component.values.empty() && has_empty_part(parts)) {
    return {false, fmt::format("nothing between two {}", component.values.front())};
  }
  return counted(component, count_filled(parts), "paragraphs");
}

Finding check_paragraph_start(const Component& component, std::string_view answer) {
  const auto parts = split_by(answer, kBlankLine);
  const std::int64_t count = count_filled(parts);
  if (!component.bounds.hold(count)) return counted(component, count, "paragraphs");
  if (component.place > count) {
    return {false, fmt::format("{} paragraphs: there is no number {}", count, component.place)};
  }
  const std::string found = first_word(parts[static_cast<std::size_t>(component.place - 1)]);
  const std::string wanted = lower(component.values.front());
  return {found == wanted, fmt::format("paragraph {} starts with \"{}\"; asked for: \"{}\"",
                                       component.place, found, wanted)};
}

Finding check_answers(const Component& component, std::string_view answer) {
  const std::string_view separator = separator_of(component, kBetweenAnswers);
  const auto parts = split_by(answer, separator);
  if (has_empty_part(parts)) return {false, fmt::format("nothing between two {}", separator)};
  std::set<std::string_view> distinct;
  for (const std::string_view part : parts) {
    if (!is_blank(part)) distinct.insert(strip(part));
  }
  const std::int64_t count = count_filled(parts);
  if (static_cast<std::int64_t>(distinct.size()) != count) return {false, "two answers are equal"};
  return counted(component, count, "answers");
}

}  // namespace tapir::rubric
