// examples.jsonl: for each checker answers that keep it, that do not, and that are close to either.
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "base/json.h"
#include "rubric/grade.h"
#include "rubric/read_rubric.h"

namespace tapir::rubric {
namespace {

struct Example {
  Component component;
  std::string name;  // IFEval's, or the kind
  std::string answer;
  std::string side;
  bool kept = false;
  std::string where;
};

std::vector<Example> examples() {
  std::vector<Example> all;
  const std::string file = std::string(TAPIR_SOURCE_DIR) + "/tests/rubric/examples.jsonl";
  for_each_jsonl(file, [&](const Json& row, const std::string& where) {
    Json rubric = row;
    if (row.contains("component")) rubric["components"] = Json::array({row["component"]});
    const Component component = read_rubric(rubric, where).at(0);
    const std::string name = component.source.empty() ? component.kind : component.source;
    all.push_back({component, name, row["answer"], row["case"], row["kept"], where});
  });
  return all;
}

TEST(Examples, AreJudgedAsTheirRowsSay) {
  const std::vector<Example> all = examples();
  EXPECT_GE(all.size(), 150U);
  for (const Example& one : all) {
    const Finding finding = check(one.component, one.answer, Strictness::strict);
    EXPECT_EQ(finding.kept, one.kept) << one.where << ": " << one.answer << ": " << finding.words;
    EXPECT_FALSE(finding.words.empty()) << one.where;
    EXPECT_TRUE(!one.kept || check(one.component, one.answer, Strictness::loose).kept)
        << one.where << ": what is kept strictly is kept loosely";
  }
}

TEST(Examples, CoverEveryCheckerFromAllSides) {
  std::map<std::string, std::set<std::string>> sides;
  for (const Example& one : examples()) {
    sides[one.name].insert(one.side);
    if (one.side != "border") {
      EXPECT_EQ(one.kept, one.side == "satisfying") << one.where;
    }
  }
  const std::set<std::string> wanted = {"satisfying", "violating", "border"};
  for (const ComponentKind& kind : component_kinds())
    EXPECT_EQ(sides[std::string(kind.name)], wanted) << kind.name;
  EXPECT_EQ(ifeval_instructions().size(), 25U);
  for (const std::string& name : ifeval_instructions()) EXPECT_EQ(sides[name], wanted) << name;
}

}  // namespace
}  // namespace tapir::rubric
