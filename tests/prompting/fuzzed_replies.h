// Replies of a judge gone wrong, seeded: pieces of the forms in any order, and bytes.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "prompting/judgment_forms.h"
#include "prompting/prompts.h"

namespace tapir::prompting::testing {

inline std::string fuzzed_reply(std::uint64_t index) {
  static const std::vector<std::string> pieces = {"Score A:",
                                                  "Score B:",
                                                  "8",
                                                  "10",
                                                  "-",
                                                  ".",
                                                  "/10",
                                                  "*",
                                                  "\n",
                                                  "\r\n",
                                                  " ",
                                                  "<answer>",
                                                  "</answer>",
                                                  "Math",
                                                  "```",
                                                  "\"",
                                                  "#",
                                                  "New instruction:",
                                                  "\xE2\x80",
                                                  "\xFF",
                                                  "\xEF\xBC\x9A",
                                                  "out of 10",
                                                  "Assistant 1",
                                                  "99999999999999999999",
                                                  "0.000001",
                                                  ",",
                                                  "(",
                                                  "[",
                                                  "]",
                                                  "[[",
                                                  "]]",
                                                  "[[A]]",
                                                  "[[C]]",
                                                  "Rating:",
                                                  "final rating",
                                                  "{",
                                                  std::string(1, '\0')};
  RandomStream stream(11, "readers", std::to_string(index));
  std::string text;
  for (std::uint64_t n = stream.below(16); n > 0; --n) {
    text += stream.chance(0.15) ? std::string(1, static_cast<char>(stream.below(256)))
                                : stream.choose(pieces);
  }
  return text;
}

inline void expect_score_or_reason(std::optional<double> score, const std::string& failure,
                                   const std::string& text) {
  ASSERT_TRUE(failure.empty() || failure == "unreadable" || failure == "out_of_range") << text;
  ASSERT_EQ(score.has_value(), failure != "unreadable") << text;
  if (score) {
    ASSERT_EQ(*score >= 1 && *score <= 10, failure.empty()) << text;
  }
}

// What every reader of judgments promises of any text.
inline void expect_total(const std::string& text) {
  const PairScores pair = read_pair_scores(text);
  ASSERT_TRUE(pair.failure.empty() || pair.failure == "unreadable" ||
              pair.failure == "out_of_range");
  ASSERT_EQ(pair.a.has_value(), pair.failure != "unreadable");
  ASSERT_EQ(pair.a.has_value(), pair.b.has_value());
  if (pair.ok()) {
    ASSERT_TRUE(*pair.a >= 1 && *pair.a <= 10 && *pair.b >= 1 && *pair.b <= 10) << text;
  }
  const Rating rating = read_rating(text);
  expect_score_or_reason(rating.score, rating.failure, text);
  const Rating mtbench = read_mtbench_rating(text);
  expect_score_or_reason(mtbench.score, mtbench.failure, text);
  const ReadChoice choice = read_choice(text);
  ASSERT_EQ(choice.choice.has_value(), choice.ok()) << text;
  ASSERT_EQ(read_letter(text).choice.has_value(), read_letter(text).ok()) << text;
}

}  // namespace tapir::prompting::testing
