#include "evaluate/mt_bench.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/hash.h"
#include "stats/estimates.h"

namespace tapir::evaluate {
namespace {

constexpr std::size_t kShown = 5;  // of a long list

// short_id() of the two turns of each: a corrected reference is another text.
constexpr std::array<std::pair<std::int64_t, std::string_view>, 13> kWrongReferences = {{
    {104, "31c46aa5aaef80cf"},
    {105, "bbf7ec2965d2127e"},
    {109, "b37e28cc3748b832"},
    {111, "995129477826f208"},
    {113, "88e9208833ec2e5e"},
    {114, "a1c03ac46ce6a221"},
    {120, "6885d875abdcb308"},
    {122, "c466ca9f211e9a54"},
    {124, "c5922ad7eff04eb9"},
    {125, "66e877aeedc949be"},
    {126, "f097f1a60fe684ea"},
    {128, "a54e259251b1181d"},
    {130, "96ad7119391e1637"},
}};

std::optional<double> mean_of(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  return stats::mean(values);
}

// Names the first few and counts the rest.
template <typename Row, typename Describe>
[[noreturn]] void refuse_duplicates(const std::vector<std::pair<Row, Row>>& twice,
                                    const std::string& hint, const Describe& describe) {
  std::string shown;
  for (std::size_t i = 0; i < std::min(kShown, twice.size()); ++i) {
    const auto& [first, again] = twice[i];
    shown += fmt::format("\n  {}: {} and {}", describe(first), first.where, again.where);
  }
  if (twice.size() > kShown) shown += fmt::format("\n  and {} more", twice.size() - kShown);
  throw Error(ErrorKind::data,
              fmt::format("{} judgments stand more than once:{}", twice.size(), shown), hint);
}

// Rows by key: the first or the last of each, in the order given; with `all` every one. Those that
// stand again go to `twice`.
template <typename Row, typename Key>
std::vector<Row> settled(std::vector<Row> rows, Duplicates policy, const Key& key,
                         std::vector<std::pair<Row, Row>>& twice) {
  std::map<decltype(key(rows.front())), std::size_t> place;
  std::vector<Row> kept;
  for (Row& row : rows) {
    const auto [found, is_new] = place.emplace(key(row), kept.size());
    if (is_new) {
      kept.push_back(std::move(row));
      continue;
    }
    twice.emplace_back(kept[found->second], row);
    if (policy == Duplicates::last) {
      kept[found->second] = std::move(row);
    } else if (policy == Duplicates::average) {
      kept.push_back(std::move(row));
    }
  }
  return kept;
}

// The judgments of one model by one judge.
struct Judged {
  std::vector<double> all, turn1, turn2, without_wrong;
  std::vector<std::int64_t> questions;  // of `all`
  std::map<std::string, std::vector<double>> by_category;
  std::map<int, std::vector<double>> by_repeat;
  std::set<std::tuple<std::int64_t, int, int>> seen;  // question, turn, repeat
  std::set<int> repeats;
  bool wrong_references = false;
  MtScore score;
};

void take(Judged& judged, const MtJudgment& judgment, const std::string& category) {
  MtScore& score = judged.score;
  ++score.judgments;
  score.misread += judgment.rereads ? 0 : 1;
  judged.seen.insert({judgment.question, judgment.turn, judgment.repeat});
  judged.repeats.insert(judgment.repeat);
  judged.by_category[category];
  const bool wrong = judgment.wrong_reference;
  judged.wrong_references = judged.wrong_references || wrong;
  if (!judgment.score) {
    ++score.failed;
    return;
  }
  const double value = *judgment.score;
  score.out_of_range += value < 1 || value > 10 ? 1 : 0;
  judged.all.push_back(value);
  judged.questions.push_back(judgment.question);
  (judgment.turn == 1 ? judged.turn1 : judged.turn2).push_back(value);
  if (!wrong) judged.without_wrong.push_back(value);
  judged.by_category[category].push_back(value);
  judged.by_repeat[judgment.repeat].push_back(value);
}

MtScore finished(Judged judged, const MtCategories& categories) {
  MtScore& score = judged.score;
  score.turn1 = mean_of(judged.turn1);
  score.turn2 = mean_of(judged.turn2);
  score.average = mean_of(judged.all);
  for (const auto& [category, values] : judged.by_category)
    score.by_category[category] = mean_of(values);
  score.interval = interval_of(stats::estimate_clustered_mean(judged.all, judged.questions));
  for (const auto& [repeat, values] : judged.by_repeat)
    score.repeats.push_back(stats::mean(values));
  score.repeat_interval = stats::student_t_interval(score.repeats);
  const std::size_t wanted = categories.size() * kMtTurns * judged.repeats.size();
  score.missing = static_cast<std::int64_t>(wanted - judged.seen.size());
  if (judged.wrong_references)
    score.average_without_wrong_references = mean_of(judged.without_wrong);
  return std::move(score);
}

}  // namespace

const MtCategories& official_mt_categories() {
  static const MtCategories categories = [] {
    MtCategories made;
    std::int64_t id = 81;
    for (const char* category : {"writing", "roleplay", "reasoning", "math", "coding", "extraction",
                                 "stem", "humanities"}) {
      for (int i = 0; i < 10; ++i) made[id++] = category;
    }
    return made;
  }();
  return categories;
}

bool has_wrong_mt_reference(std::int64_t question) {
  return std::any_of(kWrongReferences.begin(), kWrongReferences.end(),
                     [&](const auto& wrong) { return wrong.first == question; });
}

bool is_wrong_mt_reference(std::int64_t question, const std::vector<std::string>& turns) {
  if (turns.size() != kMtTurns) return false;
  const std::string id = short_id({turns[0], turns[1]});
  return std::any_of(kWrongReferences.begin(), kWrongReferences.end(), [&](const auto& wrong) {
    return wrong.first == question && wrong.second == id;
  });
}

bool needs_mt_reference(std::string_view category) {
  return category == "math" || category == "reasoning" || category == "coding";
}

double mt_temperature(std::string_view category) {
  if (category == "writing" || category == "roleplay") return 0.7;
  return category == "stem" || category == "humanities" ? 0.1 : 0;
}

std::vector<MtJudgment> settle_duplicates(std::vector<MtJudgment> judgments, Duplicates policy) {
  std::vector<std::pair<MtJudgment, MtJudgment>> twice;
  auto kept = settled(
      std::move(judgments), policy,
      [](const MtJudgment& j) {
        return std::tuple(j.model, j.judge, j.reference_set, j.question, j.turn, j.repeat);
      },
      twice);
  if (policy == Duplicates::error && !twice.empty()) {
    refuse_duplicates(
        twice,
        "say which count with --duplicates first, last or average (all of them, as FastChat does)",
        [](const MtJudgment& j) {
          return fmt::format("{} by {}, question {}, turn {}", j.model, j.judge, j.question,
                             j.turn);
        });
  }
  return kept;
}

std::vector<MtScore> score_mt_bench(std::span<const MtJudgment> judgments,
                                    const MtCategories& categories) {
  std::map<std::tuple<std::string, std::string, std::string>, Judged> by_model;
  for (const MtJudgment& judgment : judgments) {
    Judged& judged = by_model[{judgment.model, judgment.judge, judgment.reference_set}];
    judged.score.model = judgment.model;
    judged.score.judge = judgment.judge;
    judged.score.reference_set = judgment.reference_set;
    const auto category = categories.find(judgment.question);
    check(category != categories.end(), "score_mt_bench: every question has a category");
    take(judged, judgment, category->second);
  }
  std::vector<MtScore> scores;
  for (auto& [key, judged] : by_model) scores.push_back(finished(std::move(judged), categories));
  return scores;
}

std::vector<MtPair> settle_duplicates(std::vector<MtPair> pairs, Duplicates policy) {
  std::vector<std::pair<MtPair, MtPair>> twice;
  auto kept = settled(
      std::move(pairs), policy,
      [](const MtPair& p) { return std::tuple(p.model_1, p.model_2, p.judge, p.question, p.turn); },
      twice);
  const bool decided = policy == Duplicates::first || policy == Duplicates::last;
  if (!decided && !twice.empty()) {
    refuse_duplicates(twice, "say which count with --duplicates first or last",
                      [](const MtPair& p) {
                        return fmt::format("{} against {} by {}, question {}, turn {}", p.model_1,
                                           p.model_2, p.judge, p.question, p.turn);
                      });
  }
  return kept;
}

}  // namespace tapir::evaluate
