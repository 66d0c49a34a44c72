// IFEval's instructions (Zhou et al., arXiv 2311.07911) as components: which kind each is, and what
// its arguments are called there.
#include <cmath>

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "rubric/read_rubric.h"

namespace tapir::rubric {
namespace {

// The arguments of one instruction. Nulls are taken as not there: some copies of the data carry
// every argument of every instruction.
class Arguments {
 public:
  Arguments(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object() && !object.is_null()) {
      throw Error(ErrorKind::data, where_ + ": kwargs: expected an object, found " +
                                       std::string(object.type_name()));
    }
  }
  std::string text(const char* key) const { return json_get<std::string>(object_, key, where_); }
  std::vector<std::string> texts(const char* key) const {
    return json_get<std::vector<std::string>>(object_, key, where_);
  }
  // Some copies have 3.0 for 3.
  std::int64_t number(const char* key) const {
    const auto value = json_get<double>(object_, key, where_);
    if (!(value >= 0 && value <= 1e9) || value != std::floor(value)) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: {}: expected a whole number, found {:g}", where_, key, value));
    }
    return static_cast<std::int64_t>(value);
  }
  Bounds at_least(const char* key) const { return {number(key), std::nullopt}; }
  Bounds exactly(const char* key) const { return {number(key), number(key)}; }
  // "less than" or "at least" so many.
  Bounds related(const char* key, const char* relation_key) const {
    const std::string relation = text(relation_key);
    if (relation == "at least") return at_least(key);
    if (relation == "less than") return {std::nullopt, number(key) - 1};
    throw Error(ErrorKind::data,
                fmt::format("{}: {}: expected \"less than\" or \"at least\", found \"{}\"", where_,
                            relation_key, relation));
  }

 private:
  const Json& object_;
  std::string where_;
};

using Fill = void (*)(const Arguments& from, Component& to);

struct Row {
  const char* name;
  const char* kind;
  Fill fill;
};

void nothing(const Arguments&, Component&) {}

// Their keywords count inside longer words too; forbidden words are whole words.
const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {"keywords:existence", "mention",
       [](const Arguments& from, Component& to) {
         to.values = from.texts("keywords");
         to.whole_words = false;
       }},
      {"keywords:frequency", "phrase_count",
       [](const Arguments& from, Component& to) {
         to.values = {from.text("keyword")};
         to.bounds = from.related("frequency", "relation");
         to.whole_words = false;
       }},
      {"keywords:forbidden_words", "avoid",
       [](const Arguments& from, Component& to) { to.values = from.texts("forbidden_words"); }},
      {"keywords:letter_frequency", "letter_count",
       [](const Arguments& from, Component& to) {
         to.values = {from.text("letter")};
         to.bounds = from.related("let_frequency", "let_relation");
       }},
      {"language:response_language", "language",
       [](const Arguments& from, Component& to) { to.values = {from.text("language")}; }},
      {"length_constraints:number_sentences", "sentences",
       [](const Arguments& from, Component& to) {
         to.bounds = from.related("num_sentences", "relation");
       }},
      {"length_constraints:number_paragraphs", "paragraphs",
       [](const Arguments& from, Component& to) {
         to.values = {"***"};
         to.bounds = from.exactly("num_paragraphs");
       }},
      {"length_constraints:number_words", "words",
       [](const Arguments& from, Component& to) {
         to.bounds = from.related("num_words", "relation");
       }},
      {"length_constraints:nth_paragraph_first_word", "paragraph_start",
       [](const Arguments& from, Component& to) {
         to.values = {from.text("first_word")};
         to.place = from.number("nth_paragraph");
         to.bounds = from.exactly("num_paragraphs");
       }},
      {"detectable_content:number_placeholders", "placeholders",
       [](const Arguments& from, Component& to) { to.bounds = from.at_least("num_placeholders"); }},
      {"detectable_content:postscript", "postscript",
       [](const Arguments& from, Component& to) { to.values = {from.text("postscript_marker")}; }},
      {"detectable_format:number_bullet_lists", "bullets",
       [](const Arguments& from, Component& to) { to.bounds = from.exactly("num_bullets"); }},
      {"detectable_format:constrained_response", "one_of",
       [](const Arguments&, Component& to) {
         to.values = {"My answer is yes.", "My answer is no.", "My answer is maybe."};
       }},
      {"detectable_format:number_highlighted_sections", "highlights",
       [](const Arguments& from, Component& to) { to.bounds = from.at_least("num_highlights"); }},
      {"detectable_format:multiple_sections", "sections",
       [](const Arguments& from, Component& to) {
         to.values = {from.text("section_spliter")};
         to.bounds = from.at_least("num_sections");
       }},
      {"detectable_format:json_format", "json", nothing},
      {"detectable_format:title", "title", nothing},
      {"combination:two_responses", "answers",
       [](const Arguments&, Component& to) {
         to.bounds = {2, 2};
       }},
      {"combination:repeat_prompt", "starts_with",
       [](const Arguments& from, Component& to) { to.values = {from.text("prompt_to_repeat")}; }},
      {"startend:end_checker", "ends_with",
       [](const Arguments& from, Component& to) { to.values = {from.text("end_phrase")}; }},
      {"startend:quotation", "quotation", nothing},
      {"change_case:capital_word_frequency", "capital_words",
       [](const Arguments& from, Component& to) {
         to.bounds = from.related("capital_frequency", "capital_relation");
       }},
      {"change_case:english_capital", "case",
       [](const Arguments&, Component& to) {
         to.values = {"upper", "en"};
       }},
      {"change_case:english_lowercase", "case",
       [](const Arguments&, Component& to) {
         to.values = {"lower", "en"};
       }},
      {"punctuation:no_comma", "avoid", [](const Arguments&, Component& to) { to.values = {","}; }},
  };
  return all;
}

}  // namespace

std::vector<std::string> ifeval_instructions() {
  std::vector<std::string> names;
  for (const Row& row : rows()) names.emplace_back(row.name);
  return names;
}

Component read_ifeval_instruction(const std::string& name, const Json& arguments,
                                  const std::string& where) {
  for (const Row& row : rows()) {
    if (name != row.name) continue;
    Component component;
    component.kind = row.kind;
    component.source = name;
    row.fill(Arguments(arguments, where + ": " + name), component);
    return component;
  }
  const auto near = nearest(name, ifeval_instructions());
  throw Error(ErrorKind::data, fmt::format("{}: unknown instruction \"{}\"", where, name),
              near ? "did you mean \"" + *near + "\"?"
                   : "IFEval has 25: " + join(ifeval_instructions(), ", "));
}

}  // namespace tapir::rubric
