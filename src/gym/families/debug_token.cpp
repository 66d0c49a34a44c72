// Code Debug: a line of code with misspelt keywords. "fix: whlie x print y" -> "while x print y".
// Every misspelling comes from a closed list of non-words with one nearest keyword.
#include <algorithm>
#include <map>
#include <set>

#include "base/strings.h"
#include "gym/families/families.h"

namespace tapir::gym {
namespace {

constexpr std::string_view kPrefix = "fix: ";
constexpr std::size_t kMisspellings = 4;  // of each keyword

const std::vector<std::string>& keywords() {
  static const std::vector<std::string> words = {"while",  "print",  "return", "import",
                                                 "break",  "except", "class",  "global",
                                                 "assert", "lambda", "yield",  "switch"};
  return words;
}

const std::vector<std::string>& identifiers() {
  static const std::vector<std::string> names = {"x", "y", "z", "n", "i", "j", "k", "m"};
  return names;
}

// One nearest keyword, and it is this one.
bool belongs_to(const std::string& misspelt, const std::string& keyword) {
  const std::size_t distance = edit_distance(misspelt, keyword);
  return std::all_of(keywords().begin(), keywords().end(), [&](const std::string& other) {
    return other == keyword || edit_distance(misspelt, other) > distance;
  });
}

// Neighbours exchanged, a letter doubled, a letter dropped, from the third letter on; the first
// ones that belong.
std::vector<std::string> make_misspellings(const std::string& keyword) {
  std::vector<std::string> found;
  for (std::size_t round = 0; round < 3 * keyword.size() && found.size() < kMisspellings; ++round) {
    const std::size_t at = 2 + (round / 3) % (keyword.size() - 2);
    std::string word = keyword;
    if (round % 3 == 0) std::swap(word[at], word[at - 1]);
    if (round % 3 == 1) word.insert(at, 1, keyword[at]);
    if (round % 3 == 2) word.erase(at, 1);
    const bool known = std::find(found.begin(), found.end(), word) != found.end();
    if (word != keyword && !known && belongs_to(word, keyword)) found.push_back(word);
  }
  return found;
}

// keyword -> its misspellings.
const std::map<std::string, std::vector<std::string>>& misspellings() {
  static const auto table = [] {
    std::map<std::string, std::vector<std::string>> out;
    for (const std::string& keyword : keywords()) out[keyword] = make_misspellings(keyword);
    return out;
  }();
  return table;
}

// misspelling -> keyword.
const std::map<std::string, std::string>& repairs() {
  static const auto table = [] {
    std::map<std::string, std::string> out;
    for (const auto& [keyword, words] : misspellings()) {
      for (const std::string& word : words) out[word] = keyword;
    }
    return out;
  }();
  return table;
}

bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Keywords and identifiers by turns: "whlie x print y".
struct Line {
  std::vector<std::string> words;
};

std::vector<std::string> corrected(const Line& line) {
  std::vector<std::string> out;
  for (const std::string& word : line.words) {
    const auto repair = repairs().find(word);
    out.push_back(repair == repairs().end() ? word : repair->second);
  }
  return out;
}

class DebugTokenFamily final : public TypedFamily<Line> {
 public:
  std::string_view name() const override { return "debug_token"; }
  std::string_view task() const override { return "Code Debug"; }
  bool has_steps() const override { return false; }
  std::vector<std::string> level_table() const override {
    std::vector<std::string> rows;
    for (int level = 1; level <= kLevelsBeyond; ++level) {
      rows.push_back(std::to_string(level) + " of " + std::to_string(level + 1) +
                     " keywords misspelt");
    }
    return rows;
  }

 protected:
  Line draw(int level, RandomStream& stream) const override {
    std::vector<std::string> names = identifiers();
    stream.shuffle(names);
    const std::size_t units = static_cast<std::size_t>(level) + 1;
    const std::size_t intact = stream.below(units);
    Line line;
    for (std::size_t i = 0; i < units; ++i) {
      const std::string& keyword = stream.choose(keywords());
      line.words.push_back(i == intact ? keyword : stream.choose(misspellings().at(keyword)));
      line.words.push_back(names[i]);
    }
    return line;
  }
  std::string render(const Line& problem) const override {
    return std::string(kPrefix) + join(problem.words, " ");
  }
  std::optional<Line> read(std::string_view prompt) const override {
    if (!prompt.starts_with(kPrefix)) return std::nullopt;
    const Line line{split(prompt.substr(kPrefix.size()), ' ')};
    if (line.words.size() % 2 != 0) return std::nullopt;
    std::set<std::string> names;
    for (std::size_t i = 0; i < line.words.size(); i += 2) {
      const std::string& word = line.words[i];
      if (!contains(keywords(), word) && !repairs().contains(word)) return std::nullopt;
      if (!contains(identifiers(), line.words[i + 1])) return std::nullopt;
      if (!names.insert(line.words[i + 1]).second) return std::nullopt;
    }
    const int level = level_of(line);
    if (level < 1 || level > kLevelsBeyond) return std::nullopt;
    if (line.words.size() != 2 * static_cast<std::size_t>(level + 1)) return std::nullopt;
    return line;
  }
  int level_of(const Line& problem) const override {
    return static_cast<int>(
        std::count_if(problem.words.begin(), problem.words.end(),
                      [](const auto& word) { return repairs().contains(word); }));
  }
  std::string canonical_of(const Line& problem) const override { return join(problem.words, " "); }
  std::string solve(const Line& problem, Style) const override {
    return join(corrected(problem), " ");
  }

  Verdict grade(const Line& problem, std::string_view response) const override {
    const std::vector<std::string> given = split_whitespace(response);
    const std::vector<std::string> wanted = corrected(problem);
    Verdict verdict;
    const bool code = std::all_of(given.begin(), given.end(), [](const std::string& word) {
      return contains(keywords(), word) || contains(identifiers(), word) ||
             repairs().contains(word);
    });
    if (given.empty() || !code) {
      verdict.words = "This is not a line of code.";
      return verdict;
    }
    verdict.format = 1;
    std::size_t equal = 0;
    for (std::size_t i = 0; i < std::min(given.size(), wanted.size()); ++i) {
      if (given[i] == wanted[i]) ++equal;
    }
    const std::size_t longer = std::max(given.size(), wanted.size());
    const bool right = equal == longer;
    verdict.correct = right ? 1 : 0.2 * static_cast<double>(equal) / static_cast<double>(longer);
    verdict.steps = verdict.correct;
    verdict.words = right ? "Every keyword is right and nothing else was touched."
                          : std::to_string(longer - equal) + " words of the line are not right.";
    return verdict;
  }

  std::vector<Variant> vary(const Line& problem, RandomStream& stream) const override {
    std::vector<Variant> out;
    const std::vector<std::string> good = corrected(problem);
    std::vector<std::string> words = good;
    const std::size_t at = 2 * stream.below(words.size() / 2);
    words[at] = stream.choose(misspellings().at(words[at]));
    out.push_back({"keyword_left_misspelt", 'C', join(words, " ")});
    words = good;
    words.back() = words.back() == "x" ? "y" : "x";
    out.push_back({"identifier_changed", 'C', join(words, " ")});
    words = good;
    words.pop_back();
    out.push_back({"word_dropped", 'C', join(words, " ")});
    words = good;
    words.push_back("while");
    out.push_back({"word_added", 'C', join(words, " ")});
    words = good;
    words[at] = "frob";
    out.push_back({"word_unknown", 'F', join(words, " ")});
    out.push_back({"nothing", 'F', " "});
    out.push_back({"blanks_added", 0, "  " + join(good, "  ") + "\n"});
    return out;
  }
};

}  // namespace

const Family& debug_token_family() {
  static const DebugTokenFamily family;
  return family;
}

}  // namespace tapir::gym
