#include <algorithm>
#include <array>
#include <map>

#include "base/error.h"
#include "gym/families/families.h"
#include "gym/families/grammar_words.h"

namespace tapir::gym {
namespace {

// A phrase is a colour or size, a noun and a verb, in this order in the source.
constexpr std::size_t kKinds = 3;
const std::array<Words, kKinds> kSource = {{
    {"red", "big", "old", "small", "white"},
    {"dog", "cat", "bird", "horse", "duck", "fox", "bear", "mouse"},
    {"runs", "sleeps", "eats", "sings", "waits"},
}};

struct Language {
  std::string name;
  std::array<std::size_t, kKinds> order;  // which kind of word stands first, second, third
  std::array<Words, kKinds> words;
};
const std::array<Language, 3> kLanguages = {{
    {"tala",
     {1, 0, 2},
     {{{"ralo", "gano", "velo", "tino", "balo"},
       {"kodo", "mika", "pilu", "hesto", "daka", "foso", "beru", "musi"},
       {"kura", "dorma", "mana", "kanta", "vata"}}}},
    {"miro",
     {2, 0, 1},
     {{{"uth", "orm", "ald", "ilt", "esk"},
       {"hund", "kisk", "vogg", "ross", "andt", "revk", "bjork", "rott"},
       {"lopt", "sovt", "spist", "synt", "ventt"}}}},
    {"suvi",
     {2, 1, 0},
     {{{"punai", "isoi", "vanhai", "pienei", "valkoi"},
       {"koirai", "kissai", "lintui", "hevoi", "ankkai", "kettui", "karhui", "hiirei"},
       {"juoksu", "nukku", "syody", "laulu", "odotu"}}}},
}};

using Phrase = std::array<std::size_t, kKinds>;  // places in kSource

struct Problem {
  std::size_t language = 0;
  std::vector<Phrase> phrases;
};

Words language_names() {
  Words names;
  for (const Language& language : kLanguages) names.push_back(language.name);
  return names;
}

std::string source_text(const std::vector<Phrase>& phrases) {
  Words parts;
  for (const Phrase& phrase : phrases) {
    parts.push_back(kSource[0][phrase[0]] + " " + kSource[1][phrase[1]] + " " +
                    kSource[2][phrase[2]]);
  }
  return join(parts, ", ");
}

// In the language's own words; in the source's order of words when own_order is false.
std::string target_text(const Problem& problem, bool own_order) {
  const Language& language = kLanguages[problem.language];
  Words parts;
  for (const Phrase& phrase : problem.phrases) {
    Words words;
    for (std::size_t place = 0; place < kKinds; ++place) {
      const std::size_t kind = own_order ? language.order[place] : place;
      words.push_back(language.words[kind][phrase[kind]]);
    }
    parts.push_back(join(words, " "));
  }
  return join(parts, ", ");
}

// Harmonic mean of precision and recall over words, each counted as often as it occurs.
double token_f1(const Words& given, const Words& expected) {
  std::map<std::string, std::size_t> left;
  for (const std::string& word : expected) ++left[word];
  std::size_t common = 0;
  for (const std::string& word : given) {
    const auto found = left.find(word);
    if (found == left.end() || found->second == 0) continue;
    --found->second;
    ++common;
  }
  return 2 * static_cast<double>(common) / static_cast<double>(given.size() + expected.size());
}

bool known_word(const std::string& word) {
  if (word == ",") return true;
  const auto in = [&](const std::array<Words, kKinds>& lexicon) {
    return std::any_of(lexicon.begin(), lexicon.end(),
                       [&](const Words& words) { return index_of(words, word).has_value(); });
  };
  return in(kSource) || std::any_of(kLanguages.begin(), kLanguages.end(),
                                    [&](const Language& language) { return in(language.words); });
}

class Translate final : public TypedFamily<Problem> {
 public:
  std::string_view name() const override { return "translate"; }
  std::string_view task() const override { return "Multilingual"; }
  bool has_steps() const override { return false; }
  std::vector<std::string> level_table() const override {
    std::vector<std::string> rows;
    for (int level = 1; level <= kLevelsBeyond; ++level) {
      rows.push_back(std::to_string(level) + (level == 1 ? " phrase" : " phrases"));
    }
    return rows;
  }

 protected:
  Problem draw(int level, RandomStream& stream) const override;
  std::string render(const Problem& problem) const override {
    return "Say in " + kLanguages[problem.language].name + ": " + source_text(problem.phrases);
  }
  std::optional<Problem> read(std::string_view prompt) const override;
  int level_of(const Problem& problem) const override {
    return static_cast<int>(problem.phrases.size());
  }
  std::string canonical_of(const Problem& problem) const override { return render(problem); }
  std::string solve(const Problem& problem, Style) const override {
    return "# " + target_text(problem, /*own_order=*/true);
  }
  Verdict grade(const Problem& problem, std::string_view response) const override;
  std::vector<Variant> vary(const Problem& problem, RandomStream& stream) const override;
};

Problem Translate::draw(int level, RandomStream& stream) const {
  check(level >= 1 && level <= kLevelsBeyond, "a level of the gym is 1..7");
  Problem problem;
  problem.language = stream.below(kLanguages.size());
  for (int i = 0; i < level; ++i) {
    Phrase phrase;
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
      phrase[kind] = stream.below(kSource[kind].size());
    }
    problem.phrases.push_back(phrase);
  }
  return problem;
}

std::optional<Problem> Translate::read(std::string_view prompt) const {
  WordReader reader(prompt);
  Problem problem;
  if (!reader.take({"Say", "in"})) return std::nullopt;
  const auto language = reader.take_from(language_names());
  if (!language || !reader.take(":")) return std::nullopt;
  problem.language = *language;
  do {
    Phrase phrase;
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
      const auto word = reader.take_from(kSource[kind]);
      if (!word) return std::nullopt;
      phrase[kind] = *word;
    }
    problem.phrases.push_back(phrase);
  } while (reader.take(","));
  if (level_of(problem) > kLevelsBeyond || trim(prompt) != render(problem)) return std::nullopt;
  return problem;
}

Verdict Translate::grade(const Problem& problem, std::string_view response) const {
  WordReader reader(response);
  reader.take("#");
  const Words given = reader.rest();
  if (given.empty() || !std::all_of(given.begin(), given.end(), known_word)) {
    return unreadable("Not a line of words of the languages.");
  }
  const Words expected = lex(target_text(problem, /*own_order=*/true));
  if (given == expected) return all_right();
  const double f1 = token_f1(given, expected);
  const bool only_order = given.size() == expected.size() && f1 >= 1;
  const std::string& language = kLanguages[problem.language].name;
  return wrong(f1, only_order ? "The words are right, but not in the order of " + language + "."
                              : "Not all words are the right ones in " + language + ".");
}

std::vector<Variant> Translate::vary(const Problem& problem, RandomStream& stream) const {
  const std::string right = target_text(problem, /*own_order=*/true);
  Problem other_language = problem;
  other_language.language =
      (problem.language + 1 + stream.below(kLanguages.size() - 1)) % kLanguages.size();
  Problem other_word = problem;
  const std::size_t kind = stream.below(kKinds);
  std::size_t& word = other_word.phrases[stream.below(problem.phrases.size())][kind];
  word = (word + 1 + stream.below(kSource[kind].size() - 1)) % kSource[kind].size();
  Problem longer = problem;
  longer.phrases.push_back(problem.phrases[0]);
  return {
      {"other_language", 'C', "# " + target_text(other_language, true)},
      {"word_changed", 'C', "# " + target_text(other_word, true)},
      {"source_order", 'C', "# " + target_text(problem, /*own_order=*/false)},
      {"not_translated", 'C', "# " + source_text(problem.phrases)},
      {"phrase_repeated", 'C', "# " + target_text(longer, true)},
      {"unknown_word", 'F', "# " + right + " qwerty"},
      {"only_the_mark", 'F', "#"},
      {"no_mark", 0, right},
      {"more_white_space", 0, " #  " + replace_all(right, " ", "  ") + "\n"},
  };
}

}  // namespace

const Family& translate_family() {
  static const Translate family;
  return family;
}

}  // namespace tapir::gym
