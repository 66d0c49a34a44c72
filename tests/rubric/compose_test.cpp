#include "rubric/compose.h"

#include <set>

#include <gtest/gtest.h>

#include "base/strings.h"

namespace tapir::rubric {
namespace {

TEST(Compose, DrawsSoManySoundRequirementsThatGoTogether) {
  std::set<std::string> kinds;
  for (int layers = 1; layers <= kMostLayers; ++layers) {
    for (int i = 0; i < 500; ++i) {
      const Rubric rubric = compose(42, "request-" + std::to_string(i), layers);
      ASSERT_EQ(rubric.size(), static_cast<std::size_t>(layers));
      for (const Component& one : rubric) {
        EXPECT_EQ(fault_of(one), "") << one.kind;
        kinds.insert(one.kind);
      }
      EXPECT_TRUE(conflicts_of(rubric).empty());
      const std::string sentences = requirement_sentences(rubric);
      EXPECT_EQ(split(sentences, '\n').size(), rubric.size());
      EXPECT_EQ(sentences.find("{}"), std::string::npos) << sentences;
    }
  }
  EXPECT_EQ(kinds.size(), 15U) << "every kind of the table is drawn";
}

TEST(Compose, IsAFunctionOfSeedAndName) {
  EXPECT_EQ(compose(1, "a", 3), compose(1, "a", 3));
  int equal = 0;
  for (int i = 0; i < 50; ++i)
    equal += compose(1, std::to_string(i), 3) == compose(2, std::to_string(i), 3);
  EXPECT_LT(equal, 5);
}

}  // namespace
}  // namespace tapir::rubric
