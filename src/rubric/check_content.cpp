// What has to be said or not, in which letters and in which language.
#include <fmt/format.h>

#include "rubric/checkers.h"
#include "rubric/language.h"
#include "rubric/text_units.h"

namespace tapir::rubric {

Finding check_mention(const Component& component, std::string_view answer) {
  for (const std::string& phrase : component.values) {
    if (count_phrase(answer, phrase, component.whole_words) == 0)
      return {false, fmt::format("\"{}\" is not there", phrase)};
  }
  return {true, "all of it is there"};
}

Finding check_avoid(const Component& component, std::string_view answer) {
  for (const std::string& phrase : component.values) {
    if (count_phrase(answer, phrase, component.whole_words) > 0)
      return {false, fmt::format("\"{}\" is there", phrase)};
  }
  return {true, "none of it is there"};
}

Finding check_phrase_count(const Component& component, std::string_view answer) {
  const std::string& phrase = component.values.front();
  return counted(component, count_phrase(answer, phrase, component.whole_words),
                 fmt::format("times \"{}\"", phrase));
}

Finding check_letter_count(const Component& component, std::string_view answer) {
  const std::string& letter = component.values.front();
  return counted(component, count_letter(answer, letter), fmt::format("times \"{}\"", letter));
}

Finding check_capital_words(const Component& component, std::string_view answer) {
  return counted(component, count_capital_words(answer), "words in capitals");
}

Finding check_one_of(const Component& component, std::string_view answer) {
  for (const std::string& option : component.values) {
    if (answer.find(option) != std::string_view::npos) return {true, "it says \"" + option + "\""};
  }
  return {false, "it says none of the options"};
}

Finding check_case(const Component& component, std::string_view answer) {
  const bool upper = component.values.front() == "upper";
  if (case_of(answer) != (upper ? Case::upper : Case::lower))
    return {false, upper ? "not all in capitals" : "not all in small letters"};
  if (component.values.size() == 1) return {true, "all of it is"};
  Component language;
  language.values = {component.values[1]};
  return check_language(language, answer);
}

Finding check_language(const Component& component, std::string_view answer) {
  const std::string wanted = language_code(component.values.front());
  const std::optional<std::string> found = language_of(answer);
  if (!found) return {true, "too little text to tell the language; counted as kept"};
  return {*found == wanted, fmt::format("in \"{}\"; asked for: \"{}\"", *found, wanted)};
}

}  // namespace tapir::rubric
