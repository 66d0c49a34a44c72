// The floor under new instructions in a run, with a student that needs no torch.
#include <algorithm>

#include <gmock/gmock.h>

#include "base/json.h"
#include "error_of.h"
#include "pipeline/floor_figures.h"
#include "pipeline/status.h"
#include "pipeline_fixture.h"

namespace tapir::pipeline {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kFloor = "tapir/round-1/floor";

class FloorTest : public RunTest {
 protected:
  Recipe recipe(const std::vector<std::string>& overrides = {}) const {
    return parsed(
        "student: {model_name_or_path: base}\n"
        "data: {gym: {rows: 300}}\n"
        "difficulty: {pilot_rows: 40}\n"
        "tasks: {taxonomy: gym, label_rows: 100}\n"
        "curriculum: {rounds: 2, rows: 1000, alpha: 0.5}\n"
        "train: {batch_tokens: 128, tokens: 4000}\n"
        "evaluate: {exam: {uniform: 20, pool: 10, beyond: 10}}\n",
        overrides);
  }

  // Ends after the last mixture.
  void teach(const std::string& name, const std::vector<std::string>& overrides,
             ProgressSink& progress = silent_progress(), std::stop_token stop = {}) const {
    RunOptions options;
    options.until = "tapir/round-2/mix";
    run_recipe(name, recipe(overrides), options, progress, stop);
  }

  static std::uint64_t kept_rows(const store::RunStore& store, int round) {
    const auto rows = store.teach_rows("tapir");
    return static_cast<std::uint64_t>(std::count_if(rows.begin(), rows.end(), [&](const auto& row) {
      return row.round == round && row.outcome == "kept";
    }));
  }

  static Json info_of(const store::RunStore& store, const std::string& stage) {
    return parse_json(store.stage(stage)->info, stage);
  }

  // Everything that the floor of round 1 and the mixtures after it hold.
  static std::string rows_of(const store::RunStore& store) {
    std::string text = info_of(store, kFloor)["floor"].dump() + "\n";
    for (const auto& [id, outcome] : store.outcomes(kFloor))
      text += id + std::string(to_string(outcome)) + "\n";
    for (const Judgment& judgment : store.judgments("student/s0@tapir/round-1/floor"))
      text += judgment.instruction_id + std::string(to_string(judgment.order)) + judgment.text;
    return text + mixtures_of(store);
  }

  static std::string mixtures_of(const store::RunStore& store) {
    std::string text;
    for (int round = 1; round <= 2; ++round) {
      for (const MixtureRow& row : store.mixture("tapir", round))
        text += row.instruction_id + row.author + row.task + "\n";
    }
    return text;
  }
};

TEST_F(FloorTest, ASampleOfEachTasksNewPairsIsJudgedAndGoodOnesStay) {
  teach("with", {"teach.floor.rows=4"});
  const auto store = open("with");
  for (int round = 1; round <= 2; ++round) {
    const std::string stage = "tapir/round-" + std::to_string(round) + "/floor";
    const Ledger ledger = store->stage(stage)->ledger;
    EXPECT_TRUE(ledger.balances());
    EXPECT_EQ(ledger.in, kept_rows(*store, round));
    EXPECT_EQ(ledger.done, ledger.in) << "the gym's teacher is exact";
    const Json floor = info_of(*store, stage)["floor"];
    std::int64_t judged = 0;
    for (const Json& task : floor["tasks"]) {
      EXPECT_EQ(task["judged"], std::min<std::int64_t>(4, task["rows"].get<std::int64_t>()));
      EXPECT_EQ(task["verdict"], "stands");
      EXPECT_DOUBLE_EQ(task["mean"].get<double>(), 10);
      judged += task["judged"].get<std::int64_t>();
    }
    EXPECT_EQ(floor["judged"], judged);
    EXPECT_EQ(floor["filtered"], 0);
    EXPECT_EQ(store->fits("student/s0@" + stage).size(), static_cast<std::size_t>(judged));
  }
  ASSERT_GT(store->stage(kFloor)->ledger.in, 20U);
  const double hard = info_of(*store, kFloor)["floor"]["hard_share"];
  EXPECT_GT(hard, 0.2) << "the fake S_0 knows half of all answers";
  EXPECT_LT(hard, 0.8);
  EXPECT_EQ(store->fits("student/s0").size(), 300U) << "they are booked apart";
  EXPECT_THAT(status_text(status_json(*store, "with")), HasSubstr("S_0 fails at"));

  teach("without", {});
  EXPECT_FALSE(open("without")->stage(kFloor));
  EXPECT_EQ(mixtures_of(*open("without")), mixtures_of(*store)) << "what passes is mixed as before";
}

TEST_F(FloorTest, TasksBelowItAreLeftOutAndCounted) {
  teach("a", {"teach.floor.rows=6", "teacher.gym.error_rate=1"});
  const auto store = open("a");
  const store::StageRecord floor = *store->stage(kFloor);
  EXPECT_TRUE(floor.ledger.balances());
  EXPECT_EQ(floor.ledger.in, kept_rows(*store, 1));
  EXPECT_GT(floor.ledger.filtered.at("task_below_floor"), 0U);
  EXPECT_GT(floor.ledger.filtered.at("answer_below_floor"), 0U);
  const Json info = info_of(*store, kFloor);
  std::uint64_t rows_below = 0;
  for (const auto& [task, one] : info["floor"]["tasks"].items()) {
    if (one["verdict"] != "below") continue;
    EXPECT_LT(one["high"].get<double>(), 6);
    EXPECT_EQ(one["filtered"], one["rows"]) << task;
    rows_below += one["rows"].get<std::uint64_t>();
  }
  EXPECT_GE(floor.ledger.filtered_total(), rows_below);
  EXPECT_EQ(info["floor"]["filtered"], floor.ledger.filtered_total());
  EXPECT_THAT(info["signs"].dump(), HasSubstr("are left out"));
  const auto outcomes = store->outcomes(kFloor);
  for (const MixtureRow& row : store->mixture("tapir", 1)) {
    const auto made = outcomes.find(row.instruction_id);
    EXPECT_TRUE(made == outcomes.end() || made->second == Outcome::done) << row.instruction_id;
  }
}

TEST_F(FloorTest, WithEnoughRowsEveryNewAnswerIsJudged) {
  teach("a", {"teach.floor.rows=1000", "teacher.gym.error_rate=0.3"});
  const auto store = open("a");
  std::map<std::string, double> scores;
  for (const Fit& fit : store->fits("student/s0@tapir/round-1/floor"))
    scores[fit.instruction_id] = fit.teacher_score;
  EXPECT_EQ(scores.size(), kept_rows(*store, 1));
  int mixed = 0;
  for (const MixtureRow& row : store->mixture("tapir", 1)) {
    if (!scores.contains(row.instruction_id)) continue;
    ++mixed;
    EXPECT_GE(scores.at(row.instruction_id), 6) << row.instruction_id;
  }
  EXPECT_GT(mixed, 10);
  EXPECT_GT(store->stage(kFloor)->ledger.filtered.at("answer_below_floor"), 0U);
}

TEST_F(FloorTest, AScoreOfOneOnlyShows) {
  teach("a", {"teach.floor={rows: 6, score: 1}", "teacher.gym.error_rate=1"});
  EXPECT_EQ(open("a")->stage(kFloor)->ledger.filtered_total(), 0U);
  teach("b", {"teach.floor={rows: 6, score: 1}", "judge.kind=overlap", "difficulty.threshold=3"});
  const auto by_rule = open("b");
  EXPECT_GT(info_of(*by_rule, kFloor)["floor"]["judged"], 0);
  for (const store::UsageRow& row : by_rule->usage()) EXPECT_NE(row.role, "judge");
}

TEST_F(FloorTest, RowsThatTheJudgeCannotScoreAreCountedAndNotMixed) {
  teach("a", {"teach.floor.rows=10", "judge.gym.malformed_rate=0.5", "judge.max_attempts=1",
              "judge.orders=single"});
  const auto store = open("a");
  const Ledger ledger = store->stage(kFloor)->ledger;
  EXPECT_TRUE(ledger.balances());
  EXPECT_EQ(ledger.in, kept_rows(*store, 1));
  EXPECT_GT(ledger.failed_total(), 5U);
  const auto outcomes = store->outcomes(kFloor);
  for (const MixtureRow& row : store->mixture("tapir", 1)) {
    const auto made = outcomes.find(row.instruction_id);
    EXPECT_TRUE(made == outcomes.end() || made->second == Outcome::done) << row.instruction_id;
  }
}

TEST(FloorFigures, WeighTasksByTheirRowsAndNameThoseBelow) {
  const std::map<std::string, difficulty::TaskFloor> floors = {
      {"Art", {.rows = 5}},
      {"Law", {.rows = 10, .judged = 5, .mean = 5.5, .interval = {4.5, 6.5}}},
      {"Math", {.rows = 30, .judged = 10, .mean = 3.25, .interval = {2.5, 4}, .hard = 9}}};
  const Json figures = floor_figures(floors, {{"Math", 30}}, 6);
  EXPECT_EQ(figures["rows"], 45);
  EXPECT_EQ(figures["judged"], 15);
  EXPECT_EQ(figures["filtered"], 30);
  EXPECT_DOUBLE_EQ(figures["hard_share"].get<double>(), 0.9 * 30 / 40) << "Art was not looked at";
  EXPECT_EQ(figures["tasks"]["Art"]["verdict"], "stands");
  EXPECT_EQ(figures["tasks"]["Law"]["verdict"], "doubtful");
  EXPECT_EQ(figures["tasks"]["Math"]["verdict"], "below");
  EXPECT_THAT(floor_warnings(figures),
              ::testing::ElementsAre(HasSubstr("below 6: Math 3.2 [2.5, 4.0] of 10 rows;"),
                                     HasSubstr("may lie below 6: Law 5.5 [4.5, 6.5] of 5 rows;")));
  EXPECT_EQ(floor_line(figures),
            "15 of 45 new rows judged, 30 left out; S_0 fails at 67.5 % of the new instructions");
  EXPECT_THAT(floor_figures_text(figures), HasSubstr("90.0 % [0.0, 100.0]"));
  const Json nothing = floor_figures({}, {}, 6);
  EXPECT_TRUE(nothing["hard_share"].is_null());
  EXPECT_TRUE(floor_warnings(nothing).empty());
  EXPECT_EQ(floor_figures_text(nothing), "floor: 0 of 0 new rows judged, 0 left out\n");
}

// Asks to stop while the judge is at the floor.
class StoppingProgress final : public ProgressSink {
 public:
  void update(const ProgressUpdate& update) override {
    if (update.stage.starts_with(std::string(kFloor) + " (") && update.done > 5)
      source.request_stop();
  }
  void message(std::string_view) override {}
  std::stop_source source;
};

TEST_F(FloorTest, GoesOnAfterAStopWithTheSameRowsAndAsksNobodyTwice) {
  const std::vector<std::string> keys = {"teach.floor.rows=8", "teacher.gym.error_rate=0.3",
                                         "judge.max_concurrent_requests=2"};
  teach("whole", keys);
  StoppingProgress progress;
  EXPECT_THROW(teach("stopped", keys, progress, progress.source.get_token()), Error);
  ASSERT_TRUE(progress.source.stop_requested());
  EXPECT_FALSE(open("stopped")->stage(kFloor)->finished);
  EXPECT_FALSE(open("stopped")->judgments("student/s0@tapir/round-1/floor").empty());
  teach("stopped", keys);
  EXPECT_EQ(rows_of(*open("stopped")), rows_of(*open("whole")));
  const auto sends = [&](const std::string& name) {
    std::int64_t sum = 0;
    for (const store::UsageRow& row : open(name)->usage())
      sum += row.stage == kFloor ? row.sends : 0;
    return sum;
  };
  EXPECT_EQ(sends("stopped"), sends("whole"));
}

TEST_F(FloorTest, ItsKeysRedoItAndWhatComesAfter) {
  teach("a", {"teach.floor.rows=4"});
  const Error e = testing::error_of([&] { teach("a", {"teach.floor.rows=5"}); });
  EXPECT_EQ(e.kind(), ErrorKind::usage);
  EXPECT_THAT(e.what(), HasSubstr(kFloor));
  EXPECT_THAT(e.what(), HasSubstr("tapir/round-1/mix"));
  EXPECT_THAT(e.what(), Not(HasSubstr("tapir/round-1/expand")));
}

TEST_F(FloorTest, OffItTouchesNoStage) {
  const auto plan = make_plan(recipe(), {});
  EXPECT_EQ(plan_fingerprint(plan),
            plan_fingerprint(make_plan(recipe({"teach.floor.score=9"}), {})));
  for (const PlannedStage& stage : plan) EXPECT_NE(stage.kind, "floor");
  const auto floors = [&](const std::vector<std::string>& keys) {
    const auto stages = make_plan(recipe(keys), {});
    return std::count_if(stages.begin(), stages.end(),
                         [](const PlannedStage& stage) { return stage.kind == "floor"; });
  };
  EXPECT_EQ(floors({"teach.floor.rows=4"}), 2);
  EXPECT_EQ(floors({"teach.floor.rows=4", "teach.expand=false"}), 0) << "there is nothing new";
  EXPECT_EQ(floors({"teach.floor.rows=4", "curriculum.rejudge=true"}), 2);
}

TEST_F(FloorTest, NeedsAJudgeWhoCanScoreNewAnswers) {
  const auto complaint = [&](const std::vector<std::string>& keys) {
    return testing::complaint_of(ErrorKind::usage, [&] { return recipe(keys); });
  };
  EXPECT_THAT(complaint({"teach.floor.rows=4", "difficulty.method=ifd"}), HasSubstr("no judge"));
  EXPECT_THAT(complaint({"teach.floor.rows=4", "judge.kind=overlap"}),
              HasSubstr("teach.floor.score: 1"));
  EXPECT_THAT(complaint({"teach.floor.rows=4", "judge.kind=rubric"}), HasSubstr("requirements"));
  EXPECT_THAT(complaint({"teach.floor.rows=-1"}), HasSubstr("teach.floor.rows"));
  EXPECT_THAT(complaint({"teach.floor.score=0"}), HasSubstr("teach.floor.score"));
}

}  // namespace
}  // namespace tapir::pipeline
