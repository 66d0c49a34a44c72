// The recorded judgments of four sources, and what is wrong with files.
#include "pipeline/mt_bench_score.h"

#include <fstream>
#include <map>

#include <gmock/gmock.h>

#include "base/file.h"
#include "error_of.h"
#include "test_data.h"

namespace tapir::pipeline {
namespace {

using ::testing::HasSubstr;

const char* const kFiles[] = {"alvarobartt", "dreaming-panda", "stefanstud", "wgm20"};

std::filesystem::path folder() { return testing::test_data() / "mt_bench"; }

std::map<std::string, Json> expected_by_model() {
  const auto path = folder() / "expected.json";
  std::map<std::string, Json> by_model;
  for (const Json& row : parse_json(read_file(path), path.string())) by_model[row["model"]] = row;
  return by_model;
}

Json scored(const std::vector<std::string>& files, MtScoreOptions options = {}) {
  options.judgments = files;
  return score_mt_bench_files(options).json["models"];
}

TEST(MtBenchScore, RecordedJudgmentsHaveTheExpectedMeans) {
  TAPIR_NEEDS_TEST_DATA("mt_bench");
  const auto expected = expected_by_model();
  std::size_t models = 0;
  for (const char* file : kFiles) {
    for (const char* scores : {"recorded", "text"}) {
      const std::string path = (folder() / "judgments" / file).string() + ".jsonl.gz";
      for (const Json& model : scored({path}, {.duplicates = "average", .scores = scores})) {
        const Json& want = expected.at(model["model"]);
        for (const char* mean : {"turn1", "turn2", "average"})
          EXPECT_NEAR(model[mean].get<double>(), want[mean].get<double>(), 1e-4) << model["model"];
        for (const auto& [category, mean] : want["by_category"].items())
          EXPECT_NEAR(model["by_category"][category].get<double>(), mean.get<double>(), 1e-4);
        EXPECT_EQ(model["judgments"], want["judgments"]);
        EXPECT_EQ(model["failed"], want["unrated(-1)"]);
        EXPECT_EQ(model["misread"], 0);
        EXPECT_EQ(model["missing"], 0);
        EXPECT_EQ(model["judge"], "gpt-4");
        ++models;
      }
    }
  }
  EXPECT_EQ(models, 2 * expected.size());
}

TEST(MtBenchScore, DuplicatesOfTheRecordedFilesAreNamed) {
  TAPIR_NEEDS_TEST_DATA("mt_bench");
  const std::string file = (folder() / "judgments" / "alvarobartt.jsonl.gz").string();
  EXPECT_THAT(testing::complaint_of(ErrorKind::data, [&] { return scored({file}); }),
              HasSubstr("160 judgments stand more than once"));
  for (const char* policy : {"first", "last"}) {
    for (const Json& model : scored({file}, {.duplicates = policy}))
      EXPECT_EQ(model["judgments"], 160) << policy;
  }
}

class MtBenchScoreFiles : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::vector<Json>& rows) {
    const auto path = folder_.path() / name;
    std::ofstream out(path);
    for (const Json& row : rows) out << row << "\n";
    return path.string();
  }
  static Json row(std::int64_t question, int turn, double score) {
    return {{"question_id", question},
            {"model", "m"},
            {"judge", {"j", "single-v1"}},
            {"judgment", score < 0 ? "no idea" : "[[" + Json(score).dump() + "]]"},
            {"score", score},
            {"turn", turn}};
  }
  static Json question(std::int64_t id) {
    return {{"question_id", id}, {"category", "own"}, {"turns", {"a", "b"}}};
  }

  testing::TemporaryFolder folder_;
};

TEST_F(MtBenchScoreFiles, OtherQuestionsAreNamedOrLeftOut) {
  const std::string file = write("j.jsonl", {row(81, 1, 7), row(200, 1, 9), row(201, 1, 9)});
  EXPECT_THAT(testing::complaint_of(ErrorKind::data, [&] { return scored({file}); }),
              HasSubstr("2 judgments are of questions that are not in MT-Bench (ids 81 to 160): "
                        "200, 201"));
  MtScoreOptions options{.judgments = {file}, .other_questions = "leave_out"};
  const MtScoreReport report = score_mt_bench_files(options);
  EXPECT_EQ(report.json["left_out"], 2);
  EXPECT_EQ(report.json["models"][0]["average"], 7);
  EXPECT_EQ(report.missing, 159);
  EXPECT_THAT(report.notes, ::testing::Contains(HasSubstr("200, 201")));
}

TEST_F(MtBenchScoreFiles, AQuestionFileBringsIdsAndCategories) {
  const std::string questions = write("q.jsonl", {question(7)});
  const std::string file = write("j.jsonl", {row(7, 1, 6), row(7, 2, -1)});
  const MtScoreReport report = score_mt_bench_files({.judgments = {file}, .questions = questions});
  EXPECT_EQ(report.json["models"][0]["by_category"], Json::parse(R"({"own": 6.0})"));
  EXPECT_EQ(report.failed, 1);
  EXPECT_EQ(report.missing, 0);
  EXPECT_TRUE(report.json["models"][0]["low"].is_null());  // one question says nothing of others
  EXPECT_THAT(report.text, HasSubstr("own"));
  const std::string twice = write("t.jsonl", {question(7), question(7)});
  EXPECT_THAT(testing::complaint_of(
                  ErrorKind::data,
                  [&] { return score_mt_bench_files({.judgments = {file}, .questions = twice}); }),
              HasSubstr("question 7 stands in"));
}

TEST_F(MtBenchScoreFiles, WhatTheWordsDoNotSayIsTold) {
  Json odd = row(81, 1, 7);
  odd["score"] = 9;
  Json beyond = row(81, 2, 15);
  const MtScoreReport report =
      score_mt_bench_files({.judgments = {write("j.jsonl", {odd, beyond})}});
  EXPECT_EQ(report.json["models"][0]["misread"], 1);
  EXPECT_EQ(report.json["models"][0]["out_of_range"], 1);
  EXPECT_EQ(report.json["models"][0]["average"], 12);
  EXPECT_THAT(report.notes, ::testing::Contains(HasSubstr("--scores text")));
}

TEST_F(MtBenchScoreFiles, PairsAndComparisonsStandBesideTheMeans) {
  std::vector<Json> rows;
  for (const int question : {81, 82, 83}) {
    for (const int turn : {1, 2}) {
      rows.push_back(row(question, turn, 5));
      rows.push_back(row(question, turn, 6));
      rows.back()["model"] = "better";
    }
  }
  const std::string single = write("single.jsonl", rows);
  const std::string pairs =
      write("pair.jsonl", {Json::parse(R"({"question_id": 81, "model_1": "better", "model_2": "m",
          "judge": ["j", "pair-v2"], "g1_winner": "model_1", "g2_winner": "error", "turn": 1})")});
  const MtScoreReport report =
      score_mt_bench_files({.judgments = {single, pairs}, .baseline = "m", .margin = 0.5});
  EXPECT_EQ(report.json["comparisons"][0]["difference"], 1);
  EXPECT_EQ(report.json["comparisons"][0]["p"], 0.25);
  EXPECT_EQ(report.json["pairs"][0]["failed"], 1);
  EXPECT_EQ(report.failed, 1);
  EXPECT_THAT(report.text, HasSubstr("+1.00"));
}

TEST_F(MtBenchScoreFiles, WhatIsNotThereOrNoJudgment) {
  EXPECT_THAT(
      testing::complaint_of(ErrorKind::data, [&] { return scored({write("e.jsonl", {})}); }),
      HasSubstr("no judgments"));
  EXPECT_THAT(
      testing::complaint_of(
          ErrorKind::data,
          [&] { return scored({write("b.jsonl", {Json::parse(R"({"question_id": 81})")})}); }),
      HasSubstr("b.jsonl:1: "));
  EXPECT_THAT(
      testing::complaint_of(ErrorKind::usage, [&] { return scored({"x"}, {.scores = "mine"}); }),
      HasSubstr("recorded or text"));
}

}  // namespace
}  // namespace tapir::pipeline
