#include <gtest/gtest.h>

#include "base/json.h"
#include "rubric/read_rubric.h"

namespace tapir::rubric {
namespace {

std::vector<Conflict> conflicts(const std::string& components) {
  return conflicts_of(read_rubric(Json{{"components", Json::parse(components)}}, "here"));
}

TEST(Conflicts, AreFoundByRule) {
  for (
      const std::string pair : {
          R"([{"kind":"words","at_least":10},{"kind":"words","at_most":9}])",
          R"([{"kind":"sentences","at_least":6},{"kind":"words","at_most":5}])",
          R"([{"kind":"letter_count","value":"e","at_least":2},{"kind":"letter_count","value":"e","at_most":1}])",
          R"([{"kind":"language","value":"en"},{"kind":"language","value":"de"}])",
          R"([{"kind":"case","value":"lower"},{"kind":"case","value":"upper"}])",
          R"([{"kind":"case","value":"lower"},{"kind":"capital_words","at_least":1}])",
          R"([{"kind":"case","value":"lower"},{"kind":"sections","value":"Section","at_least":1}])",
          R"([{"kind":"case","value":"upper"},{"kind":"language","value":"zh"}])",
          R"([{"kind":"case","values":["upper","en"]},{"kind":"language","value":"fr"}])",
          R"([{"kind":"starts_with","value":"Dear"},{"kind":"starts_with","value":"Hello"}])",
          R"([{"kind":"ends_with","value":"Bye"},{"kind":"ends_with","value":"The end"}])",
          R"([{"kind":"mention","value":"red sun"},{"kind":"avoid","value":"Sun"}])",
          R"([{"kind":"avoid","value":","},{"kind":"starts_with","value":"Well, yes"}])",
          R"([{"kind":"phrase_count","value":"rain","at_least":1},{"kind":"avoid","value":"rain"}])",
          R"([{"kind":"mention","value":"apple"},{"kind":"letter_count","value":"p","at_most":1}])",
          R"([{"kind":"quotation"},{"kind":"starts_with","value":"Dear"}])",
          R"([{"kind":"json"},{"kind":"starts_with","value":"Here"}])",
          R"([{"kind":"paragraph_start","value":"a","exactly":2},{"kind":"paragraph_start","value":"b","exactly":3}])",
      }) {
    const auto found = conflicts(pair);
    ASSERT_EQ(found.size(), 1U) << pair;
    EXPECT_EQ(found[0].first, "c1");
    EXPECT_EQ(found[0].second, "c2");
    EXPECT_FALSE(found[0].why.empty());
  }
}

TEST(Conflicts, AreNoneWhereBothCanBeKept) {
  for (
      const std::string pair : {
          R"([{"kind":"words","at_least":10},{"kind":"words","at_most":10}])",
          R"([{"kind":"letter_count","value":"e","at_least":2},{"kind":"letter_count","value":"f","at_most":1}])",
          R"([{"kind":"language","value":"zh-cn"},{"kind":"language","value":"zh"}])",
          R"([{"kind":"case","value":"lower"},{"kind":"mention","value":"NASA"}])",
          R"([{"kind":"starts_with","value":"Dear"},{"kind":"starts_with","value":"dear all"}])",
          R"([{"kind":"mention","value":"sunday"},{"kind":"avoid","value":"sun"}])",
          R"([{"kind":"one_of","values":["yes","no"]},{"kind":"avoid","value":"no"}])",
          R"([{"kind":"json"},{"kind":"starts_with","value":"{"}])",
          R"([{"kind":"judged","text":"It is polite."},{"kind":"json"}])",
      }) {
    EXPECT_TRUE(conflicts(pair).empty()) << pair << conflicts(pair)[0].why;
  }
}

}  // namespace
}  // namespace tapir::rubric
