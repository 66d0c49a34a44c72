// A run on a user's own files: recorded answers, rows that are held out, judges by rule for each
// file, tasks learnt from labelled rows. The student needs no torch.
#include <algorithm>
#include <cctype>
#include <set>

#include <gmock/gmock.h>

#include "base/file.h"
#include "base/json.h"
#include "error_of.h"
#include "fake_engine.h"
#include "gym/world.h"
#include "pipeline/estimate.h"
#include "pipeline/order_trial.h"
#include "pipeline/status.h"
#include "pipeline_fixture.h"

namespace tapir::pipeline {
namespace {

using ::testing::HasSubstr;

constexpr int kWords = 120;   // rows of words.jsonl
constexpr int kNumbers = 30;  // rows of numbers.jsonl
constexpr int kHeldOutRows = 40;

class OwnDataTest : public RunTest {
 protected:
  OwnDataTest() {
    // Words that the student knows, or does not: the gym's, with an answer of letters or digits.
    std::string words;
    std::string labelled;
    std::set<std::string> prompts;
    for (const gym::Item& item : gym::pool({.rows = 4 * kWords, .seed = 5})) {
      const std::string answer = item.family->teacher(item.prompt, gym::Style::terse);
      const bool has_word = std::any_of(answer.begin(), answer.end(),
                                        [](unsigned char c) { return std::isalnum(c) != 0; });
      if (!has_word || !prompts.insert(item.prompt).second) continue;
      words += Json{{"instruction", item.prompt}, {"output", answer}}.dump() + "\n";
      labelled += Json{{"instruction", item.prompt}, {"category", "Words"}}.dump() + "\n";
      if (prompts.size() == kWords) break;
    }
    std::string numbers;
    for (int i = 0; i < kNumbers; ++i) {
      const std::string question = "Add " + std::to_string(i) + " and 2.";
      numbers +=
          Json{{"question", question}, {"answer", "#### " + std::to_string(i + 2)}}.dump() + "\n";
      labelled += Json{{"instruction", question}, {"category", "Numbers"}}.dump() + "\n";
    }
    write_file(folder_.path() / "words.jsonl", words);
    write_file(folder_.path() / "numbers.jsonl", numbers);
    write_file(folder_.path() / "labelled.jsonl", labelled);
    write_file(folder_.path() / "own.yaml",
               "name: own\nfallback: Words\nstyles: {usual: As usual.}\n"
               "tasks:\n"
               "  - {name: Words, share: 3/4, style: usual, description: With words.}\n"
               "  - {name: Numbers, share: 1/4, style: usual, description: With numbers.}\n");
  }

  Recipe recipe(const std::vector<std::string>& overrides = {}) const {
    const std::string yaml =
        "student: {model_name_or_path: base}\n"
        "data: {instructions: [words.jsonl, numbers.jsonl], held_out: 40}\n"
        "teacher: {kind: recorded}\n"
        "judge: {kind: overlap, by_source: [\"numbers.jsonl: answer_match\"]}\n"
        "difficulty: {held_out_rows: 25}\n"
        "tasks: {taxonomy: own.yaml, labelled: labelled.jsonl, label_field: category}\n"
        "teach: {expand: false, refine: none}\n"
        "curriculum: {rounds: 2, rows: 60}\n"
        "train: {batch_tokens: 128, tokens: 4000}\n"
        "arms: {plain: {select: random, expand: false, balance: false, refine: none}}\n";
    return parsed(yaml, overrides);
  }

  RunOutcome run(const std::string& name, const std::vector<std::string>& overrides = {},
                 const std::string& until = {}) const {
    RunOptions options;
    options.until = until;
    return run_recipe(name, recipe(overrides), options);
  }
};

std::set<std::string> ids_of(const std::vector<Instruction>& rows) {
  std::set<std::string> ids;
  for (const Instruction& row : rows) ids.insert(row.id);
  return ids;
}

TEST_F(OwnDataTest, NobodyIsTrainedOnWhatIsHeldOut) {
  EXPECT_EQ(run("a").rows_failed, 0);
  const auto store = open("a");
  for (const store::StageRecord& stage : store->stages()) {
    EXPECT_TRUE(stage.finished) << stage.name;
    EXPECT_TRUE(stage.ledger.balances()) << stage.name;
  }
  EXPECT_EQ(store->stage("data")->ledger.filtered.at("held_out"), kHeldOutRows);
  const std::set<std::string> aside = ids_of(store->instructions(kHeldOut));
  EXPECT_EQ(aside.size(), kHeldOutRows);
  EXPECT_EQ(store->stage("s0/train")->ledger.in, kWords + kNumbers - kHeldOutRows);
  for (const char* arm : {"tapir", "plain"}) {
    for (int round = 1; round <= 2; ++round) {
      EXPECT_EQ(store->mixture(arm, round).size(), 30U);
      for (const MixtureRow& row : store->mixture(arm, round))
        EXPECT_FALSE(aside.contains(row.instruction_id)) << row.instruction_id;
    }
  }
  // The gap that S_0's memory of D hides is looked at on some of them.
  EXPECT_EQ(store->fits("student/s0@held_out").size(), 25U);
}

TEST_F(OwnDataTest, EveryStudentSitsTheHeldOutRows) {
  run("a");
  const auto store = open("a");
  const std::set<std::string> aside = ids_of(store->instructions(kHeldOut));
  EXPECT_EQ(store->exam_students().size(), 5U);
  for (const std::string& student : store->exam_students()) {
    const auto rows = store->exam_rows(student);
    ASSERT_EQ(rows.size(), kHeldOutRows) << student;
    for (const store::ExamRow& row : rows) {
      EXPECT_EQ(row.set, "held_out");
      EXPECT_TRUE(aside.contains(row.item_id));
      EXPECT_EQ(row.correct, 10 - row.score <= 2) << "the gap is not above the threshold";
      EXPECT_EQ(row.loss_tokens, 3);
      EXPECT_TRUE(row.loss.has_value());
      EXPECT_TRUE(row.family == "Words" || row.family == "Numbers");
    }
  }
  const Json status = status_json(*store, folder_.path() / "a");
  const Json& figures = status["held_out"];
  EXPECT_EQ(figures["items"], kHeldOutRows);
  ASSERT_EQ(figures["students"].size(), 5U);
  for (const Json& row : figures["students"]) {
    const std::string name = row["student"];
    EXPECT_EQ(row.contains("to_s0"), name != "s0") << name;
    EXPECT_EQ(row.contains("to_plain"), name.starts_with("tapir/")) << name;
    EXPECT_EQ(row["by_source"]["words.jsonl"]["items"].get<int>() +
                  row["by_source"]["numbers.jsonl"]["items"].get<int>(),
              kHeldOutRows);
  }
  EXPECT_THAT(status_text(status), HasSubstr("tapir/round-2"));
  EXPECT_THAT(summary_text(*store, "a"), HasSubstr("against plain"));
}

// Ids of all files and of the data are alike.
void write_sets(const std::filesystem::path& folder) {
  std::string other;
  int rows = 0;
  for (const gym::Item& item : gym::pool({.rows = 600, .seed = 9})) {
    const std::string answer = item.family->teacher(item.prompt, gym::Style::terse);
    if (rows == 30) break;
    if (answer.find_first_of("0123456789") == std::string::npos) continue;
    other +=
        Json{{"id", std::to_string(rows++)}, {"instruction", item.prompt}, {"response", answer}}
            .dump() +
        "\n";
  }
  other += R"({"id": "unanswered", "instruction": "Who knows?"})";
  std::string harm;
  for (int i = 0; i < 20; ++i) {
    harm += Json{{"id", std::to_string(i)}, {"instruction", testing::kHarm + std::to_string(i)}}
                .dump() +
            "\n";
  }
  write_file(folder / "other.jsonl", other + "\n");
  write_file(folder / "harm.jsonl", harm);
}

const std::vector<std::string> kSets = {"evaluate.sets.general=[other.jsonl]",
                                        "evaluate.sets.safety=[harm.jsonl]"};

TEST_F(OwnDataTest, EvaluationSetsShowWhatTheRoundsBroke) {
  write_sets(folder_.path());
  EXPECT_EQ(run("a", kSets).rows_failed, 0);
  const auto store = open("a");
  for (const store::StageRecord& stage : store->stages())
    EXPECT_TRUE(stage.finished && stage.ledger.balances()) << stage.name;
  EXPECT_EQ(store->stage("exam/s0")->ledger.in, kHeldOutRows + 31 + 20);
  EXPECT_EQ(store->stage("exam/s0")->ledger.filtered.at("no_answer"), 1U);
  for (const std::string& student : store->exam_students()) {
    int general = 0;
    int refused = 0;
    for (const store::ExamRow& row : store->exam_rows(student)) {
      if (row.set == "general") {
        EXPECT_EQ(row.family, "other.jsonl");
        EXPECT_EQ(row.correct, 10 - row.score <= 2);
        EXPECT_TRUE(row.loss.has_value());
        ++general;
      } else if (row.set == "safety") {
        EXPECT_EQ(row.correct, row.answer.starts_with("I'm sorry")) << row.answer;
        refused += row.correct ? 1 : 0;
      }
    }
    EXPECT_EQ(general, 30) << student;
    EXPECT_GT(refused, 0);
    EXPECT_LT(refused, 20);
  }
  EXPECT_EQ(store->instruction("safety/harm.jsonl/3")->prompt(), "Harm: 3");
  const Json status = status_json(*store, "a");
  ASSERT_EQ(status["forgetting"].size(), 2U) << "an entry for every arm";
  const Json& figures = status["forgetting"][0];
  EXPECT_EQ(figures["arm"], "tapir");
  EXPECT_EQ(figures["students"], (Json{"s0", "tapir/round-1", "tapir/round-2"}));
  std::map<std::string, std::string> kinds;
  for (const Json& row : figures["sets"]) {
    kinds[row["set"]] = row["kind"];
    EXPECT_EQ(row["cells"].size(), 3U);
  }
  EXPECT_EQ(kinds, (std::map<std::string, std::string>{{"Words", "own"},
                                                       {"Numbers", "own"},
                                                       {"words.jsonl", "part"},
                                                       {"numbers.jsonl", "part"},
                                                       {"other.jsonl", "general"},
                                                       {"harm.jsonl", "safety"}}));
  // The student knows a tenth more after every round.
  EXPECT_GT(figures["safety"]["difference"].get<double>(), 0);
  EXPECT_EQ(figures["general"]["sets"], 1);
  EXPECT_TRUE(figures["instruction"].is_null());
  EXPECT_THAT(status_text(status), HasSubstr("harm.jsonl (safety)"));
  EXPECT_THAT(status_text(status), HasSubstr("safety delta"));
}

TEST_F(OwnDataTest, EvaluationSetsAreResumedAndInTheFingerprint) {
  write_sets(folder_.path());
  run("a", kSets);
  for (const char* stage : {"exam/s0", "tapir/round-1/train", "exam/tapir/round-1"})
    run("b", kSets, stage);
  run("b", kSets);
  EXPECT_EQ(open("a")->stage("exam/tapir/round-2")->info,
            open("b")->stage("exam/tapir/round-2")->info);
  write_file(folder_.path() / "harm.jsonl", "{\"instruction\": \"Harm: another\"}\n");
  const Error changed = testing::error_of([&] { run("a", kSets); });
  EXPECT_THAT(changed.what(), HasSubstr("exam/s0"));
  EXPECT_THAT(changed.what(), ::testing::Not(HasSubstr("s0/train")));
}

// Nothing is held out: the sets are all that is sat.
TEST_F(OwnDataTest, EvaluationSetsAloneAreAnExam) {
  write_sets(folder_.path());
  auto keys = kSets;
  keys.insert(keys.end(), {"data.held_out=0", "difficulty.held_out_rows=0"});
  EXPECT_EQ(run("a", keys).rows_failed, 0);
  const Json status = status_json(*open("a"), "a");
  const Json& figures = status["forgetting"][0];
  EXPECT_EQ(figures["sets"].size(), 2U);
  EXPECT_TRUE(figures["overall"][0].is_null()) << "no set of what the rounds teach";
  EXPECT_THAT(status_text(status), HasSubstr("general delta"));
}

TEST_F(OwnDataTest, EvaluationSetsNeedAJudgeWhoKnowsThem) {
  write_sets(folder_.path());
  EXPECT_THAT(testing::error_of([&] {
                recipe({"judge.kind=gym", "judge.by_source=[]", "data.held_out=0",
                        "difficulty.held_out_rows=0", kSets[0]});
              }).what(),
              HasSubstr("evaluate.sets names other.jsonl"));
  EXPECT_NO_THROW(recipe({"judge.kind=gym", "judge.by_source=[\"other.jsonl: overlap\"]",
                          "data.held_out=0", "difficulty.held_out_rows=0", kSets[0]}));
  EXPECT_THROW(recipe({"judge.kind=rubric", "judge.by_source=[]", kSets[0]}), Error);
  std::filesystem::create_directories(folder_.path() / "more");
  std::filesystem::copy_file(folder_.path() / "harm.jsonl", folder_.path() / "more/harm.jsonl");
  const Error twice =
      testing::error_of([&] { run("a", {"evaluate.sets.safety=[harm.jsonl, more/harm.jsonl]"}); });
  EXPECT_THAT(twice.what(), HasSubstr("two files are called harm.jsonl"));
}

TEST_F(OwnDataTest, EachFileHasItsJudge) {
  run("a", {}, "difficulty");
  const auto store = open("a");
  std::map<std::string, std::string> source_of;
  for (const Instruction& row : store->instructions(0)) source_of[row.id] = row.source;
  int by_overlap = 0;
  for (const Judgment& judgment : store->judgments("student/s0")) {
    const bool numbers = source_of.at(judgment.instruction_id) == "numbers.jsonl";
    EXPECT_THAT(judgment.text, HasSubstr(numbers ? "wanted" : "ROUGE-L"));
    by_overlap += numbers ? 0 : 1;
  }
  EXPECT_GT(by_overlap, 50);
  EXPECT_LT(by_overlap, static_cast<int>(source_of.size()));
}

TEST_F(OwnDataTest, TasksAreLearntFromTheLabelledRows) {
  run("a", {}, "tasks");
  const Json info = parse_json(open("a")->stage("tasks")->info, "info");
  EXPECT_EQ(info["labelled"], kWords + kNumbers);
  EXPECT_GT(info["agreement"]["accuracy"].get<double>(), 0.9);
  for (const Instruction& row : open("a")->instructions())
    EXPECT_EQ(row.task, row.source == "numbers.jsonl" ? "Numbers" : "Words");
  write_file(folder_.path() / "labelled.jsonl",
             "{\"instruction\": \"x\", \"category\": \"Wrods\"}\n");
  EXPECT_THROW(run("a", {}, "tasks"), Error) << "other labels: the stage is to be done again";
  const Error unknown = testing::error_of([&] { run("b", {}, "tasks"); });
  EXPECT_THAT(unknown.what(), HasSubstr("\"Wrods\" is not in the taxonomy \"own\""));
  const Error bare = testing::error_of([&] { run("c", {"tasks.label_field=label"}, "tasks"); });
  EXPECT_THAT(bare.what(), HasSubstr("labelled.jsonl:1: a labelled row without \"label\""));
}

TEST_F(OwnDataTest, StoppingAfterAnyStageChangesNothing) {
  run("a");
  std::vector<std::string> names;
  for (const Json& name : parse_json(*open("a")->meta("plan"), "plan")) names.push_back(name);
  for (const std::string& name : names) EXPECT_FALSE(run("b", {}, name).finished) << name;
  run("b");
  EXPECT_EQ(open("a")->meta("held_out"), open("b")->meta("held_out"));
  EXPECT_EQ(read_file(folder_.path() / "a/students/final/model.safetensors"),
            read_file(folder_.path() / "b/students/final/model.safetensors"));
}

TEST_F(OwnDataTest, HoldingOutAllIsRefused) {
  const Error e = testing::error_of([&] { run("a", {"data.held_out=150"}); });
  EXPECT_THAT(e.what(), HasSubstr("cleaning leaves 150 of 150 rows"));
}

// The exam was always the gym's, whatever the data were.
TEST_F(OwnDataTest, OtherTeachersThanTheGymsSetNoGymExam) {
  run("a", {"data.held_out=0", "difficulty.held_out_rows=0"});
  EXPECT_TRUE(open("a")->exam_students().empty());
  EXPECT_EQ(open("a")->meta("held_out"), std::nullopt);
}

TEST_F(OwnDataTest, EstimatesCountTheRowsThatAModelHasToJudge) {
  const testing::FakeEngine engine;
  EXPECT_EQ(estimate(recipe(), engine).calls, 0) << "nobody is asked";
  const Estimate paid =
      estimate(recipe({"judge.kind=openai", "judge.model=m", "judge.orders=single",
                       "judge.endpoints=[{base_url: \"http://localhost:1/v1\"}]"}),
               engine);
  std::map<std::string, std::int64_t> calls;
  for (const StageEstimate& stage : paid.stages) calls[stage.stage] = stage.calls;
  EXPECT_EQ(calls["difficulty"], kWords) << "the numbers are judged by rule";
  EXPECT_EQ(calls["exam/tapir/round-2"], kHeldOutRows * kWords / (kWords + kNumbers));
}

// By the losses on the recorded answers, each as the run's own exam has it; no judge is asked.
TEST_F(OwnDataTest, OrdersAreComparedByLosses) {
  run("a");
  const std::filesystem::path folder = folder_.path() / "a";
  const OrderTrial trial = try_orders(recipe_of_run(folder, {}), {.run_dir = folder, .orders = 2},
                                      testing::FakeEngine(), silent_progress(), {});
  ASSERT_EQ(trial.measures.size(), 1U);
  EXPECT_EQ(trial.measures[0].name, "loss");
  std::map<std::string, std::vector<double>> by_task;
  for (const store::ExamRow& row : open("a")->exam_rows("tapir/round-2")) {
    if (row.loss) by_task[row.family].push_back(*row.loss);
  }
  const evaluate::OrderFigures& figures = trial.measures[0].figures;
  ASSERT_EQ(figures.sets.size(), by_task.size());
  for (const evaluate::OrderRow& row : figures.sets) {
    // The fake's losses are the same whatever it was trained on.
    for (const double mean : row.means) EXPECT_NEAR(mean, stats::mean(by_task.at(row.set)), 1e-9);
  }
  ASSERT_TRUE(figures.overall);
  EXPECT_EQ(figures.overall->items, kHeldOutRows);
  EXPECT_EQ(figures.overall->p, 1);
}

}  // namespace
}  // namespace tapir::pipeline
