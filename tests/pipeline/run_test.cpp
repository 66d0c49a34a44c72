// The whole pipeline with a student that needs no torch.
#include "pipeline/run.h"

#include <atomic>

#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "error_of.h"
#include "gym/world.h"
#include "pipeline/export.h"
#include "pipeline/status.h"
#include "pipeline_fixture.h"

namespace tapir::pipeline {
namespace {

TEST_F(PipelineTest, EveryLedgerBalancesAndEveryPartIsThere) {
  const RunOutcome outcome = run("a");
  EXPECT_TRUE(outcome.finished);
  EXPECT_EQ(outcome.rows_failed, 0);
  const auto store = open("a");
  const Json status = status_json(*store, folder_.path() / "a");
  EXPECT_TRUE(status["finished"].get<bool>());
  for (const store::StageRecord& record : store->stages()) {
    EXPECT_TRUE(record.finished) << record.name;
    EXPECT_TRUE(record.ledger.balances()) << record.name;
  }
  EXPECT_EQ(store->stage("data")->ledger.in, 300U);
  EXPECT_GT(store->stage("select")->ledger.done, 50U);
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "a/students/round-2/model.safetensors"));
  EXPECT_TRUE(
      std::filesystem::exists(folder_.path() / "a/arms/plain/students/round-2/model.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "a/data/round-1.jsonl"));
  EXPECT_EQ(read_file(folder_.path() / "a/students/round-2/model.safetensors"), final_bytes("a"));
  EXPECT_THAT(summary_text(*store, "a"), ::testing::HasSubstr("tapir - plain"));
}

TEST_F(PipelineTest, MixturesHoldTheSharesOfStrataAndTasks) {
  run("a");
  const auto store = open("a");
  for (int round = 1; round <= 2; ++round) {
    const auto rows = store->mixture("tapir", round);
    ASSERT_EQ(rows.size(), 100U);
    const auto hard = std::count_if(rows.begin(), rows.end(),
                                    [](const auto& r) { return r.stratum == Stratum::hard; });
    // Hard rows stand in where the easy ones do not suffice, and the stage says so.
    const Json info =
        parse_json(store->stage("tapir/round-" + std::to_string(round) + "/mix")->info, "info");
    const int wanted = round == 1 ? 30 : 50;
    EXPECT_GE(hard, wanted - 1);
    EXPECT_EQ(hard > wanted + 1, !info["relaxed"].empty()) << info["relaxed"].dump();
    std::map<std::string, int> tasks;
    for (const MixtureRow& row : rows) ++tasks[row.task];
    const auto taxonomy = tasks::load_taxonomy("gym");
    for (const auto& [task, share] : taxonomy.shares())
      EXPECT_NEAR(tasks[task], 100 * share, 1.01) << task;
  }
}

// A student that knows by heart what it was trained on: without cross-fitting nothing of D is hard.
TEST_F(PipelineTest, CrossFittingSeesWhatTheStudentMemorised) {
  write_file(folder_.path() / "base/config.json", R"({"skill": 0.1, "memorises": true})");
  EXPECT_THROW(run("by_heart"), Error);
  EXPECT_TRUE(open("by_heart")->fits("student/s0").size() == 300U);
  run("crossed", {"difficulty.cross_fit=true"});
  const auto store = open("crossed");
  EXPECT_EQ(store->stage("s0/answers")->ledger.done, 300U);
  EXPECT_GT(store->stage("select")->ledger.done, 150U);
  EXPECT_EQ(store->stage("s0-a/train")->ledger.in + store->stage("s0-b/train")->ledger.in, 300U);
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "crossed/students/s0-b/model.safetensors"));
}

class CheckedProgress final : public ProgressSink {
 public:
  void update(const ProgressUpdate& update) override {
    ++updates;
    if (update.total > 0) {
      EXPECT_LE(update.done, update.total) << update.stage;
    }
  }
  void message(std::string_view) override {}
  std::atomic<int> updates = 0;
};

// The rows of one half counted as done in the other half.
TEST_F(PipelineTest, ProgressNeverPassesItsTotal) {
  CheckedProgress progress;
  pipeline::Run(recipe({"difficulty.cross_fit=true", "arms={}"}), options("a"),
                std::make_shared<testing::FakeEngine>(), progress, {})
      .go();
  EXPECT_GT(progress.updates, 300);
}

TEST_F(PipelineTest, TwoRunsAreTheSameToTheByte) {
  run("a");
  run("b");
  EXPECT_EQ(rows_of("a"), rows_of("b"));
  EXPECT_EQ(final_bytes("a"), final_bytes("b"));
}

TEST_F(PipelineTest, StoppingAfterAnyStageChangesNothing) {
  run("a");
  std::vector<std::string> names;
  for (const Json& name : parse_json(*open("a")->meta("plan"), "plan")) names.push_back(name);
  for (const std::string& name : names) {
    RunOptions until;
    until.until = name;
    EXPECT_EQ(run("b", {}, until).finished, false) << name;
  }
  EXPECT_TRUE(run("b").finished);
  EXPECT_EQ(rows_of("a"), rows_of("b"));
  EXPECT_EQ(final_bytes("a"), final_bytes("b"));
}

// An adapter's folder has no config.json: that was taken for a student that is gone.
TEST_F(PipelineTest, ARunThatTrainsAdaptersGoesOn) {
  const std::vector<std::string> lora = {"train.finetuning_type=lora", "arms={}"};
  RunOptions until;
  until.until = "s0/train";
  EXPECT_FALSE(run("a", lora, until).finished);
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "a/students/s0/adapter_config.json"));
  EXPECT_TRUE(run("a", lora).finished);
  EXPECT_TRUE(run("a", lora).finished);
  std::filesystem::remove_all(folder_.path() / "a/students/s0");
  EXPECT_THROW(run("a", lora), Error);
}

TEST_F(PipelineTest, AnUnknownStageToStopAfterIsNamed) {
  RunOptions until;
  until.until = "difficulti";
  const Error e = testing::error_of([&] { run("a", {}, until); });
  EXPECT_THAT(e.hint(), ::testing::HasSubstr("difficulty"));
}

TEST_F(PipelineTest, AChangedKeyIsRefusedListedAndThenRedoesWhatItTouches) {
  run("a");
  const Error e = testing::error_of([&] { run("a", {"evaluate.exam.pool=10"}); });
  EXPECT_EQ(e.kind(), ErrorKind::usage);
  EXPECT_THAT(e.what(), ::testing::HasSubstr("exam/s0"));
  EXPECT_THAT(e.what(), ::testing::Not(::testing::HasSubstr("s0/train")));
  EXPECT_THAT(e.hint(), ::testing::HasSubstr("--accept-changes"));
  RunOptions accept;
  accept.accept_changes = true;
  EXPECT_TRUE(run("a", {"evaluate.exam.pool=10"}, accept).finished);
  EXPECT_EQ(open("a")->stage("exam/s0")->ledger.in, 80U + 10U + 32U);
}

// Five names of files were looked at: shards, adapters and chat templates went unnoticed.
TEST_F(PipelineTest, EveryFileOfTheBaseThatMattersIsInTheFingerprint) {
  RunOptions until;
  until.until = "s0/train";
  run("a", {}, until);
  for (const char* name :
       {"model-00002-of-00002.safetensors", "chat_template.jinja", "generation_config.json",
        "special_tokens_map.json", "added_tokens.json"}) {
    const auto file = folder_.path() / "base" / name;
    write_file(file, "other");
    EXPECT_THROW(run("a", {}, until), Error) << name;
    std::filesystem::remove(file);
  }
  write_file(folder_.path() / "base/README.md", "words");
  EXPECT_FALSE(run("a", {}, until).finished);
}

// Of a data set the dataset_info.json alone was looked at, and one with a name was not found.
TEST_F(PipelineTest, ChangedFilesOfADataSetAreNoticed) {
  const auto folder = folder_.path() / "rows";
  std::filesystem::create_directories(folder / "parts");
  const auto write_rows = [&](const std::string& name, const std::string& question) {
    write_file(folder / "parts" / name,
               Json{{"instruction", question}, {"output", "4"}}.dump() + "\n");
  };
  write_rows("a.jsonl", "2 + 2?");
  write_rows("b.jsonl", "1 + 3?");
  write_file(folder / "dataset_info.json",
             R"({"one": {"file_name": "parts"}, "two": {"file_name": "parts/a.jsonl"}})");
  const std::vector<std::string> keys = {"data.gym.rows=0",
                                         "data.instructions=[rows/dataset_info.json:one]"};
  RunOptions until;
  until.until = "data";
  run("a", keys, until);
  EXPECT_EQ(open("a")->stage("data")->ledger.done, 2U);
  write_file(folder / "dataset_info.json", R"({"one": {"file_name": "parts"}})");
  EXPECT_NO_THROW(run("a", keys, until)) << "another data set";
  write_rows("b.jsonl", "3 + 1?");
  try {
    run("a", keys, until);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("\n  data "));
  }
}

TEST_F(PipelineTest, AnotherAlphaBuysNothingTwice) {
  run("a");
  std::int64_t sends = 0;
  for (const store::UsageRow& row : open("a")->usage()) sends += row.sends;
  RunOptions accept;
  accept.accept_changes = true;
  run("a", {"curriculum.alpha=0.4"}, accept);
  RunOptions reuse;
  reuse.reuse = folder_.path() / "a";
  run("c", {"curriculum.alpha=0.4"}, reuse);
  for (const store::UsageRow& row : open("c")->usage()) {
    if (row.role == "judge") {
      EXPECT_EQ(row.sends, 0);
    }
  }
  EXPECT_GT(sends, 0);
}

TEST_F(PipelineTest, RejudgingGoesThroughAndBalances) {
  EXPECT_TRUE(run("a", {"curriculum.rejudge=true", "arms={}"}).finished);
  const auto store = open("a");
  EXPECT_TRUE(store->stage("tapir/round-2/difficulty")->finished);
  EXPECT_FALSE(store->fits("student/tapir/round-1").empty());
}

// Other arms waited for the main arm's expansions before these were planned.
TEST_F(PipelineTest, ArmsThatExpandAsTheMainArmFollowItWhenItRejudges) {
  EXPECT_TRUE(run("a", {"curriculum.rejudge=true"}).finished);
  const auto store = open("a");
  const auto kept = [&](const char* arm) {
    const auto rows = store->teach_rows(arm);
    return std::count_if(rows.begin(), rows.end(),
                         [](const auto& row) { return row.outcome == "kept"; });
  };
  EXPECT_GT(kept("tapir"), 0);
  EXPECT_EQ(kept("tapir"), kept("random_fresh"));
}

TEST_F(PipelineTest, RowsThatAreNotJudgedAreInNoStratum) {
  EXPECT_TRUE(run("a", {"difficulty.rows=120", "arms={}"}).finished);
  const auto store = open("a");
  EXPECT_EQ(store->stage("difficulty")->ledger.in, 120U);
  const Ledger select = store->stage("select")->ledger;
  EXPECT_EQ(select.in, 300U);
  EXPECT_EQ(select.filtered.at("not_judged"), 180U);
}

TEST_F(PipelineTest, OneRoundOfHardRowsOnlyIsTapirS) {
  EXPECT_TRUE(run("a", {"curriculum.rounds=1", "curriculum.alpha=1", "arms={}"}).finished);
  for (const MixtureRow& row : open("a")->mixture("tapir", 1))
    EXPECT_EQ(row.stratum, Stratum::hard);
}

TEST_F(PipelineTest, PairsCanBeScoredByRule) {
  EXPECT_TRUE(run("a", {"judge.kind=overlap", "difficulty.threshold=3", "arms={}"}).finished);
  const auto store = open("a");
  EXPECT_GT(store->stage("select")->ledger.done, 50U);
  for (const store::UsageRow& row : store->usage()) EXPECT_NE(row.role, "judge");
  for (const Fit& fit : store->fits("student/s0")) EXPECT_EQ(fit.orders, 1);
}

// The fake student says "?" to what it does not know.
TEST_F(PipelineTest, RowsAreJudgedByTheirOwnRequirements) {
  std::string rows;
  for (const gym::Item& item : gym::pool({.rows = 120, .seed = 5})) {
    rows += Json{{"id", item.id},
                 {"instruction", item.prompt},
                 {"output", item.family->teacher(item.prompt, gym::Style::terse)},
                 {"components",
                  {{{"kind", "words"}, {"at_least", 1}, {"weight", 2}},
                   {{"kind", "avoid"}, {"value", "?"}}}}}
                .dump() +
            "\n";
  }
  write_file(folder_.path() / "rows.jsonl", rows);
  const std::vector<std::string> keys = {"data.gym.rows=0", "data.instructions=[rows.jsonl]",
                                         "judge.kind=rubric", "arms={}"};
  RunOptions until;
  until.until = "select";
  run("a", keys, until);
  const auto store = open("a");
  for (const Fit& fit : store->fits("student/s0")) {
    EXPECT_TRUE(fit.student_score == 1 || fit.student_score == fit.teacher_score)
        << fit.student_score;
  }
  EXPECT_GT(store->stage("select")->ledger.done, 10U);
  for (const store::UsageRow& row : store->usage()) EXPECT_NE(row.role, "judge");
  const Json components = parse_json(store->stage("difficulty")->info, "info")["components"];
  ASSERT_EQ(components.size(), 2U);
  for (const Json& kind : components)
    EXPECT_EQ(kind["components"], store->fits("student/s0").size());
  write_file(folder_.path() / "bare.jsonl", R"({"instruction": "Hi?", "output": "Hi"})"
                                            "\n");
  auto without = keys;
  without[1] = "data.instructions=[bare.jsonl]";
  EXPECT_THAT(testing::complaint_of(ErrorKind::data, [&] { return run("b", without, until); }),
              ::testing::HasSubstr("not one row of data.instructions has requirements"));
  EXPECT_THROW(recipe({"judge.kind=rubric"}), Error) << "the gym's rows bring no requirements";
  EXPECT_THROW(recipe({"judge.kind=rubric", "data.gym.rows=0", "data.instructions=[rows.jsonl]",
                       "judge.rubric.role=teacher"}),
               Error);
  EXPECT_THROW(recipe({"judge.kind=rubric", "data.gym.rows=0", "data.instructions=[rows.jsonl]",
                       "judge.rubric.role=auditor"}),
               Error)
      << "the gym's judge knows pairs only";
  EXPECT_THROW(recipe({"teach.layers=2"}), Error) << "the gym's teacher composes nothing";
}

TEST_F(PipelineTest, AStudentThatAlwaysSaysTheSameIsNamed) {
  run("a", {"arms={}"});
  const auto store = open("a");
  const Json info = parse_json(store->stage("exam/s0")->info, "info");
  const Json& outputs = info["outputs"];
  EXPECT_EQ(outputs["commonest_text"], "?");
  EXPECT_EQ(outputs["answers"], 80);
  ASSERT_GE(outputs["commonest_share"].get<double>(), 0.5) << "S_0 knows little";
  EXPECT_THAT(info["signs"].dump(), ::testing::HasSubstr("answers are the same text"));
  const Json mix = parse_json(store->stage("tapir/round-1/mix")->info, "info");
  EXPECT_EQ(mix["near_copies"], 0) << "what is kept for exams is not trained on";
}

TEST_F(PipelineTest, ACheapJudgeIsAudited) {
  const std::vector<std::string> settings = {"judge.gym.noise=4", "judge.orders=single",
                                             "judge.audit={role: auditor, rows: 60}", "arms={}"};
  EXPECT_TRUE(run("a", settings).finished);
  const auto store = open("a");
  const auto audit = store->stage("difficulty/audit");
  ASSERT_TRUE(audit);
  EXPECT_EQ(audit->ledger.in, 60U);
  EXPECT_EQ(audit->ledger.done, 60U);
  const Json figures = parse_json(audit->info, "info")["audit"];
  EXPECT_EQ(figures["rows"], 60);
  EXPECT_LT(figures["agreement"].get<double>(), 1.0) << "noise of 4 points is not harmless";
  EXPECT_GT(figures["agreement"].get<double>(), 0.5);
  EXPECT_LT(figures["low"].get<double>(), figures["agreement"].get<double>());
  const std::string status = status_text(status_json(*store, "a"));
  EXPECT_THAT(status, ::testing::HasSubstr("audit: judge and auditor agree on who is kept in"));
  EXPECT_THAT(status, ::testing::HasSubstr("replies read"));
  EXPECT_EQ(store->fits("student/s0").size(), 300U) << "the audit's fits are booked apart";
  // Its keys touch no other stage.
  RunOptions accept;
  accept.accept_changes = true;
  auto larger = settings;
  larger[2] = "judge.audit={role: auditor, rows: 70}";
  EXPECT_TRUE(run("a", larger, accept).finished);
  EXPECT_EQ(open("a")->stage("difficulty/audit")->ledger.in, 70U);
}

TEST_F(PipelineTest, AnAuditNeedsSomebodyWhoCanJudge) {
  EXPECT_THROW(recipe({"judge.audit.role=teacher"}), Error) << "the gym's teacher does not judge";
  EXPECT_THROW(recipe({"judge.audit.role=auditor", "difficulty.method=ifd"}), Error);
}

TEST_F(PipelineTest, LossesOfTheStudentCanTakeTheJudgesPlace) {
  const std::vector<std::string> settings = {"difficulty.method=ifd", "difficulty.ifd_share=0.4",
                                             "arms={}"};
  EXPECT_TRUE(run("a", settings).finished);
  const auto store = open("a");
  EXPECT_FALSE(store->stage("s0/answers")) << "no answers are needed";
  EXPECT_EQ(store->stage("difficulty")->ledger.done, 300U);
  const Ledger select = store->stage("select")->ledger;
  EXPECT_EQ(select.done, 120U);
  EXPECT_GT(select.filtered.at("instruction_no_help"), 0U);
  for (const Fit& fit : store->fits("student/s0")) EXPECT_TRUE(fit.ifd);
  for (const store::UsageRow& row : store->usage()) EXPECT_NE(row.role, "judge");
  EXPECT_TRUE(run("b", {"difficulty.method=ifd", "difficulty.cross_fit=true", "arms={}"}).finished);
  EXPECT_TRUE(run("c", {"difficulty.method=ifd", "curriculum.rejudge=true", "arms={}"}).finished);
  EXPECT_FALSE(open("c")->fits("student/tapir/round-1").empty());
}

TEST_F(PipelineTest, NoisyAndUnreadableJudgesAreCounted) {
  run("a",
      {"judge.gym.malformed_rate=0.6", "judge.max_attempts=1", "judge.orders=single", "arms={}"});
  const auto ledger = open("a")->stage("difficulty")->ledger;
  EXPECT_TRUE(ledger.balances());
  EXPECT_GT(ledger.failed_total(), 50U);
  EXPECT_EQ(open("a")->stage("select")->ledger.filtered.at("not_judged"), ledger.failed_total());
}

TEST_F(PipelineTest, InterruptedRunsSaveAndGoOn) {
  std::stop_source source;
  source.request_stop();
  const Error e = testing::error_of([&] { run("a", {}, {}, source.get_token()); });
  EXPECT_EQ(e.kind(), ErrorKind::interrupted);
  EXPECT_TRUE(run("a").finished);
}

TEST_F(PipelineTest, ASecondRunOnALiveFolderIsRefused) {
  const pipeline::Run holder(recipe(), options("a"), std::make_shared<testing::FakeEngine>(),
                             silent_progress(), {});
  const Error e = testing::error_of([&] { run("a"); });
  EXPECT_EQ(e.kind(), ErrorKind::usage);
  EXPECT_THAT(e.what(), ::testing::HasSubstr(std::to_string(::getpid())));
}

TEST_F(PipelineTest, KilledAtRandomMomentsEndsTheSame) {
  run("a");
  for (int kill = 0; kill < 12; ++kill) {
    const pid_t child = ::fork();
    if (child == 0) {
      run("b");
      ::_exit(0);
    }
    ::usleep(static_cast<useconds_t>(RandomStream(5, "kill", std::to_string(kill)).below(400000)));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
  }
  EXPECT_TRUE(run("b").finished);
  EXPECT_EQ(rows_of("a"), rows_of("b"));
  EXPECT_EQ(final_bytes("a"), final_bytes("b"));
}

// A row and its outcome are two writes: a kill may come between them.
TEST_F(PipelineTest, ARowWhoseOutcomeWasLostIsCountedAgain) {
  run("a");
  for (const char* stage : {"exam/s0", "s0/answers"}) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((folder_.path() / "a/run.db").c_str(), &db), SQLITE_OK);
    const std::string lose = std::string("DELETE FROM outcomes WHERE stage = '") + stage +
                             "' AND row_id IN (SELECT row_id FROM outcomes WHERE stage = '" +
                             stage + "' LIMIT 3); UPDATE stages SET finished = 0 WHERE name = '" +
                             stage + "'";
    EXPECT_EQ(sqlite3_exec(db, lose.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(db);
    EXPECT_TRUE(run("a").finished);
    EXPECT_TRUE(open("a")->stage(stage)->ledger.balances());
  }
}

TEST_F(PipelineTest, ExportsWriteWhatTheMixturesHold) {
  run("a");
  const auto store = open("a");
  EXPECT_EQ(export_data(*store, {"messages", "tapir", folder_.path() / "out"}), 200);
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "out/README.md"));
  EXPECT_EQ(export_data(*store, {"alpaca", "plain", folder_.path() / "out2"}), 200);
}

TEST_F(PipelineTest, InspectShowsOneRecordWhole) {
  run("a");
  const auto store = open("a");
  const std::string id = store->fits("student/s0").front().instruction_id;
  const Json record = inspect_json(*store, id);
  EXPECT_FALSE(record["judgments"].empty());
  EXPECT_THAT(inspect_text(record), ::testing::HasSubstr("student/s0"));
  EXPECT_THROW(inspect_json(*store, "no-such-id"), Error);
}

}  // namespace
}  // namespace tapir::pipeline
