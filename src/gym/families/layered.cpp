#include <algorithm>
#include <array>

#include "base/error.h"
#include "gym/families/families.h"
#include "gym/families/grammar_words.h"
#include "rubric/grade.h"
#include "rubric/inline_list.h"

namespace tapir::gym {
namespace {

const Words kItems = {"red",  "blue", "green", "black", "white", "pink", "gold", "grey",
                      "pear", "fig",  "plum",  "lime",  "kiwi",  "nut",  "bean", "corn"};

// What a constraint decides. Two constraints conflict when they decide the same.
enum Aspect : std::size_t { order, separator, prefix, wrap, title, tail, kAspects };

constexpr std::size_t kUnasked = 0;  // the value of an aspect that no constraint decides

struct Constraint {
  std::string word;
  Aspect aspect;
  std::size_t value;  // 1, 2, ... within the aspect
};
const std::array<Constraint, 12> kConstraints = {{{"reversed", order, 1},
                                                  {"sorted", order, 2},
                                                  {"commas", separator, 1},
                                                  {"slashes", separator, 2},
                                                  {"bars", separator, 3},
                                                  {"numbered", prefix, 1},
                                                  {"dashed", prefix, 2},
                                                  {"round", wrap, 1},
                                                  {"square", wrap, 2},
                                                  {"titled", title, 1},
                                                  {"counted", tail, 1},
                                                  {"closed", tail, 2}}};
const Words kSeparators = {"", ",", "/", "|"};
const Words kWrapOpen = {"", "(", "["};
const Words kWrapClose = {"", ")", "]"};

// The form of a list: the value of every aspect.
using Form = std::array<std::size_t, kAspects>;

struct Setting {
  std::size_t constraints;
  std::size_t items;
};
constexpr LevelSettings<Setting> kSettings = {
    {{1, 3}, {2, 3}, {3, 3}, {4, 4}, {5, 4}, {6, 5}, {6, 6}}};

struct Problem {
  Words items;
  std::vector<std::size_t> constraints;  // places in kConstraints, as the prompt names them
};

Words constraint_words() {
  Words words;
  for (const Constraint& constraint : kConstraints) words.push_back(constraint.word);
  return words;
}

// Nothing where two constraints conflict.
std::optional<Form> form_of(const std::vector<std::size_t>& constraints) {
  Form form = {};
  for (const std::size_t place : constraints) {
    std::size_t& value = form[kConstraints[place].aspect];
    if (value != kUnasked) return std::nullopt;
    value = kConstraints[place].value;
  }
  return form;
}

Words ordered(Words items, std::size_t how) {
  if (how == 1) std::reverse(items.begin(), items.end());
  if (how == 2) std::sort(items.begin(), items.end());
  return items;
}

std::string prefix_text(std::size_t how, std::size_t number) {
  return how == 1 ? std::to_string(number) : how == 2 ? "-" : "";
}

std::string written(const Words& items, const Form& form) {
  std::string text = form[title] == 1 ? "List :" : "";
  const auto add = [&](const std::string& word) {
    if (!word.empty()) text += (text.empty() || word == "," ? "" : " ") + word;
  };
  const Words list = ordered(items, form[order]);
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0) add(kSeparators[form[separator]]);
    add(prefix_text(form[prefix], i + 1));
    add(kWrapOpen[form[wrap]]);
    add(list[i]);
    add(kWrapClose[form[wrap]]);
  }
  if (form[tail] == 1) add("total " + std::to_string(list.size()));
  if (form[tail] == 2) add("end");
  return text;
}

// What the checkers of the rubric call the values of each aspect but the order.
const std::array<Words, kAspects> kValueNames = {{{},
                                                  {"none", "comma", "slash", "bar"},
                                                  {"none", "number", "dash"},
                                                  {"none", "round", "square"},
                                                  {"none", "list"},
                                                  {"none", "total", "end"}}};
struct AspectWords {
  std::string_view name;  // in the judge's words
  std::string_view kind;  // of its component
};
constexpr std::array<AspectWords, kAspects> kAspectWords = {{{"order", "list_order"},
                                                             {"separators", "list_separator"},
                                                             {"prefixes", "list_prefix"},
                                                             {"brackets", "list_brackets"},
                                                             {"title", "list_title"},
                                                             {"end", "list_end"}}};

// A component for each aspect. What is asked for weighs 2; an aspect that nobody asked for has to
// be plain, and weighs 1.
rubric::Rubric rubric_of(const Problem& problem) {
  const Form form = *form_of(problem.constraints);
  rubric::Rubric components;
  for (std::size_t aspect = 0; aspect < kAspects; ++aspect) {
    rubric::Component component;
    component.id = kAspectWords[aspect].name;
    component.kind = kAspectWords[aspect].kind;
    component.weight = form[aspect] == kUnasked ? 1 : 2;
    component.values = aspect == order ? ordered(problem.items, form[order])
                                       : Words{kValueNames[aspect][form[aspect]]};
    components.push_back(std::move(component));
  }
  return components;
}

// Answers may stand behind the mark.
std::string_view without_mark(std::string_view response) {
  response = trim(response);
  if (response.starts_with('#')) response.remove_prefix(1);
  return response;
}

// Nothing for a text that is no list of words of the family.
std::optional<Words> items_of(std::string_view answer) {
  const auto list = rubric::read_inline_list(answer);
  if (!list) return std::nullopt;
  Words items = list->words();
  const bool known = std::all_of(items.begin(), items.end(), [](const std::string& item) {
    return index_of(kItems, item).has_value();
  });
  if (!known) return std::nullopt;
  return items;
}

class Layered final : public TypedFamily<Problem> {
 public:
  std::string_view name() const override { return "layered"; }
  std::string_view task() const override { return "Complex Format"; }
  bool has_steps() const override { return false; }
  std::vector<std::string> level_table() const override {
    std::vector<std::string> rows;
    for (const Setting& setting : kSettings) {
      rows.push_back(std::to_string(setting.items) + " items, " +
                     std::to_string(setting.constraints) +
                     (setting.constraints == 1 ? " constraint" : " constraints"));
    }
    return rows;
  }

 protected:
  Problem draw(int level, RandomStream& stream) const override;
  std::string render(const Problem& problem) const override;
  std::optional<Problem> read(std::string_view prompt) const override;
  int level_of(const Problem& problem) const override;
  std::string canonical_of(const Problem& problem) const override;
  std::string solve(const Problem& problem, Style) const override {
    return "# " + written(problem.items, *form_of(problem.constraints));
  }
  Verdict grade(const Problem& problem, std::string_view response) const override;
  std::vector<Variant> vary(const Problem& problem, RandomStream& stream) const override;
};

// Constraints in the order of the table, so that the layers of the answer are named from inside out
// each time.
Problem Layered::draw(int level, RandomStream& stream) const {
  const Setting& setting = setting_of(kSettings, level);
  Problem problem;
  problem.items = kItems;
  stream.shuffle(problem.items);
  problem.items.resize(setting.items);
  do {
    std::vector<std::size_t> places(kConstraints.size());
    for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
    stream.shuffle(places);
    places.resize(setting.constraints);
    std::sort(places.begin(), places.end());
    problem.constraints = places;
  } while (!form_of(problem.constraints));
  return problem;
}

std::string Layered::render(const Problem& problem) const {
  Words words;
  for (const std::size_t place : problem.constraints) words.push_back(kConstraints[place].word);
  return "Format " + join(problem.items, " ") + ": " + join(words, ", ");
}

std::optional<Problem> Layered::read(std::string_view prompt) const {
  WordReader reader(prompt);
  Problem problem;
  if (!reader.take("Format")) return std::nullopt;
  while (const auto item = reader.take_from(kItems)) {
    if (index_of(problem.items, kItems[*item])) return std::nullopt;
    problem.items.push_back(kItems[*item]);
  }
  if (!reader.take(":")) return std::nullopt;
  do {
    const auto constraint = reader.take_from(constraint_words());
    if (!constraint) return std::nullopt;
    problem.constraints.push_back(*constraint);
  } while (reader.take(","));
  if (level_of(problem) == 0 || !form_of(problem.constraints)) return std::nullopt;
  if (trim(prompt) != render(problem)) return std::nullopt;
  return problem;
}

// 0 where no level has these settings.
int Layered::level_of(const Problem& problem) const {
  return level_where(kSettings, [&](const Setting& setting) {
    return problem.constraints.size() == setting.constraints &&
           problem.items.size() == setting.items;
  });
}

// The order of the constraints changes nothing, and that of the items nothing where they are to be
// sorted.
std::string Layered::canonical_of(const Problem& problem) const {
  Problem same = problem;
  std::sort(same.constraints.begin(), same.constraints.end());
  if ((*form_of(problem.constraints))[order] == 2) std::sort(same.items.begin(), same.items.end());
  return render(same);
}

// Gate: the same items, each once. Behind it the share of the rubric's weight that is kept.
Verdict Layered::grade(const Problem& problem, std::string_view response) const {
  const std::string_view answer = without_mark(response);
  const auto items = items_of(answer);
  if (!items) return unreadable("Not a list of the items in use with marks around them.");
  if (ordered(*items, 2) != ordered(problem.items, 2)) {
    return wrong(0, "Not the items that were given, each once.");
  }
  const rubric::Grade graded = rubric::grade(rubric_of(problem), answer);
  Words broken;
  for (const rubric::ComponentResult& one : graded.components) {
    if (!one.finding.kept) broken.push_back(one.id);
  }
  if (broken.empty()) return all_right();
  return wrong(graded.share(), "Not as asked: " + join(broken, ", ") + ".");
}

std::vector<Variant> Layered::vary(const Problem& problem, RandomStream& stream) const {
  const Form form = *form_of(problem.constraints);
  const std::string right = written(problem.items, form);
  const Constraint& dropped = kConstraints[stream.choose(problem.constraints)];
  Form without = form;
  without[dropped.aspect] = kUnasked;
  Form title_flipped = form;
  title_flipped[title] = 1 - form[title];
  Words other_item = problem.items;
  other_item[0] = *std::find_if(kItems.begin(), kItems.end(), [&](const std::string& item) {
    return !index_of(problem.items, item);
  });
  Words longer = problem.items;
  longer.push_back(problem.items[0]);
  std::vector<Variant> all = {
      {"title_flipped", 'C', "# " + written(problem.items, title_flipped)},
      {"other_item", 'C', "# " + written(other_item, form)},
      {"item_repeated", 'C', "# " + written(longer, form)},
      {"unknown_word", 'F', "# " + right + " qwerty"},
      {"only_the_mark", 'F', "#"},
      {"no_mark", 0, right},
      {"other_blanks_around_marks", 0,
       replace_all(replace_all("# " + right, ",", " ,"), "( ", "(")},
      {"more_white_space", 0, replace_all("# " + right, " ", "  ") + "\n"},
  };
  // Sorted items may have been in order before.
  if (written(problem.items, without) != right) {
    all.push_back({dropped.word + "_ignored", 'C', "# " + written(problem.items, without)});
  }
  return all;
}

}  // namespace

const Family& layered_family() {
  static const Layered family;
  return family;
}

}  // namespace tapir::gym
