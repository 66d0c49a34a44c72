#include "stats/rouge_index.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "stats/rouge_l.h"

namespace tapir::stats {
namespace {

// What the index must say, by comparing with every text.
std::optional<RougeMatch> by_all(const std::vector<std::string>& known, const std::string& text,
                                 double threshold) {
  std::optional<RougeMatch> best;
  for (std::size_t i = 0; i < known.size(); ++i) {
    const double f1 = rouge_l_f1(text, known[i]);
    if (f1 >= threshold && (!best || f1 > best->f1)) best = RougeMatch{i, f1};
  }
  return best;
}

// Texts of a few words, some rare and some common, and texts that are changed copies of others.
std::string draw_text(const std::vector<std::string>& known, RandomStream& stream,
                      std::uint64_t words, std::uint64_t longest) {
  std::vector<std::string> tokens;
  if (!known.empty() && stream.chance(0.5)) {
    const std::string& copy = stream.choose(known);
    std::string word;
    for (const char c : copy + " ") {
      if (c != ' ') {
        word += c;
      } else if (!stream.chance(0.12)) {
        tokens.push_back(std::exchange(word, {}));
      } else {
        word.clear();
      }
    }
  }
  const std::uint64_t more = tokens.empty() ? stream.below(longest) : stream.below(3);
  for (std::uint64_t i = 0; i < more; ++i) {
    const std::uint64_t word = stream.below(1 + stream.below(words));  // small numbers are common
    tokens.insert(tokens.begin() + static_cast<std::ptrdiff_t>(stream.below(tokens.size() + 1)),
                  "w" + std::to_string(word));
  }
  std::string text;
  for (const std::string& token : tokens) text += text.empty() ? token : " " + token;
  return text;
}

class RougeIndexTest : public ::testing::TestWithParam<double> {};

TEST_P(RougeIndexTest, SaysWhatComparingWithAllSays) {
  const double threshold = GetParam();
  std::size_t hits = 0;
  for (int world = 0; world < 4; ++world) {
    RandomStream stream(11, "rouge-index", std::to_string(world));
    RougeIndex index(threshold);
    std::vector<std::string> known;
    const std::uint64_t words = 5 + stream.below(300);
    const std::uint64_t longest = 4 + stream.below(world % 2 == 0 ? 16 : 100);
    for (int i = 0; i < 350; ++i) {  // over a re-sorting
      const std::string text = draw_text(known, stream, words, longest);
      const auto expected = by_all(known, text, threshold);
      ASSERT_EQ(index.find(text), expected) << "world " << world << ", text " << i << ": " << text;
      hits += expected ? 1 : 0;
      index.add(text);
      known.push_back(text);
    }
    EXPECT_EQ(index.size(), known.size());
  }
  EXPECT_GT(hits, 60U) << "the test has something to find";
}

INSTANTIATE_TEST_SUITE_P(Thresholds, RougeIndexTest, ::testing::Values(0.3, 0.5, 0.7, 0.9, 1.0));

TEST(RougeIndex, DecidesAtTheThresholdAsThePackageRounds) {
  // 7 of 10 tokens in common: 2 * 0.7 * 0.7 / (0.7 + 0.7) is 0.7 or its neighbour below.
  const std::string a = "a b c d e f g h i j";
  const std::string b = "a b c d e f g x y z";
  RougeIndex index(0.7);
  index.add(a);
  EXPECT_EQ(index.find(b).has_value(), 2 * 0.7 * 0.7 / (0.7 + 0.7) >= 0.7);
}

TEST(RougeIndex, TextsLongerThanAPlaceCanSayAreCompared) {
  std::string text;
  for (int i = 0; i < 66000; ++i) text += "w" + std::to_string(i) + " ";
  RougeIndex index(0.9);
  index.add("something short");
  index.add(text);
  EXPECT_EQ(index.find(text + "and more"), (RougeMatch{1, rouge_l_f1(66000, 66000, 66002)}));
  EXPECT_EQ(index.find("something short"), (RougeMatch{0, 1.0}));
  EXPECT_EQ(index.find(text + text), std::nullopt);
}

TEST(RougeIndex, TextsWithoutTokensAreLikeNone) {
  RougeIndex index(0.5);
  index.add("");
  index.add("??? ...");
  EXPECT_EQ(index.find(""), std::nullopt);
  EXPECT_EQ(index.find("word"), std::nullopt);
  index.add("Word!");
  EXPECT_EQ(index.find("word"), (RougeMatch{2, 1.0}));
  EXPECT_GT(index.bytes(), 0U);
}

TEST(RougeIndex, RefusesAThresholdThatMeansNothing) {
  EXPECT_THROW(RougeIndex(0), Error);
  EXPECT_THROW(RougeIndex(1.01), Error);
}

}  // namespace
}  // namespace tapir::stats
