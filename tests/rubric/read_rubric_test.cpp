#include "rubric/read_rubric.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "error_of.h"
#include "fuzzing.h"

namespace tapir::rubric {
namespace {

using ::testing::HasSubstr;

std::string complaint(const std::string& row) {
  return testing::complaint_of(ErrorKind::data,
                               [&] { return read_rubric(Json::parse(row), "rows.jsonl:3"); });
}

TEST(ReadRubric, ReadsComponentsAndFillsInWhatIsMissing) {
  const Rubric rubric = read_rubric(Json::parse(R"({"components": [
      {"kind": "words", "exactly": 5},
      {"id": "rain", "kind": "mention", "values": ["rain", "snow"], "weight": 2.5, "whole_words": false},
      {"kind": "judged", "text": "It is polite."}]})"),
                                    "here");
  ASSERT_EQ(rubric.size(), 3U);
  EXPECT_EQ(rubric[0].id, "c1");
  EXPECT_EQ(to_string(rubric[0].bounds), "exactly 5");
  EXPECT_EQ(rubric[1].id, "rain");
  EXPECT_EQ(rubric[1].weight, 2.5);
  EXPECT_EQ(rubric[1].whole_words, false);
  EXPECT_TRUE(is_judged(rubric[2]));
  EXPECT_EQ(rubric[2].id, "c3");
  EXPECT_EQ(read_rubric(Json{{"components", rubric_to_json(rubric)}}, "here"), rubric);
}

TEST(ReadRubric, ARowWithoutRequirementsHasNone) {
  EXPECT_TRUE(read_rubric(Json::parse(R"({"id": 1, "components": null})"), "here").empty());
}

TEST(ReadRubric, TakesIfevalsRowsAsTheyAre) {
  const Rubric rubric = read_rubric(
      Json::parse(
          R"({"key": 1, "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
        "kwargs": [{}, {"relation": "less than", "num_words": 300, "keywords": null}]})"),
      "here");
  ASSERT_EQ(rubric.size(), 2U);
  EXPECT_EQ(rubric[0].id, "1-punctuation-no-comma");
  EXPECT_EQ(rubric[0].source, "punctuation:no_comma");
  EXPECT_EQ(to_string(rubric[1].bounds), "at most 299");
}

TEST(ReadRubric, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(
      complaint(R"({"components": [{"kind": "wrods", "at_least": 1}]})"),
      HasSubstr("rows.jsonl:3: component 1 (c1): unknown kind \"wrods\"; did you mean words?"));
  EXPECT_THAT(complaint(R"({"components": [{"kind": "words", "atleast": 1}]})"),
              HasSubstr("unknown key \"atleast\"; did you mean \"at_least\"?"));
  EXPECT_THAT(complaint(R"({"components": [{"kind": "words"}]})"),
              HasSubstr("expected at_least, at_most or exactly"));
  EXPECT_THAT(complaint(R"({"components": [{"kind": "words", "at_least": 2.5}]})"),
              HasSubstr("expected a whole number, found 2.5"));
  EXPECT_THAT(complaint(R"({"components": [{"kind": "words", "at_least": 3, "at_most": 2}]})"),
              HasSubstr("at_least is above at_most"));
  EXPECT_THAT(complaint(R"({"components": [{"kind": "json", "value": "x"}]})"),
              HasSubstr("it takes no value"));
  EXPECT_THAT(complaint(R"({"components": [{"kind": "case", "value": "big"}]})"),
              HasSubstr("expected one of upper, lower"));
  EXPECT_THAT(complaint(R"({"components": [{"kind": "language", "value": "klingon"}]})"),
              HasSubstr("no language that can be told"));
  EXPECT_THAT(
      complaint(R"({"components": [{"kind": "letter_count", "value": "ab", "exactly": 1}]})"),
      HasSubstr("expected one character"));
  EXPECT_THAT(complaint(R"({"components": [{"kind": "judged"}]})"), HasSubstr("expected \"text\""));
  EXPECT_THAT(complaint(R"({"components": [{"kind": "json", "weight": 0}]})"),
              HasSubstr("the weight is not above 0"));
  EXPECT_THAT(complaint(R"({"components": [{"kind": "json"}, {"id": "c1", "kind": "title"}]})"),
              HasSubstr("the id \"c1\" came before"));
  EXPECT_THAT(complaint(R"({"instruction_id_list": ["startend:quotation"], "kwargs": []})"),
              HasSubstr("expected a list as long as instruction_id_list (1), found 0"));
  EXPECT_THAT(complaint(R"({"instruction_id_list": ["startend:quote"], "kwargs": [{}]})"),
              HasSubstr("unknown instruction \"startend:quote\""));
  EXPECT_THAT(complaint(R"({"instruction_id_list": ["keywords:frequency"],
                            "kwargs": [{"keyword": "a", "frequency": 2, "relation": "about"}]})"),
              HasSubstr("expected \"less than\" or \"at least\", found \"about\""));
}

TEST(ReadRubric, ReadsOrRefusesAnything) {
  testing::FuzzPlan plan;
  plan.name = "rubric rows";
  plan.corpus = {
      R"({"components": [{"kind": "words", "exactly": 5}, {"id": "a", "kind": "mention", "values": ["x", "y"], "weight": 2},
          {"kind": "language", "value": "en"}, {"kind": "judged", "text": "It is."}]})",
      R"({"instruction_id_list": ["keywords:frequency", "language:response_language"],
          "kwargs": [{"keyword": "a", "frequency": 2, "relation": "at least"}, {"language": "de"}]})"};
  plan.mutate = testing::mutate_json_text;
  plan.iterations = 3000;
  plan.run = [](const std::string& input) {
    const Rubric rubric = read_rubric(parse_json(input, "fuzz"), "fuzz");
    for (const Component& one : rubric) EXPECT_EQ(fault_of(one), "");
    conflicts_of(rubric);
  };
  const testing::FuzzCount count = testing::fuzz(plan);
  EXPECT_LT(count.refused, count.inputs);
}

}  // namespace
}  // namespace tapir::rubric
