// Real judgments of a large model: every one is read as it was recorded.
#include <cstdlib>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "prompting/judgment_forms.h"
#include "prompting/prompts.h"
#include "test_data.h"

namespace tapir::prompting {
namespace {

struct Counts {
  int read = 0;
  int out_of_range = 0;
};

void compare(const std::string& text, const std::vector<double>& recorded, const std::string& where,
             Counts& counts) {
  ASSERT_EQ(recorded.size(), 2U) << where;
  const PairScores scores = read_pair_scores(text);
  ASSERT_TRUE(scores.a && scores.b) << where << ": " << scores.failure << "\n" << text;
  EXPECT_EQ(*scores.a, recorded[0]) << where;
  EXPECT_EQ(*scores.b, recorded[1]) << where;
  // The scale ends at 1 and 10; a few recorded reviews give 0.
  const bool inside =
      recorded[0] >= 1 && recorded[0] <= 10 && recorded[1] >= 1 && recorded[1] <= 10;
  EXPECT_EQ(scores.ok(), inside) << where;
  ++(inside ? counts.read : counts.out_of_range);
}

TEST(RecordedJudgments, OfVicuna80AreReadAsRecorded) {
  TAPIR_NEEDS_TEST_DATA("judge_outputs/vicuna80");
  Counts counts;
  for (const auto& file :
       std::filesystem::directory_iterator(testing::test_data() / "judge_outputs/vicuna80")) {
    for_each_jsonl(file.path(), [&](const Json& row, const std::string& where) {
      compare(json_get<std::string>(row, "text", where),
              json_get<std::vector<double>>(row, "score", where), where, counts);
    });
  }
  EXPECT_EQ(counts.read + counts.out_of_range, 320);
}

TEST(RecordedJudgments, OfCherryAreReadAsRecordedInBothOrders) {
  TAPIR_NEEDS_TEST_DATA("judge_outputs/cherry_vicuna_wrap_reviews_gpt4.json");
  Counts counts;
  for (const std::string name :
       {"cherry_vicuna_wrap_reviews_gpt4.json", "cherry_koala_wrap_reviews_gpt4.json.gz"}) {
    const Json file = parse_json(read_file(testing::test_data() / "judge_outputs" / name), name);
    for (const Json& row : file.at("data")) {
      for (const std::string order : {"", "_reverse"}) {
        const Json scores = parse_json(json_get<std::string>(row, "scores" + order, name), name);
        compare(json_get<std::string>(row, "review" + order, name),
                scores.get<std::vector<double>>(), name, counts);
      }
    }
  }
  EXPECT_EQ(counts.read + counts.out_of_range, 520);
}

TEST(RecordedJudgments, OfAutoJAreReadAsRecorded) {
  TAPIR_NEEDS_TEST_DATA("judge_outputs/auto-j_critiques.jsonl.gz");
  int rows = 0;
  for_each_jsonl(testing::test_data() / "judge_outputs/auto-j_critiques.jsonl.gz",
                 [&](const Json& row, const std::string& where) {
                   ++rows;
                   const Rating rating =
                       read_rating(json_get<std::string>(row, "target_output", where));
                   EXPECT_TRUE(rating.ok()) << where << ": " << rating.failure;
                   EXPECT_EQ(rating.score, json_get<double>(row, "pred_score", where)) << where;
                 });
  EXPECT_EQ(rows, 480);
}

// FastChat records -1 where it could read nothing.
TEST(RecordedJudgments, OfMtBenchAreReadAsRecorded) {
  TAPIR_NEEDS_TEST_DATA("mt_bench/judgments");
  int rows = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(testing::test_data() / "mt_bench/judgments")) {
    for_each_jsonl(file.path(), [&](const Json& row, const std::string& where) {
      ++rows;
      const Rating rating = read_mtbench_rating(json_get<std::string>(row, "judgment", where));
      EXPECT_EQ(rating.score.value_or(-1), json_get<double>(row, "score", where)) << where;
      EXPECT_EQ(rating.ok(), rating.score.has_value()) << where;
    });
  }
  EXPECT_EQ(rows, 2090);
}

// One letter by AlpacaEval's judge: "m" is the first answer shown. The sampled letter need not be
// the likelier one; where it is, the recorded preference (1: the baseline, 2: the model) follows
// from it.
TEST(RecordedJudgments, LettersOfAlpacaEvalGiveTheRecordedPreference) {
  TAPIR_NEEDS_TEST_DATA("alpaca_eval/annotations/alpaca-7b.jsonl.gz");
  int compared = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(testing::test_data() / "alpaca_eval/annotations")) {
    if (!file.path().string().ends_with(".jsonl.gz")) continue;
    for_each_jsonl(file.path(), [&](const Json& row, const std::string& where) {
      if (!row.contains("text") || !row["preference"].is_number()) return;
      const std::string text = json_get<std::string>(row, "text", where);
      const ReadChoice read = read_letter(text);
      EXPECT_EQ(read.ok(), text == "m" || text == "M") << where << ": " << text;
      if (!read.ok() || row["top"][0][0] != text) return;
      ++compared;
      const bool model_is_m = row["M_is"] == "output_1";
      const bool model_chosen = (*read.choice == Choice::a) == model_is_m;
      EXPECT_EQ(model_chosen, row["preference"].get<double>() > 1.5) << where;
    });
  }
  EXPECT_GT(compared, 8000);
}

}  // namespace
}  // namespace tapir::prompting
