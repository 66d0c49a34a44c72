// What a training job leaves behind, as it is read.
#include "backends/job_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../error_of.h"
#include "../test_data.h"
#include "base/file.h"
#include "base/random.h"

namespace tapir::backends {
namespace {

using ::testing::HasSubstr;

class JobFiles : public ::testing::Test {
 protected:
  std::vector<student::StepTaken> progress(const std::string& text) {
    const std::filesystem::path file = folder_.path() / "progress.jsonl";
    write_file(file, text);
    return read_progress(file);
  }
  std::string complaint(const std::string& text) {
    return tapir::testing::complaint_of(ErrorKind::data, [&] { return progress(text); });
  }
  tapir::testing::TemporaryFolder folder_;
};

TEST_F(JobFiles, NoProgressIsNoStep) {
  EXPECT_TRUE(read_progress(folder_.path() / "none").empty());
  EXPECT_TRUE(progress("").empty());
}

TEST_F(JobFiles, ReadsTheFieldsOfAStep) {
  const auto steps = progress(
      R"({"step": 1, "loss": 1.5, "learning_rate": 0.001, "grad_norm": 2, "tokens": 30, "supervised_tokens": 10, "rows": 4})"
      "\n");
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_EQ(steps[0].loss, 1.5);
  EXPECT_EQ(steps[0].learning_rate, 0.001);
  EXPECT_EQ(steps[0].grad_norm, 2);
  EXPECT_EQ(steps[0].tokens, 30);
  EXPECT_EQ(steps[0].supervised_tokens, 10);
  EXPECT_EQ(steps[0].rows, 4);
}

TEST_F(JobFiles, ReadsWhatLlamaFactoryLogs) {
  const auto steps = progress(
      "{\"current_steps\": 5, \"total_steps\": 9, \"loss\": 0.25, \"lr\": 1e-05}\n"
      "{\"current_steps\": 9, \"total_steps\": 9, \"epoch\": 1.0}\n");
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_EQ(steps[0].step, 5);
  EXPECT_EQ(steps[0].learning_rate, 1e-05);
}

TEST_F(JobFiles, AStepTakenAgainAfterAKillCountsOnce) {
  const auto steps = progress(
      "{\"step\": 1, \"loss\": 3}\n{\"step\": 2, \"loss\": 2}\n{\"step\": 2, \"loss\": 2.5}\n");
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[1].loss, 2.5);
}

TEST_F(JobFiles, HalfALineIsNotReadYet) {
  EXPECT_EQ(progress("{\"step\": 1, \"loss\": 3}\n{\"step\": 2, \"lo").size(), 1U);
}

TEST_F(JobFiles, WhatIsNoProgressIsNamedByItsLine) {
  EXPECT_THAT(complaint("{\"step\": 1, \"loss\": 3}\n[1]\n"), HasSubstr("progress.jsonl:2"));
  EXPECT_THAT(complaint("{\"step\": \"one\", \"loss\": 3}\n"), HasSubstr("\"step\""));
  EXPECT_THAT(complaint("{\"step\": 1, \"loss\": NaN}\n"), HasSubstr("progress.jsonl:1"));
}

// Whatever stands there: steps, or an error of the user's data; never anything else.
TEST_F(JobFiles, AnyTextIsReadOrRefused) {
  RandomStream random(7, "test", "progress");
  const std::string seed = "{\"step\": 12, \"loss\": 0.5, \"tokens\": 40}\n{\"step\": 13}\n";
  for (int i = 0; i < 2000; ++i) {
    std::string text = seed;
    for (int changes = random.between(1, 6); changes > 0; --changes) {
      text[static_cast<std::size_t>(random.between(0, static_cast<int>(text.size()) - 1))] =
          static_cast<char>(random.between(1, 255));
    }
    try {
      for (const student::StepTaken& step : progress(text)) EXPECT_GT(step.step, 0);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::data) << text;
    }
  }
}

TEST_F(JobFiles, AResultIsWholeOrNotThere) {
  EXPECT_FALSE(read_job_result(folder_.path()));
  const auto place = folder_.path() / "result.json";
  write_file(place,
             R"({"digest": "d", "steps": 3, "tokens": 30, "supervised_tokens": 9, "rows": 6,
                "versions": {"trl": "0.24.0", "torch": "2.11.0"}})");
  const auto result = read_job_result(folder_.path());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->supervised_tokens, 9);
  EXPECT_EQ(result->versions, "torch 2.11.0, trl 0.24.0");
  write_file(place, R"({"digest": "d", "steps": 3})");
  EXPECT_THAT(tapir::testing::complaint_of(ErrorKind::data,
                                           [&] { return read_job_result(folder_.path()); }),
              HasSubstr("\"tokens\""));
}

}  // namespace
}  // namespace tapir::backends
