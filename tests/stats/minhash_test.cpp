#include "stats/minhash.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"

namespace tapir::stats {
namespace {

using Words = std::vector<int>;

std::string text_of(const Words& words) {
  std::string text;
  for (const int word : words) text.append(" w").append(std::to_string(word));
  return text;
}

double jaccard(const Words& a, const Words& b) {
  const auto shingles = [](const Words& words) {
    std::set<std::vector<int>> out;
    for (std::size_t i = 0; i + 3 <= words.size(); ++i)
      out.insert({words[i], words[i + 1], words[i + 2]});
    return out;
  };
  const auto x = shingles(a);
  const auto y = shingles(b);
  std::size_t common = 0;
  for (const auto& shingle : x) common += y.count(shingle);
  return static_cast<double>(common) / static_cast<double>(x.size() + y.size() - common);
}

// Pairs from all-equal to unlike: the estimate is near the truth, and what is well above the
// threshold is found.
TEST(MinHash, EstimatesJaccardAndFindsWhatIsAboveTheThreshold) {
  RandomStream stream(5, "minhash");
  double error = 0;
  int compared = 0;
  int above = 0;
  int found_above = 0;
  for (int trial = 0; trial < 400; ++trial) {
    Words a(60);
    for (int& word : a) word = stream.between(0, 5000);
    Words b = a;
    for (int changes = stream.between(0, 8); changes > 0; --changes)
      b[stream.below(b.size())] = stream.between(0, 5000);
    MinHashIndex index({.threshold = 0.5});
    index.add(text_of(a));
    const auto match = index.find(text_of(b));
    const double truth = jaccard(a, b);
    if (truth >= 0.65) {
      ++above;
      found_above += match ? 1 : 0;
    }
    if (!match) continue;
    EXPECT_EQ(match->number, 0U);
    error += match->similarity - truth;
    EXPECT_NEAR(match->similarity, truth, 0.2);
    ++compared;
  }
  EXPECT_GT(compared, 100);
  EXPECT_GT(above, 50);
  EXPECT_GE(found_above, above * 97 / 100);
  EXPECT_NEAR(error / compared, 0, 0.03) << "without bias, but for those under the threshold";
}

TEST(MinHash, OrderOfPartsDoesNotMatterAndTheFirstOfEqualsIsNamed) {
  MinHashIndex index({.threshold = 0.8});
  Words a(200);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<int>(i);
  index.add("something else altogether");
  index.add(text_of(a));
  index.add(text_of(a));
  std::rotate(a.begin(), a.begin() + 70, a.end());
  const auto match = index.find(text_of(a));
  ASSERT_TRUE(match.has_value());
  EXPECT_EQ(match->number, 1U);
  EXPECT_EQ(index.size(), 3U);
  EXPECT_GT(index.bytes(), 3 * 128 * sizeof(std::uint32_t) - 1);
}

TEST(MinHash, ShortTextsAndTextsWithoutWords) {
  MinHashIndex index;
  index.add("");
  index.add("Hello, you");
  EXPECT_FALSE(index.find("").has_value());
  EXPECT_FALSE(index.find("...").has_value());
  EXPECT_FALSE(index.find("hello").has_value());
  const auto match = index.find("hello YOU!");
  ASSERT_TRUE(match.has_value());
  EXPECT_EQ(match->number, 1U);
  EXPECT_EQ(match->similarity, 1);
}

TEST(MinHash, SaysHowOftenAPairIsFound) {
  const MinHashIndex index({.threshold = 0.8});
  EXPECT_GE(index.found_chance(0.8), 0.95);
  EXPECT_GT(index.found_chance(0.9), 0.999);
  EXPECT_LT(index.found_chance(0.3), 0.05);
  EXPECT_THROW(MinHashIndex({.threshold = 0}), Error);
}

}  // namespace
}  // namespace tapir::stats
