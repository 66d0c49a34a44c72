// Rows and tables of AlpacaEval: read, written, joined; what is wrong is named and counted.
#include <gmock/gmock.h>

#include "alpaca_data.h"
#include "base/error.h"
#include "error_of.h"
#include "evaluate/alpaca_join.h"
#include "evaluate/alpaca_records.h"
#include "evaluate/alpaca_tables.h"
#include "fuzzing.h"

namespace tapir::evaluate {
namespace {

using testing::complaint_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kRow =
    R"({"instruction": "Say hi", "output_1": "Hi.", "generator_1": "base", "output_2": "Hello!",
        "generator_2": "mine", "dataset": "d", "annotator": "j", "preference": 1.25,
        "raw_completion": {"text": "M", "logprobs": {"content": [{"token": "M", "logprob": -0.1,
          "top_logprobs": [{"token": "M", "logprob": -0.1}, {"token": "m", "logprob": -2.5}]}]}}})";

Annotation row(const std::string& instruction, std::optional<double> preference = 1.5,
               const std::string& model = "mine") {
  Annotation a;
  a.instruction = instruction;
  a.output_1 = "one";
  a.output_2 = "other";
  a.generator_1 = "base";
  a.generator_2 = model;
  a.preference = preference;
  a.where = "f: row of " + instruction;
  return a;
}

TEST(AnnotationRows, ArraysAndLines) {
  for (const std::string& text : {"[" + std::string(kRow) + "]", replace_all(kRow, "\n", " ")}) {
    const auto rows = read_annotations(text, "f");
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].generator_2, "mine");
    EXPECT_EQ(rows[0].preference, 1.25);
    EXPECT_EQ(rows[0].reply, "M");
    ASSERT_EQ(rows[0].first_tokens.size(), 2U);
    EXPECT_EQ(rows[0].first_tokens[1].token, "m");
    EXPECT_EQ(rows[0].first_tokens[1].logprob, -2.5);
  }
}

TEST(AnnotationRows, NullNanAndTheOldZero) {
  const auto with = [](const std::string& preference) {
    const std::string text = replace_all(kRow, "1.25", preference);
    return read_annotations("[" + text + "]", "f")[0].preference;
  };
  EXPECT_EQ(with("null"), std::nullopt);
  EXPECT_EQ(with("NaN"), std::nullopt);
  EXPECT_EQ(with("-Infinity"), std::nullopt);
  EXPECT_EQ(with("0"), 1.5);
  EXPECT_EQ(with("0.0"), 1.5);
}

TEST(AnnotationRows, NanInsideTextsStays) {
  const std::string text = replace_all(kRow, "Say hi", "NaN \\\" NaN");
  EXPECT_EQ(read_annotations("[" + text + "]", "f")[0].instruction, "NaN \" NaN");
}

TEST(AnnotationRows, WhatIsWrongIsNamed) {
  const auto complaint = [](const std::string& text) {
    return complaint_of(ErrorKind::data, [&] { return read_annotations(text, "f.json"); });
  };
  EXPECT_THAT(complaint("[]"), HasSubstr("f.json has no rows"));
  EXPECT_THAT(complaint("[1]"), HasSubstr("f.json: row 1: expected an object"));
  EXPECT_THAT(complaint("[" + std::string(kRow) + ", {}]"), HasSubstr("f.json: row 2"));
  EXPECT_THAT(complaint("[{\"instruction\": \"x\"}]"), HasSubstr("output_1"));
  EXPECT_THAT(complaint("[{]"), HasSubstr("f.json: not valid JSON"));
  EXPECT_THAT(complaint_of(ErrorKind::data,
                           [] {
                             return read_instruction_list(
                                 R"([{"instruction": "a"}, {"instruction": "a"}])", "set.json");
                           }),
              HasSubstr("set.json: row 2: this instruction came before"));
}

TEST(AnnotationRows, WrittenRowsAreReadBack) {
  const auto rows = read_annotations("[" + std::string(kRow) + "]", "f");
  const auto again = read_annotations(json_array_text({to_json(rows[0])}), "f");
  EXPECT_EQ(again[0].instruction, rows[0].instruction);
  EXPECT_EQ(again[0].preference, rows[0].preference);
  EXPECT_EQ(again[0].reply, rows[0].reply);
  ASSERT_EQ(again[0].first_tokens.size(), 2U);
  EXPECT_EQ(again[0].first_tokens[0].logprob, -0.1);
  ModelOutput output{"Say hi", "Hello!", "mine", "d", ""};
  const auto outputs = read_model_outputs(json_array_text({to_json(output)}), "f");
  EXPECT_EQ(outputs[0].output, "Hello!");
  EXPECT_EQ(outputs[0].generator, "mine");
}

TEST(AnnotationFuzz, IsReadOrRefused) {
  testing::fuzz({.name = "annotations",
                 .corpus = {"[" + std::string(kRow) + "]", replace_all(kRow, "1.25", "NaN")},
                 .mutate = testing::mutate_json_text,
                 .run =
                     [](const std::string& input) {
                       const auto rows = read_annotations(input, "fuzz");
                       EXPECT_FALSE(rows.empty());
                     },
                 .iterations = 1000});
}

// ---- joining ----

TEST(Join, AnotherOrderIsPutRightByTheText) {
  const std::vector<std::string> set = {"a", "b", "c"};
  const auto joined = join_annotations(std::vector{row("c", 2), row("a", 1), row("b", 1.5)}, set,
                                       Duplicates::error);
  ASSERT_EQ(joined.size(), 1U);
  EXPECT_FALSE(joined[0].in_order);
  EXPECT_TRUE(joined[0].complete());
  ASSERT_EQ(joined[0].rows.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(joined[0].rows[i].place, i);
  EXPECT_EQ(joined[0].rows[0].preference, 1);
  EXPECT_EQ(joined[0].rows[2].preference, 2);
  EXPECT_EQ(joined[0].rows[0].delta_length, 3 - 5);
  EXPECT_EQ(joined[0].rows[0].length_2, 5);
}

TEST(Join, MissingUnknownAndUnreadableRowsAreCounted) {
  const std::vector<std::string> set = {"a", "b", "c", "d"};
  const auto joined =
      join_annotations(std::vector{row("a", std::nullopt), row("c", 7), row("z"), row("d", 2)}, set,
                       Duplicates::error);
  const JoinedModel& model = joined[0];
  EXPECT_EQ(model.rows.size(), 3U);
  EXPECT_EQ(model.rows[1].place, 2U);
  EXPECT_EQ(model.missing.count, 1);
  EXPECT_THAT(model.missing.examples, ElementsAre("number 2 \"b\""));
  EXPECT_EQ(model.unknown.count, 1);
  EXPECT_THAT(model.unknown.examples[0], HasSubstr("\"z\""));
  EXPECT_EQ(model.no_preference.count, 1);
  EXPECT_EQ(model.out_of_range.count, 1);
  EXPECT_FALSE(model.complete());
}

TEST(Join, DuplicatesAsDecided) {
  const std::vector<std::string> set = {"a"};
  const std::vector<Annotation> rows = {row("a", 1), row("a", 1.2), row("a", 2)};
  const auto kept = [&](Duplicates how) {
    return *join_annotations(rows, set, how)[0].rows[0].preference;
  };
  EXPECT_EQ(join_annotations(rows, set, Duplicates::error)[0].duplicates.count, 2);
  EXPECT_EQ(kept(Duplicates::first), 1);
  EXPECT_EQ(kept(Duplicates::last), 2);
  EXPECT_NEAR(kept(Duplicates::average), 1.4, 1e-12);
  EXPECT_EQ(parse_duplicates("average"), Duplicates::average);
  complaint_of(ErrorKind::usage, [] { return parse_duplicates("some"); });
}

TEST(Join, ModelsAreKeptApart) {
  const std::vector<std::string> set = {"a", "b"};
  const auto joined = join_annotations(
      std::vector{row("a", 1, "x"), row("a", 2, "y"), row("b", 2, "x")}, set, Duplicates::error);
  ASSERT_EQ(joined.size(), 2U);
  EXPECT_EQ(joined[0].model, "x");
  EXPECT_EQ(joined[0].missing.count, 0);
  EXPECT_EQ(joined[1].missing.count, 1);
}

TEST(Join, TwoBaselinesOfOneModelAreRefused) {
  std::vector<Annotation> rows = {row("a"), row("b")};
  rows[1].generator_1 = "elsewhere";
  EXPECT_THAT(
      complaint_of(
          ErrorKind::data,
          [&] {
            return join_annotations(rows, std::vector<std::string>{"a", "b"}, Duplicates::error);
          }),
      HasSubstr("two baselines, \"base\" and \"elsewhere\""));
}

// ---- tables ----

TEST(Tables, DifficultiesGoByTheirPlace) {
  EXPECT_THAT(read_difficulties(",instruction_difficulty\n1,0.5\n0,-1\n", "d"),
              ElementsAre(-1, 0.5));
  const auto complaint = [](const std::string& text) {
    return complaint_of(ErrorKind::data, [&] { return read_difficulties(text, "d.csv"); });
  };
  EXPECT_THAT(complaint("i,instruction_difficulty\n0,1\n2,1\n"), HasSubstr("place 1 is missing"));
  EXPECT_THAT(complaint("i,instruction_difficulty\n0,1\n0,1\n"), HasSubstr("d.csv:3"));
  EXPECT_THAT(complaint("i,x\n0,1\n"), HasSubstr("\"instruction_difficulty\""));
  EXPECT_THAT(complaint("i,instruction_difficulty\n0,\n"), HasSubstr("found none"));
}

TEST(Tables, RegularizationRows) {
  const std::string text =
      "model,index,std_delta_len,instruction_difficulty,preference_maxent,not_gamed_baseline\n"
      "g,0,2.5,-1,0.25,False\ng,1,1,0.5,,False\nh,0,-2,-1,0.75,True\n";
  const auto rows = read_regularization(text, "g");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].std_delta_length, 2.5);
  EXPECT_EQ(rows[0].share, 0.25);
  EXPECT_EQ(rows[1].share, std::nullopt);
  EXPECT_TRUE(rows[2].not_gamed);
  EXPECT_THAT(difficulties_of_regularization(text, "g"), ElementsAre(-1, 0.5));
  EXPECT_THAT(
      complaint_of(ErrorKind::data,
                   [&] { return read_regularization(replace_all(text, "0.25", "1.25"), "g"); }),
      HasSubstr("share from 0 to 1"));
}

TEST(Tables, WeightsAndLeaderboardsAreReadBackAsWritten) {
  const WeightTable weights = {{"a", {-1.5, 0.25, 1.0 / 3}}, {"b,c", {0, 1, 2}}};
  const WeightTable again = read_weights(weights_csv(weights), "w");
  EXPECT_NEAR(again.at("a").model, 1.0 / 3, 1e-16);
  EXPECT_EQ(again.at("b,c").difficulty, 1);
  std::vector<LeaderboardRow> rows(3);
  rows[0] = {"low", {12.5, 1.5, 12.0, 1, 2, 0, 3}, "community", 100, 10.0, 0.5};
  rows[1] = {"high", {50, 0, 50.0, 0, 0, 3, 3}, "minimal", 200, 50.0, std::nullopt};
  rows[2] = {"none", {20, 0, 20.0, 0, 0, 3, 3}, "dev", 200, std::nullopt, std::nullopt};
  const std::string text = leaderboard_csv(rows);
  EXPECT_THAT(text, HasSubstr("\nhigh,50.0,0.0,0,0,3,3,50.0,minimal,200,50.0,\n"));
  const auto read = read_leaderboard(text, "l");
  ASSERT_EQ(read.size(), 3U);
  EXPECT_EQ(read[0].name, "high");
  EXPECT_EQ(read[1].name, "low");
  EXPECT_EQ(read[1].rates.win_rate, 12.5);
  EXPECT_EQ(read[1].lc_standard_error, 0.5);
  EXPECT_EQ(read[2].length_controlled_winrate, std::nullopt);
}

TEST(Tables, ThePublishedOnesAreRead) {
  TAPIR_NEEDS_TEST_DATA("alpaca_eval/leaderboard.csv");
  EXPECT_EQ(testing::alpaca_leaderboard().size(), 223U);
  EXPECT_EQ(read_weights(testing::alpaca_text("glm_weights.csv"), "w").size(), 200U);
  EXPECT_EQ(read_difficulties(testing::alpaca_text("instruction_difficulty_reconstructed.csv"), "d")
                .size(),
            805U);
  EXPECT_EQ(read_regularization(testing::alpaca_text("df_gamed_reconstructed.csv"), "g").size(),
            1610U);
}

}  // namespace
}  // namespace tapir::evaluate
