#include <algorithm>
#include <array>

#include "base/error.h"
#include "gym/families/families.h"
#include "gym/families/grammar_words.h"

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

// One item of an answer with the marks around it, each as the value of its aspect; "mixed" where
// brackets do not pair.
constexpr std::size_t kMixed = 99;
struct Unit {
  std::string item;
  std::size_t separator = kUnasked;  // before it
  std::size_t prefix = kUnasked;
  std::size_t wrap = kUnasked;
};

struct Answer {
  std::vector<Unit> units;
  bool titled = false;
  std::size_t tail = kUnasked;
};

std::size_t take_value(WordReader& reader, const Words& marks) {
  return reader.take_from(marks).value_or(kUnasked);  // marks[0] is empty and never read
}

std::optional<Unit> read_unit(WordReader& reader, std::size_t number) {
  Unit unit;
  unit.separator = take_value(reader, kSeparators);
  if (const auto digit = reader.take_digit()) {
    unit.prefix = *digit == static_cast<int>(number) ? 1 : kMixed;
  } else if (reader.take("-")) {
    unit.prefix = 2;
  }
  const std::size_t opened = take_value(reader, kWrapOpen);
  const auto item = reader.take_from(kItems);
  if (!item) return std::nullopt;
  unit.item = kItems[*item];
  const std::size_t closed = take_value(reader, kWrapClose);
  unit.wrap = opened == closed ? opened : kMixed;
  return unit;
}

std::optional<Answer> read_answer(std::string_view text) {
  WordReader reader(text);
  Answer answer;
  reader.take("#");
  answer.titled = reader.take({"List", ":"});
  while (!reader.done() && !reader.next_is("total") && !reader.next_is("end")) {
    const auto unit = read_unit(reader, answer.units.size() + 1);
    if (!unit) return std::nullopt;
    answer.units.push_back(*unit);
  }
  if (reader.take("total")) {
    const auto count = reader.take_digit();
    if (!count) return std::nullopt;
    answer.tail = *count == static_cast<int>(answer.units.size()) ? 1 : kMixed;
  } else if (reader.take("end")) {
    answer.tail = 2;
  }
  if (!reader.done() || answer.units.empty()) return std::nullopt;
  return answer;
}

Words items_of(const Answer& answer) {
  Words items;
  for (const Unit& unit : answer.units) items.push_back(unit.item);
  return items;
}

bool all_units(const Answer& answer, std::size_t Unit::*part, std::size_t value) {
  return std::all_of(answer.units.begin(), answer.units.end(),
                     [&](const Unit& unit) { return unit.*part == value; });
}

// The checker of every aspect. An aspect that nobody asked for has to be plain.
using Checker = bool (*)(const Problem&, const Form&, const Answer&);
const std::array<Checker, kAspects> kCheckers = {
    [](const Problem& problem, const Form& form, const Answer& answer) {
      return items_of(answer) == ordered(problem.items, form[order]);
    },
    [](const Problem&, const Form& form, const Answer& answer) {
      if (answer.units[0].separator != kUnasked) return false;
      return std::all_of(answer.units.begin() + 1, answer.units.end(),
                         [&](const Unit& unit) { return unit.separator == form[separator]; });
    },
    [](const Problem&, const Form& form, const Answer& answer) {
      return all_units(answer, &Unit::prefix, form[prefix]);
    },
    [](const Problem&, const Form& form, const Answer& answer) {
      return all_units(answer, &Unit::wrap, form[wrap]);
    },
    [](const Problem&, const Form& form, const Answer& answer) {
      return answer.titled == (form[title] == 1);
    },
    [](const Problem&, const Form& form, const Answer& answer) {
      return answer.tail == form[tail];
    },
};

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

// Gate: the same items, each once. Behind it the asked aspects weigh 2 each, the others 1.
Verdict Layered::grade(const Problem& problem, std::string_view response) const {
  const auto answer = read_answer(response);
  if (!answer) return unreadable("Not a list of the items in use with marks around them.");
  if (ordered(items_of(*answer), 2) != ordered(problem.items, 2)) {
    return wrong(0, "Not the items that were given, each once.");
  }
  const Form form = *form_of(problem.constraints);
  static constexpr std::array<std::string_view, kAspects> kNames = {
      "order", "separators", "prefixes", "brackets", "title", "end"};
  double kept = 0;
  double all = 0;
  Words broken;
  for (std::size_t aspect = 0; aspect < kAspects; ++aspect) {
    const double weight = form[aspect] == kUnasked ? 1 : 2;
    all += weight;
    if (kCheckers[aspect](problem, form, *answer)) {
      kept += weight;
    } else {
      broken.emplace_back(kNames[aspect]);
    }
  }
  if (broken.empty()) return all_right();
  return wrong(kept / all, "Not as asked: " + join(broken, ", ") + ".");
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
