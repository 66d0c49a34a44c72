// Cleaning in a run and on files.
#include "pipeline/cleaning.h"

#include <algorithm>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "dataset/read_instructions.h"
#include "fake_engine.h"
#include "pipeline/data_commands.h"
#include "pipeline/run.h"
#include "test_data.h"

namespace tapir::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr const char* kRows = R"([
  {"id": "1", "instruction": "Write a poem about the old harbour at night.", "output": "Lamps."},
  {"id": "2", "instruction": "Write a short poem about the old harbour at night.", "output": "Sea."},
  {"id": "3", "instruction": "Explain how a bicycle stays upright.", "output": "I cannot assist with that."},
  {"id": "4", "instruction": "Name the largest planet of our solar system.", "output": "Jupiter."},
  {"id": "5", "instruction": "Give three uses for an empty jar.", "output": "A vase."},
  {"id": "6", "instruction": "Give three uses for an  empty jar.", "output": "A lamp."},
  {"id": "7", "instruction": "Add 2 and 3.", "output": ""},
  {"id": "8", "instruction": "Caf\u00c3\u00a9 or tea?", "output": "Tea."}])";

class CleaningTest : public ::testing::Test {
 protected:
  CleaningTest() {
    write_file(at("rows.json"), kRows);
    write_file(
        at("exam.jsonl"),
        "{\"question_id\": 9, \"turns\": [\"Name the largest planet of our solar system.\"]}\n");
  }
  std::filesystem::path at(const std::string& name) const { return folder_.path() / name; }
  DataCommand command() const {
    DataCommand command;
    command.inputs = {at("rows.json")};
    command.against = {at("exam.jsonl")};
    command.clean.rouge_l = 0.7;
    return command;
  }
  testing::TemporaryFolder folder_;
};

TEST_F(CleaningTest, FilesTogetherAreTheDataAgain) {
  const DataReport report = data_clean(command(), at("kept.jsonl"), at("removed.jsonl"));
  EXPECT_EQ(report.kept, 3U);
  EXPECT_THAT(report.reasons,
              ElementsAre(Pair("bad_encoding", 1U), Pair("contaminated", 1U), Pair("duplicate", 1U),
                          Pair("near_duplicate", 1U), Pair("refusal", 1U)));
  EXPECT_EQ(report.evaluation.at("exam.jsonl").found, 1U);
  EXPECT_THAT(report.evaluation.at("exam.jsonl").examples, ElementsAre(Pair("4", "9/1")));
  const std::string removed = read_file(at("removed.jsonl"));
  EXPECT_THAT(removed, HasSubstr(R"("reason":"near_duplicate","detail":"1")"));
  write_file(at("all.jsonl"), read_file(at("kept.jsonl")) + removed);
  const auto before = dataset::read_instructions(at("rows.json"));
  auto again = dataset::read_instructions(at("all.jsonl"));
  ASSERT_EQ(again.size(), before.size());
  std::sort(again.begin(), again.end(),
            [](const auto& a, const auto& b) { return a.instruction.id < b.instruction.id; });
  for (std::size_t i = 0; i < again.size(); ++i) {
    EXPECT_EQ(again[i].instruction.id, before[i].instruction.id);
    EXPECT_EQ(again[i].instruction.messages, before[i].instruction.messages);
    EXPECT_EQ(again[i].response, before[i].response);
  }
}

TEST_F(CleaningTest, StatisticsSayWhatCleaningWouldDoAndWriteNothing) {
  const DataReport report = data_stats(command());
  EXPECT_EQ(report.statistics.rows, 8U);
  EXPECT_EQ(report.statistics.with_response, 7U);
  const Json json = data_report_json(report);
  EXPECT_EQ(json["removed"]["refusal"], 1);
  EXPECT_EQ(json["kept"], 3);
  EXPECT_THAT(data_report_text(report),
              HasSubstr("exam.jsonl: 1 items, found in 1 rows: 4 (item 9/1)"));
  EXPECT_FALSE(std::filesystem::exists(at("kept.jsonl")));
  EXPECT_THROW(data_clean(command(), at("x").string(), at("x").string()), Error);
}

TEST_F(CleaningTest, TheStageCountsWhatItLeavesOutByReason) {
  testing::make_fake_base(at("base"));
  const std::string yaml =
      "student: {model_name_or_path: base, s0: as_is}\n"
      "data: {instructions: [rows.json], decontaminate_against: [exam.jsonl],\n"
      "       clean: {rouge_l: 0.7}}\n"
      "tasks: {taxonomy: gym, classifier: given}\n";
  RunOptions options;
  options.run_dir = at("run");
  options.until = "data";
  pipeline::Run run(parse_recipe(yaml, "test.yaml", folder_.path(), {}), options,
                    std::make_shared<testing::FakeEngine>(), silent_progress(), {});
  run.go();
  const Ledger ledger = run.store().stage("data")->ledger;
  EXPECT_EQ(ledger.in, 8U);
  EXPECT_EQ(ledger.done, 2U);
  EXPECT_THAT(ledger.filtered, ElementsAre(Pair("bad_encoding", 1U), Pair("contaminated", 1U),
                                           Pair("duplicate", 1U), Pair("near_duplicate", 1U),
                                           Pair("no_response", 1U), Pair("refusal", 1U)));
  EXPECT_TRUE(ledger.balances());
}

TEST_F(CleaningTest, NoveltyIsByTextUnlessItIsTheGyms) {
  const auto recipe_of = [&](const std::string& teacher) {
    Recipe recipe =
        parse_recipe("student: {model_name_or_path: base}\ndata: {instructions: [rows.json]}\n",
                     "test.yaml", folder_.path(), {"data.decontaminate_against=[exam.jsonl]"});
    recipe.teacher.kind = teacher;
    return recipe;
  };
  Instruction planet;
  planet.messages = {{Role::user, "Please name the largest planet of our solar system!"}};
  EXPECT_EQ(novelty_of(recipe_of("recorded"))->reject(planet), "contaminated");
  EXPECT_EQ(novelty_of(recipe_of("gym"))->reject(planet), "not_an_item");
}

TEST_F(CleaningTest, LicencesAreNamedByFile) {
  const auto licenses = [&](const std::string& entry) {
    return licenses_of(
        parse_recipe("student: {model_name_or_path: base}\ndata: {gym: {rows: 10}, licenses: [\"" +
                         entry + "\"]}\n",
                     "test.yaml", folder_.path(), {}));
  };
  EXPECT_THAT(licenses("data/alpaca.json: CC BY-NC 4.0"),
              ElementsAre(Pair("alpaca.json", "CC BY-NC 4.0")));
  EXPECT_THROW(licenses("alpaca.json"), Error);
}

}  // namespace
}  // namespace tapir::pipeline
