// Real judgments of a large model: every one is read as it was recorded.
#include <cstdlib>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
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

}  // namespace
}  // namespace tapir::prompting
