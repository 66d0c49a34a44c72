// `tapir judge` on files, with the gym's judge and with those that score by rule.
#include "pipeline/judge_file.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "gym/family.h"
#include "gym/world.h"
#include "test_data.h"

namespace tapir::pipeline {
namespace {

using ::testing::HasSubstr;

class JudgeFileTest : public ::testing::Test {
 protected:
  std::filesystem::path file(const std::string& name) const { return folder_.path() / name; }

  void write(const std::string& name, const std::vector<Json>& rows) const {
    std::string text;
    for (const Json& row : rows) text += row.dump() + "\n";
    write_file(file(name), text);
  }
  std::vector<Json> read(const std::string& name) const {
    std::vector<Json> rows;
    for_each_jsonl(file(name), [&](const Json& row, const std::string&) { rows.push_back(row); });
    return rows;
  }

  // Items of the gym; every third student's answer is wrong.
  std::vector<Json> gym_rows(int count) const {
    std::vector<Json> rows;
    int number = 0;
    for (const gym::Item& item : gym::pool({.rows = count, .seed = 3})) {
      const std::string answer = item.family->teacher(item.prompt, gym::Style::terse);
      rows.push_back({{"id", number},
                      {"instruction", item.prompt},
                      {"response", answer},
                      {"student_response", number % 3 == 0 ? "?" : answer},
                      {"note", "mine"}});
      ++number;
    }
    return rows;
  }

  JudgeFileSummary judge(const std::vector<std::string>& settings, const std::string& out = "out",
                         std::stop_token stop = {}) const {
    JudgeFileOptions options;
    options.files = {file("in.jsonl"), file(out), {}};
    if (std::filesystem::exists(file("student.jsonl"))) options.student = file("student.jsonl");
    return judge_file(load_settings({}, settings), options, silent_progress(), stop);
  }

  testing::TemporaryFolder folder_;
};

TEST_F(JudgeFileTest, AddsScoresToTheRows) {
  write("in.jsonl", gym_rows(60));
  const JudgeFileSummary summary = judge({"judge.orders=both"});
  EXPECT_EQ(summary.rows, 60);
  EXPECT_EQ(summary.judged, 60);
  EXPECT_EQ(summary.hard, 20);
  EXPECT_TRUE(summary.failed.empty());
  EXPECT_EQ(summary.judge["position_consistency"], 1.0);
  const auto rows = read("out");
  ASSERT_EQ(rows.size(), 60U);
  for (int i = 0; i < 60; ++i) {
    const Json& row = rows[static_cast<std::size_t>(i)];
    EXPECT_EQ(row["id"], i);
    EXPECT_EQ(row["note"], "mine") << "fields of the user stay";
    EXPECT_EQ(row["scores"]["gap"].get<double>() > 2, i % 3 == 0) << row.dump();
    EXPECT_EQ(row["scores"]["gap"].get<double>(),
              row["scores"]["teacher"].get<double>() - row["scores"]["student"].get<double>());
    EXPECT_EQ(row["orders"], 2);
    EXPECT_EQ(row["truncated"], false);
  }
}

TEST_F(JudgeFileTest, GoesOnFromTheStoreBesideTheOutput) {
  write("in.jsonl", gym_rows(80));
  judge({}, "whole");
  std::stop_source stop;
  stop.request_stop();
  try {
    judge({}, "out", stop.get_token());
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::interrupted);
  }
  EXPECT_FALSE(std::filesystem::exists(file("out")));
  judge({}, "out");
  EXPECT_EQ(read_file(file("out")), read_file(file("whole")));
  const auto sends = [&] {
    std::int64_t sum = 0;
    const auto store =
        store::RunStore::open(file("out.tapir") / "run.db", store::OpenMode::read_only);
    for (const store::UsageRow& row : store->usage()) sum += row.sends;
    return sum;
  };
  const std::int64_t before = sends();
  EXPECT_GE(before, 80);
  judge({}, "out");
  EXPECT_EQ(sends(), before) << "nobody is asked twice";
}

TEST_F(JudgeFileTest, TakesTheStudentsAnswersFromAFile) {
  std::vector<Json> rows = {
      {{"id", 1}, {"instruction", "6*7?"}, {"response", "#### 42"}},
      {{"id", "b"}, {"instruction", "6*8?"}, {"response", "#### 48"}},
      {{"id", "c"}, {"instruction", "Who?"}, {"response", "nobody"}},
      {{"id", "d"}, {"instruction", "6*9?"}, {"response", "#### 54"}},
      {{"id", "e"}, {"instruction", "6*6?"}},
  };
  write("in.jsonl", rows);
  write("student.jsonl", {{{"id", 1}, {"response", "it is 42"}, {"finish_reason", "length"}},
                          {{"id", "b"}, {"response", "it is 47"}, {"finish_reason", "stop"}},
                          {{"id", "c"}, {"response", "me"}, {"finish_reason", "stop"}},
                          {{"id", "d"}, {"error", "too_long"}},
                          {{"id", "e"}, {"response", "36"}}});
  const JudgeFileSummary summary = judge({"judge.kind=answer_match"});
  EXPECT_EQ(summary.judged, 2);
  EXPECT_EQ(summary.hard, 1);
  EXPECT_EQ(summary.failed.at("no_final_answer"), 1);
  EXPECT_EQ(summary.failed.at("no_answer"), 2);
  const auto out = read("out");
  EXPECT_EQ(out[0]["scores"]["gap"], 0);
  EXPECT_EQ(out[0]["truncated"], true);
  EXPECT_EQ(out[1]["scores"], (Json{{"teacher", 10}, {"student", 1}, {"gap", 9}}));
  EXPECT_EQ(out[2]["scores"], nullptr);
  EXPECT_EQ(out[2]["failure"], "no_final_answer");
  EXPECT_EQ(out[3]["failure"], "no_answer");
  EXPECT_FALSE(std::filesystem::exists(file("out.tapir"))) << "a rule needs no store";
}

TEST_F(JudgeFileTest, JudgesByTheRowsOwnRequirements) {
  const Json title = {{"kind", "title"}};
  const Json polite = {{"kind", "judged"}, {"text", "It is polite."}};
  write("in.jsonl",
        {{{"id", "a"},
          {"instruction", "A?"},
          {"components", {title}},
          {"response", "<<T>>"},
          {"student_response", "T"}},
         {{"id", "b"},
          {"instruction", "B?"},
          {"components", {title, polite}},
          {"response", "<<T>>"},
          {"student_response", "T"}},
         {{"id", "c"}, {"instruction", "C?"}, {"response", "<<T>>"}, {"student_response", "T"}}});
  const JudgeFileSummary summary = judge({"judge.kind=rubric"});
  EXPECT_EQ(summary.judged, 1);
  EXPECT_EQ(summary.failed.at("needs_judge"), 1);
  EXPECT_EQ(summary.failed.at("no_rubric"), 1);
  EXPECT_EQ(read("out")[0]["scores"], (Json{{"teacher", 10}, {"student", 1}, {"gap", 9}}));
  EXPECT_EQ(summary.components[0]["kind"], "title");
  EXPECT_EQ(summary.components[0]["gap"], 1);
  EXPECT_FALSE(std::filesystem::exists(file("out.tapir"))) << "nobody was asked";
}

TEST_F(JudgeFileTest, SaysWhatIsMissing) {
  write("in.jsonl", {{{"instruction", "6*7?"}, {"response", "42"}}});
  try {
    judge({});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::data);
    EXPECT_THAT(e.hint(), HasSubstr("student_response"));
  }
  write("student.jsonl", {{{"id", "a"}, {"response", "x"}}, {{"id", "a"}, {"response", "y"}}});
  EXPECT_THROW(judge({}), Error);
  EXPECT_THROW(judge({"judge.kind=oracle"}), Error);
  write("in.jsonl", gym_rows(3));
  JudgeFileOptions options;
  options.files = {file("in.jsonl"), "-", {}};
  try {
    judge_file(load_settings({}, {}), options, silent_progress(), {});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    EXPECT_THAT(e.hint(), HasSubstr("--store"));
  }
}

TEST_F(JudgeFileTest, AJudgeThatAlwaysAnswersTenIsSaid) {
  write("in.jsonl", gym_rows(60));
  const JudgeFileSummary summary = judge({"judge.gym.length_bias=100000"});
  ASSERT_EQ(summary.judge["warnings"].size(), 1U) << summary.judge.dump();
  EXPECT_THAT(summary.judge["warnings"][0].get<std::string>(), HasSubstr("gives 10 nearly always"));
}

TEST_F(JudgeFileTest, OrdersAreReplayedFromAFile) {
  std::vector<Json> rows;
  for (int i = 0; i < 200; ++i) {
    const double gap = i % 10;
    rows.push_back({{"id", i},
                    {"teacher_first", {10, 10 - gap}},
                    {"student_first", {9, 9 - (gap > 8 ? 8 : gap)}}});
  }
  write("pairs.jsonl", rows);
  JudgeOrdersOptions options;
  options.input = file("pairs.jsonl");
  options.pilot_rows = 50;
  options.seeds = 5;
  const Json orders = judge_orders(options);
  EXPECT_EQ(orders["pairs"], 200);
  ASSERT_EQ(orders["thresholds"].size(), 3U);
  for (const Json& row : orders["thresholds"]) {
    EXPECT_EQ(row["pilot"], 50);
    EXPECT_DOUBLE_EQ(row["second_calls"].get<double>() + row["saved_calls"].get<double>(), 150);
    EXPECT_EQ(row["flips"], 0.0) << "the orders differ at the gap of 9 only";
  }
  EXPECT_THAT(judge_orders_text(orders), HasSubstr("200 pairs, mean of 5 draws"));
  write("pairs.jsonl", {{{"id", 1}, {"teacher_first", {1}}, {"student_first", {1, 2}}}});
  EXPECT_THROW(judge_orders(options), Error);
  write("pairs.jsonl", {});
  EXPECT_THROW(judge_orders(options), Error);
}

}  // namespace
}  // namespace tapir::pipeline
