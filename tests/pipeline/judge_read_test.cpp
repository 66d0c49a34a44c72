#include "pipeline/judge_read.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "test_data.h"

namespace tapir::pipeline {
namespace {

class JudgeReadTest : public ::testing::Test {
 protected:
  // The rows written for these texts, ids 0, 1, ...
  std::vector<Json> rows(JudgmentForm form, const std::vector<std::string>& texts) {
    std::string input;
    for (std::size_t i = 0; i < texts.size(); ++i)
      input += Json{{"id", i}, {"text", texts[i]}}.dump() + "\n";
    write_file(folder_.path() / "in.jsonl", input);
    summary_ = read_judgments(form, {folder_.path() / "in.jsonl"}, folder_.path() / "out.jsonl");
    std::vector<Json> out;
    for_each_jsonl(folder_.path() / "out.jsonl",
                   [&](const Json& row, const std::string&) { out.push_back(row); });
    return out;
  }

  testing::TemporaryFolder folder_;
  ReadSummary summary_;
};

TEST_F(JudgeReadTest, WritesScoresOrWhyNot) {
  const auto out = rows(JudgmentForm::pair, {"Score A: 8\nScore B: 6.5", "both fine", "0 9\nbad"});
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(out[0], (Json{{"id", 0}, {"scores", {8, 6.5}}, {"status", "ok"}}));
  EXPECT_EQ(out[1], (Json{{"id", 1}, {"scores", nullptr}, {"status", "unreadable"}}));
  EXPECT_EQ(out[2], (Json{{"id", 2}, {"scores", {0, 9}}, {"status", "out_of_range"}}));
  EXPECT_EQ(summary_.read, 1);
  EXPECT_EQ(summary_.failed.at("unreadable"), 1);
}

TEST_F(JudgeReadTest, KnowsEveryForm) {
  EXPECT_EQ(rows(JudgmentForm::rating, {"Rating: [[7]]"})[0]["scores"], Json({7}));
  EXPECT_EQ(rows(JudgmentForm::mtbench, {"as [3] says"})[0]["scores"], Json({3}));
  EXPECT_EQ(rows(JudgmentForm::choice, {"[[C]]"})[0]["choice"], "tie");
  EXPECT_EQ(rows(JudgmentForm::letter, {"M"})[0]["choice"], "B");
  for (const std::string& name : judgment_forms()) EXPECT_NO_THROW(parse_judgment_form(name));
  EXPECT_THROW(parse_judgment_form("triple"), Error);
}

TEST_F(JudgeReadTest, SaysWhereARowIsWrong) {
  write_file(folder_.path() / "bad.jsonl", "{\"id\": 1}\n");
  try {
    read_judgments(JudgmentForm::pair, {folder_.path() / "bad.jsonl"}, folder_.path() / "out");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::data);
    EXPECT_NE(std::string(e.what()).find("bad.jsonl:1"), std::string::npos) << e.what();
  }
  write_file(folder_.path() / "empty.jsonl", "");
  EXPECT_THROW(
      read_judgments(JudgmentForm::pair, {folder_.path() / "empty.jsonl"}, folder_.path() / "out"),
      Error);
}

}  // namespace
}  // namespace tapir::pipeline
