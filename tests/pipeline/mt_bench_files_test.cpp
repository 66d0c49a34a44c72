// MT-Bench's files from end to end, in the gym: its teacher answers, its judge rates.
#include "pipeline/mt_bench_files.h"

#include <fstream>

#include <gmock/gmock.h>

#include "base/file.h"
#include "error_of.h"
#include "pipeline/mt_bench_score.h"
#include "test_data.h"

namespace tapir::pipeline {
namespace {

using ::testing::HasSubstr;

const std::vector<std::string> kQuestions = {
    R"({"question_id": 1, "category": "math", "turns": ["add:a8+A6", "add:b6a2+B4A1"], "reference": ["#14", "#103"]})",
    R"({"question_id": 2, "category": "writing", "turns": ["add:c7b5a4+C7B2A6", "add:a8+A6"]})"};

class MtBenchFilesTest : public ::testing::Test {
 protected:
  MtBenchFilesTest() { write("question.jsonl", kQuestions); }

  void write(const std::string& name, const std::vector<std::string>& lines) const {
    const auto path = folder_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream out(path);
    for (const std::string& line : lines) out << line << "\n";
  }
  std::vector<Json> rows(const std::string& name) const {
    std::vector<Json> all;
    for_each_jsonl(folder_.path() / name,
                   [&](const Json& row, const std::string&) { all.push_back(row); });
    return all;
  }
  MtFiles files() const {
    MtFiles files;
    files.data_dir = folder_.path();
    return files;
  }
  MtAnswerFileSummary answer(std::vector<std::string> settings = {}, MtAnswerFileOptions o = {}) {
    o.files = files();
    return answer_mt_bench_files(load_settings({}, settings), o, silent_progress(), {});
  }
  MtJudgeFileSummary judge(std::vector<std::string> settings = {}, MtJudgeFileOptions o = {}) {
    o.files = files();
    if (o.references == "official") o.references = "questions";
    return judge_mt_bench_files(load_settings({}, settings), o, silent_progress(), {});
  }
  Json score(MtScoreOptions options = {}) const {
    options.judgments = {(folder_.path() / "model_judgment/gym-judge_single.jsonl").string()};
    options.questions = (folder_.path() / "question.jsonl").string();
    return score_mt_bench_files(options).json["models"];
  }

  testing::TemporaryFolder folder_;
};

TEST_F(MtBenchFilesTest, AnswersAndJudgmentsAsFastChatKeepsThem) {
  const MtAnswerFileSummary answered = answer();
  EXPECT_EQ(answered.answered, 2);
  EXPECT_EQ(answered.model_id, "gym-teacher");
  const auto answers = rows("model_answer/gym-teacher.jsonl");
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0]["choices"][0]["turns"].size(), 2U);
  for (const char* field : {"question_id", "answer_id", "model_id", "choices", "tstamp"})
    EXPECT_TRUE(answers[0].contains(field)) << field;

  const MtJudgeFileSummary judged = judge();
  EXPECT_EQ(judged.judgments, 4);
  EXPECT_TRUE(judged.failed.empty());
  EXPECT_EQ(judged.reference_set, "questions");
  EXPECT_TRUE(judged.lacking_references.empty());
  const auto judgments = rows("model_judgment/gym-judge_single.jsonl");
  ASSERT_EQ(judgments.size(), 4U);
  for (const char* field :
       {"question_id", "model", "judge", "user_prompt", "judgment", "score", "turn", "tstamp"})
    EXPECT_TRUE(judgments[0].contains(field)) << field;
  EXPECT_EQ(judgments[1]["judge"], Json::array({"gym-judge", "tapir-single-math-v1-multi-turn"}));
  const Json scored = score();
  EXPECT_EQ(scored[0]["average"], 10);
  EXPECT_EQ(scored[0]["missing"], 0);
  EXPECT_EQ(scored[0]["reference_set"], "questions");
}

TEST_F(MtBenchFilesTest, TheSameCommandAsksNobodyAgainAndLeavesOtherRowsAlone) {
  answer();
  const std::string other =
      R"({"question_id": 1, "model": "other",  "judge": ["gym-judge", "single-v1"], "judgment": "[[3]]", "score": 3, "turn": 1})";
  write("model_judgment/gym-judge_single.jsonl", {other});
  judge();
  const auto first = read_file(folder_.path() / "model_judgment/gym-judge_single.jsonl");
  EXPECT_THAT(first, HasSubstr(other));
  const auto again = judge();
  EXPECT_EQ(again.judgments, 4);
  EXPECT_EQ(rows("model_judgment/gym-judge_single.jsonl").size(), 5U);
  answer();
  EXPECT_EQ(rows("model_answer/gym-teacher.jsonl").size(), 2U);
}

TEST_F(MtBenchFilesTest, AFileOfSomebodyElseIsNotReplaced) {
  write("model_answer/gym-teacher.jsonl", {"{}"});
  EXPECT_THAT(testing::complaint_of(ErrorKind::usage, [&] { return answer(); }),
              HasSubstr("--overwrite"));
  MtAnswerFileOptions overwrite;
  overwrite.overwrite = true;
  EXPECT_EQ(answer({}, overwrite).answered, 2);
}

TEST_F(MtBenchFilesTest, UnreadableJudgmentsAreAskedAgainAndCounted) {
  answer();
  MtJudgeFileOptions options;
  options.repeats = 3;
  const auto once = judge({"judge.gym.malformed_rate=0.5"}, options);
  ASSERT_TRUE(once.failed.contains("unreadable"));
  const Json scored = score();
  EXPECT_EQ(scored[0]["failed"], once.failed.at("unreadable"));
  EXPECT_EQ(scored[0]["judgments"], 12);
  EXPECT_EQ(scored[0]["average"], 10);
  options.max_attempts = 30;
  EXPECT_TRUE(judge({"judge.gym.malformed_rate=0.5"}, options).failed.empty());
  EXPECT_EQ(score()[0]["failed"], 0);
  EXPECT_EQ(score()[0]["repeats"]["averages"].size(), 3U);
}

TEST_F(MtBenchFilesTest, WhatIsMissingOrTooMuchIsNamed) {
  EXPECT_THAT(testing::complaint_of(ErrorKind::data, [&] { return judge(); }),
              HasSubstr("there are no answers here"));
  answer();
  MtJudgeFileOptions options;
  options.models = {"nobody"};
  EXPECT_THAT(testing::complaint_of(ErrorKind::data, [&] { return judge({}, options); }),
              HasSubstr("nobody.jsonl"));
  const std::string line = rows("model_answer/gym-teacher.jsonl")[0].dump();
  write("model_answer/twice.jsonl", {line, line});
  options.models = {"twice"};
  EXPECT_THAT(testing::complaint_of(ErrorKind::data, [&] { return judge({}, options); }),
              HasSubstr("--answer-duplicates"));
  options.duplicates = "first";
  EXPECT_EQ(judge({}, options).unanswered, 1);
  Json stray = Json::parse(line);
  stray["question_id"] = 9;
  write("model_answer/stray.jsonl", {stray.dump()});
  options.models = {"stray"};
  EXPECT_THAT(testing::complaint_of(ErrorKind::data, [&] { return judge({}, options); }),
              HasSubstr("the first to question 9"));
  options.models = {"gym-teacher"};
  options.mode = "pair";
  EXPECT_THAT(testing::complaint_of(ErrorKind::data, [&] { return judge({}, options); }),
              HasSubstr("two models"));
}

TEST_F(MtBenchFilesTest, PairsAreComparedInBothOrders) {
  MtAnswerFileOptions named;
  named.model_id = "right";
  answer({}, named);
  named.model_id = "wrong";
  answer({"teacher.gym.error_rate=1"}, named);
  named.model_id = "as right";
  answer({}, named);
  MtJudgeFileOptions options;
  options.mode = "pair";
  options.baseline = "right";
  const auto judged = judge({}, options);
  EXPECT_EQ(judged.judgments, 8);  // two models against the baseline, two turns of two questions
  EXPECT_TRUE(judged.failed.empty());
  const MtScoreReport report = score_mt_bench_files(
      {.judgments = {(folder_.path() / "model_judgment/gym-judge_pair.jsonl").string()},
       .questions = (folder_.path() / "question.jsonl").string(),
       .baseline = "right"});
  for (const Json& rate : report.json["pairs"]) {
    EXPECT_EQ(rate["loss"], rate["model"] == "wrong" ? 4 : 0);
    EXPECT_EQ(rate["tie"], rate["model"] == "wrong" ? 0 : 4);
  }
  options.baseline = "nobody";
  EXPECT_THAT(testing::complaint_of(ErrorKind::data, [&] { return judge({}, options); }),
              HasSubstr("no answers of the baseline nobody"));
}

TEST_F(MtBenchFilesTest, TheGymSaysThatItKnowsItsOwnTasksOnly) {
  const auto complaint = [&](const auto& work) {
    return testing::complaint_of(ErrorKind::usage, work);
  };
  const std::string answers =
      R"({"question_id": 3, "model_id": "x", "choices": [{"turns": ["4", "6"]}]})";
  write("question.jsonl", {R"({"question_id": 3, "category": "math", "turns": ["2+2?", "3+3?"]})"});
  EXPECT_THAT(complaint([&] { return answer(); }), HasSubstr("candidate.kind is gym"));
  write("model_answer/x.jsonl", {answers});
  EXPECT_THAT(complaint([&] { return judge(); }), HasSubstr("judge.kind is gym"));
}

TEST_F(MtBenchFilesTest, ReferencesAreNamedAndLackingOnesToo) {
  answer();
  MtJudgeFileOptions options;
  options.references = "none";
  const auto without = judge({}, options);
  EXPECT_EQ(without.reference_set, "none");
  EXPECT_EQ(without.lacking_references, std::set<std::int64_t>{1});
  write("mine.jsonl",
        {R"({"question_id": 1, "model_id": "me", "choices": [{"turns": ["#14", "#103"]}]})"});
  options.references = (folder_.path() / "mine.jsonl").string();
  const auto with = judge({}, options);
  EXPECT_EQ(with.reference_set, "mine");
  EXPECT_TRUE(with.lacking_references.empty());
  EXPECT_TRUE(with.wrong_references.empty());
  EXPECT_EQ(score().size(), 2U);  // two reference sets stand side by side
}

}  // namespace
}  // namespace tapir::pipeline
