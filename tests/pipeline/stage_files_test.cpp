// classify, balance, select, expand and refine on files, with the gym's teacher.
#include <algorithm>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "dataset/read_instructions.h"
#include "pipeline/gym_commands.h"
#include "pipeline/task_files.h"
#include "pipeline/teach_files.h"
#include "test_data.h"

namespace tapir::pipeline {
namespace {

using ::testing::HasSubstr;

class StageFilesTest : public ::testing::Test {
 protected:
  StageFilesTest() {
    GymItemsOptions items;
    items.rows = 60;
    gym_items(items, at("items.jsonl"));
  }
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }
  StageFiles files(const std::string& input, const std::string& output) const {
    return {at(input), at(output), {}};
  }
  Recipe recipe(std::vector<std::string> settings = {}) const {
    settings.insert(settings.begin(), {"tasks.taxonomy=gym", "tasks.classifier=llm"});
    return load_settings({}, settings);
  }
  std::vector<Json> rows(const std::string& name) const {
    std::vector<Json> rows;
    for_each_jsonl(at(name), [&](const Json& row, const std::string&) { rows.push_back(row); });
    return rows;
  }
  ClassifySummary classify(const Recipe& with, const std::string& labelled = {}) const {
    ClassifyOptions options{files("items.jsonl", "tasks.jsonl"), labelled, 0.2};
    return classify_file(with, options, silent_progress(), {});
  }
  // The kind and the words of the Error that this ends with.
  template <typename Work>
  std::string error_of(ErrorKind kind, Work&& work) const {
    try {
      work();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return {};
  }
  testing::TemporaryFolder folder_;
};

TEST_F(StageFilesTest, ClassifyGivesEveryRowATaskAndKeepsTheRestOfIt) {
  const ClassifySummary summary = classify(recipe());
  EXPECT_EQ(summary.rows, 60);
  const auto before = rows("items.jsonl");
  const auto after = rows("tasks.jsonl");
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i]["task"], before[i]["task"]) << "the gym's teacher knows its own tasks";
    EXPECT_EQ(after[i]["confidence"], 1);
    EXPECT_EQ(after[i]["family"], before[i]["family"]) << "fields it does not know stay";
  }
}

TEST_F(StageFilesTest, ClassifyLearnsFromLabelledRowsAndAsksNobody) {
  const ClassifySummary summary = classify(recipe(), at("items.jsonl"));
  EXPECT_EQ(summary.info["agreement"]["rows"], 12);
  EXPECT_TRUE(summary.info["agreement"].contains("confusion"));
  EXPECT_FALSE(std::filesystem::exists(at("tasks.jsonl.tapir")));
  write_file(at("bare.jsonl"), "{\"instruction\": \"x\"}\n");
  EXPECT_THAT(error_of(ErrorKind::data, [&] { classify(recipe(), at("bare.jsonl")); }),
              HasSubstr("bare.jsonl:1"));
}

// Every label fell back to Others, and the classifier that learnt it was said to agree to 100 %.
TEST_F(StageFilesTest, NothingIsLearntFromLabelsThatFellBack) {
  write_file(at("kitchen.yaml"),
             "name: kitchen\nfallback: Others\nstyles: {plain: Answer.}\n"
             "tasks:\n"
             "  - {name: Cooking, description: food, share: 0.5, style: plain}\n"
             "  - {name: Others, description: the rest, share: 0.5, style: plain}\n");
  const std::string words = error_of(ErrorKind::data, [&] {
    classify(recipe(
        {"tasks.taxonomy=" + at("kitchen.yaml"), "tasks.classifier=light", "tasks.label_rows=40"}));
  });
  EXPECT_THAT(words, HasSubstr("asked about 40, 0 of its labels could be used"));
}

// Agreement with labels that are all the same is no agreement.
TEST_F(StageFilesTest, OneTaskAloneIsNotMeasured) {
  std::string text;
  for (int i = 0; i < 20; ++i) {
    text += "{\"instruction\": \"question " + std::to_string(i) + "\", \"task\": \"Math\"}\n";
  }
  write_file(at("one.jsonl"), text);
  EXPECT_FALSE(classify(recipe(), at("one.jsonl")).info.contains("agreement"));
}

TEST_F(StageFilesTest, BalanceKeepsAtMostTheSharesAndSaysWhatIsMissing) {
  classify(recipe());
  const BalanceSummary summary = balance_file(recipe(), files("tasks.jsonl", "out.jsonl"), 40);
  std::int64_t available = 0;
  std::int64_t target = 0;
  std::int64_t kept = 0;
  for (const auto& [task, count] : summary.tasks) {
    available += count.available;
    target += count.target;
    kept += std::min(count.available, count.target);
  }
  EXPECT_EQ(available, 60);
  EXPECT_EQ(target, 40);
  EXPECT_EQ(summary.kept, kept);
  EXPECT_EQ(rows("out.jsonl").size(), static_cast<std::size_t>(kept));
  write_file(at("other.jsonl"), "{\"instruction\": \"x\", \"task\": \"Cooking\"}\n");
  EXPECT_THAT(error_of(ErrorKind::data,
                       [&] { balance_file(recipe(), files("other.jsonl", "x.jsonl"), 0); }),
              HasSubstr("\"Cooking\""));
  write_file(at("none.jsonl"), "{\"instruction\": \"x\"}\n");
  error_of(ErrorKind::data, [&] { balance_file(recipe(), files("none.jsonl", "x.jsonl"), 0); });
}

TEST_F(StageFilesTest, ExpandMeetsTheSharesAndRefineAnswersInTheTasksStyle) {
  classify(recipe());
  ExpandFileOptions options;
  options.files = files("tasks.jsonl", "new.jsonl");
  options.rows = 90;
  const TeachFileSummary expanded = expand_file(recipe(), options, silent_progress(), {});
  EXPECT_TRUE(expanded.ledger.balances());
  const auto made = rows("new.jsonl");
  ASSERT_EQ(made.size(), static_cast<std::size_t>(expanded.rows));
  EXPECT_GT(made.size(), 10U);
  for (const Json& row : made) {
    EXPECT_FALSE(row["task"].get<std::string>().empty());
    EXPECT_FALSE(row["style"].get<std::string>().empty());
    EXPECT_FALSE(row.contains("response"));
  }
  // The same command again asks nobody: every reply lies beside the output.
  const std::string once = read_file(at("new.jsonl"));
  expand_file(recipe(), options, silent_progress(), {});
  EXPECT_EQ(read_file(at("new.jsonl")), once);

  const TeachFileSummary refined =
      refine_file(recipe(), files("new.jsonl", "answered.jsonl"), silent_progress(), {});
  EXPECT_EQ(refined.rows, expanded.rows);
  const auto answered = rows("answered.jsonl");
  for (std::size_t i = 0; i < answered.size(); ++i) {
    EXPECT_EQ(answered[i]["parent_id"], made[i]["id"]);
    EXPECT_NE(answered[i]["id"], made[i]["id"]);
    EXPECT_EQ(answered[i]["instruction"], made[i]["instruction"]);
    EXPECT_FALSE(answered[i]["response"].get<std::string>().empty());
  }
  options.rows = 0;
  error_of(ErrorKind::usage, [&] { expand_file(recipe(), options, silent_progress(), {}); });
}

TEST_F(StageFilesTest, StandardOutputNeedsAPlaceForTheReplies) {
  StageFiles where = files("items.jsonl", "x");
  where.output = "-";
  error_of(ErrorKind::usage, [&] {
    classify_file(recipe(), {where, {}, 0.2}, silent_progress(), {});
  });
}

TEST_F(StageFilesTest, SelectReadsTheJudgesScores) {
  write_file(
      at("judged.jsonl"),
      "{\"id\": \"a\", \"instruction\": \"x\", \"scores\": {\"teacher\": 9, \"student\": 6}}\n"
      "{\"id\": \"b\", \"instruction\": \"y\", \"scores\": {\"teacher\": 9, \"student\": 7}}\n"
      "{\"id\": \"c\", \"instruction\": \"z\", \"scores\": null}\n");
  const SelectSummary all = select_file(recipe(), files("judged.jsonl", "all.jsonl"), false);
  EXPECT_EQ(all.rows, 3);
  EXPECT_EQ(all.hard, 1);
  EXPECT_EQ(all.unjudged, 1);
  const auto written = rows("all.jsonl");
  EXPECT_EQ(written[0]["hard"], true);
  EXPECT_EQ(written[1]["hard"], false) << "2 is not above 2";
  EXPECT_TRUE(written[2]["hard"].is_null());
  EXPECT_EQ(select_file(recipe({"difficulty.strict=false"}), files("judged.jsonl", "hard.jsonl"),
                        /*hard_only=*/true)
                .hard,
            2);
  EXPECT_EQ(rows("hard.jsonl").size(), 2U);
  error_of(ErrorKind::data, [&] { select_file(recipe(), files("items.jsonl", "n.jsonl"), false); });
  EXPECT_FALSE(std::filesystem::exists(at("n.jsonl")));
}

}  // namespace
}  // namespace tapir::pipeline
