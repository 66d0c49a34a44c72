#include "evaluate/mt_bench_rows.h"

#include <gmock/gmock.h>

#include "error_of.h"
#include "fuzzing.h"

namespace tapir::evaluate {
namespace {

using ::testing::HasSubstr;

const char* const kJudgment =
    R"({"question_id": 101, "model": "m", "judge": ["gpt-4", "single-math-v1-multi-turn"],
        "user_prompt": "...", "judgment": "Good. Rating: [[8.5]]", "score": 8.5, "turn": 2,
        "tstamp": 1.5})";
const char* const kPair =
    R"({"question_id": 81, "model_1": "a", "model_2": "b", "g1_winner": "model_2",
        "g2_winner": "tie", "judge": ["gpt-4", "pair-v2"], "g1_user_prompt": "",
        "g1_judgment": "", "g2_user_prompt": "", "g2_judgment": "", "turn": 1, "tstamp": 1})";
const char* const kQuestion =
    R"({"question_id": 101, "category": "reasoning", "turns": ["a", "b"],
        "reference": ["x", "y"]})";
const char* const kAnswer =
    R"({"question_id": 101, "answer_id": "i", "model_id": "m",
        "choices": [{"index": 0, "turns": ["a", "b"]}, {"index": 1, "turns": ["c", "d"]}],
        "tstamp": 1})";

MtJudgment read(Json row, MtScoreFrom from = MtScoreFrom::recorded) {
  return read_mt_judgment(row, from, "f:1");
}

TEST(MtBenchRows, Judgment) {
  const MtJudgment j = read(Json::parse(kJudgment));
  EXPECT_EQ(j.question, 101);
  EXPECT_EQ(j.turn, 2);
  EXPECT_EQ(j.model, "m");
  EXPECT_EQ(j.judge, "gpt-4");
  EXPECT_EQ(j.prompt, "single-math-v1-multi-turn");
  EXPECT_EQ(j.score, 8.5);
  EXPECT_TRUE(j.rereads);
  EXPECT_EQ(j.repeat, 0);
  EXPECT_EQ(j.where, "f:1");
  EXPECT_FALSE(j.wrong_reference);
}

TEST(MtBenchRows, ReferencesAreTheOfficialOnesUnlessTheRowSaysOtherwise) {
  Json row = Json::parse(kJudgment);
  row["question_id"] = 104;
  EXPECT_TRUE(read(row).wrong_reference);
  row["reference_set"] = "corrected";
  EXPECT_FALSE(read(row).wrong_reference);
  row["wrong_reference"] = true;
  EXPECT_TRUE(read(row).wrong_reference);
  row.erase("reference_set");
  row["judge"] = {"gpt-4", "single-v1"};
  EXPECT_FALSE(read(row).wrong_reference);
}

TEST(MtBenchRows, RecordedScoreOrTheTextOfIt) {
  Json row = Json::parse(kJudgment);
  row["score"] = 3;
  EXPECT_EQ(read(row).score, 3);
  EXPECT_EQ(read(row, MtScoreFrom::text).score, 8.5);
  EXPECT_FALSE(read(row).rereads);
  row["score"] = -1;
  EXPECT_EQ(read(row).score, std::nullopt);
  EXPECT_FALSE(read(row).rereads);
  row["judgment"] = "$ERROR$";
  EXPECT_TRUE(read(row).rereads);
  EXPECT_EQ(read(row, MtScoreFrom::text).score, std::nullopt);
  row.erase("score");
  row["judgment"] = "[[7]]";
  EXPECT_EQ(read(row).score, 7);
  row["score"] = 6;
  row.erase("judgment");
  EXPECT_EQ(read(row, MtScoreFrom::text).score, 6);
  row.erase("score");
  EXPECT_THAT(testing::complaint_of(ErrorKind::data, [&] { return read(row); }),
              HasSubstr("found neither"));
}

TEST(MtBenchRows, WhatIsNoJudgmentIsNamed) {
  const auto complaint = [](const char* key, const Json& value) {
    Json row = Json::parse(kJudgment);
    row[key] = value;
    return testing::complaint_of(ErrorKind::data, [&] { return read(row); });
  };
  EXPECT_THAT(complaint("turn", 3), HasSubstr("f:1: key \"turn\": expected 1 or 2, found 3"));
  EXPECT_THAT(complaint("question_id", 81.5), HasSubstr("whole number"));
  EXPECT_THAT(complaint("question_id", 18446744073709551615U), HasSubstr("whole number"));
  EXPECT_THAT(complaint("judge", Json::array()), HasSubstr("[name, template]"));
  EXPECT_THAT(complaint("repeat", -1), HasSubstr("repeat"));
  EXPECT_THAT(complaint("score", "8"), HasSubstr("score"));
}

TEST(MtBenchRows, Pair) {
  const Json row = Json::parse(kPair);
  EXPECT_TRUE(is_mt_pair(row));
  EXPECT_FALSE(is_mt_pair(Json::parse(kJudgment)));
  const MtPair p = read_mt_pair(row, "f:1");
  EXPECT_EQ(p.game_1, MtWinner::model_2);
  EXPECT_EQ(p.game_2, MtWinner::tie);
  EXPECT_EQ(p.model_2, "b");
  Json odd = row;
  odd["g2_winner"] = "b";
  EXPECT_THAT(testing::complaint_of(ErrorKind::data, [&] { return read_mt_pair(odd, "f:1"); }),
              HasSubstr("found \"b\""));
}

TEST(MtBenchRows, QuestionAndAnswer) {
  const MtQuestion q = read_mt_question(Json::parse(kQuestion), "f:1");
  EXPECT_EQ(q.category, "reasoning");
  EXPECT_THAT(q.reference, ::testing::ElementsAre("x", "y"));
  const MtAnswer a = read_mt_answer(Json::parse(kAnswer), "f:1");
  EXPECT_EQ(a.model, "m");
  EXPECT_THAT(a.turns, ::testing::ElementsAre("a", "b"));
  const Json again = Json::parse(to_json(a, 1.5).dump());
  EXPECT_EQ(read_mt_answer(again, "f:1").turns, a.turns);
  EXPECT_EQ(again["tstamp"], 1.5);
  Json one_turn = Json::parse(kQuestion);
  one_turn["turns"] = {"a"};
  EXPECT_THAT(
      testing::complaint_of(ErrorKind::data, [&] { return read_mt_question(one_turn, "f:1"); }),
      HasSubstr("expected 2 turns, found 1"));
  Json none = Json::parse(kAnswer);
  none["choices"] = Json::array();
  EXPECT_THROW(read_mt_answer(none, "f:1"), Error);
}

TEST(MtBenchRowsFuzz, ReadOrRefused) {
  testing::fuzz({.name = "mt_bench rows",
                 .corpus = {kJudgment, kPair, kQuestion, kAnswer},
                 .mutate = testing::mutate_json_text,
                 .run =
                     [](const std::string& input) {
                       const Json row = parse_json(input, "f:1");
                       for (const auto from : {MtScoreFrom::recorded, MtScoreFrom::text}) {
                         try {
                           (void)read_mt_judgment(row, from, "f:1");
                         } catch (const Error& e) {
                           EXPECT_NE(e.kind(), ErrorKind::bug);
                         }
                       }
                       if (is_mt_pair(row)) return (void)read_mt_pair(row, "f:1");
                       if (row.is_object() && row.contains("choices"))
                         return (void)read_mt_answer(row, "f:1");
                       (void)read_mt_question(row, "f:1");
                     },
                 .iterations = 1500});
}

}  // namespace
}  // namespace tapir::evaluate
