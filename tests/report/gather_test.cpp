// The figures of the report, apart from HTML.
#include "report/gather.h"

#include <cmath>

#include <gmock/gmock.h>

#include "base/file.h"
#include "empty_store.h"
#include "pipeline/evaluation_sets.h"
#include "pipeline/forgetting_figures.h"
#include "report/example_run.h"
#include "report/report.h"
#include "test_data.h"

namespace tapir::report {
namespace {

using tapir::testing::ExampleRun;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

store::ExamRow answer(const std::string& student, const std::string& id, const std::string& family,
                      bool right, const std::string& set = "uniform", int level = 1) {
  return {student, id, set, family, level, "answer " + id, right, right ? 10.0 : 3.0};
}

TEST(ParseStudent, NamesOfStudents) {
  EXPECT_EQ(parse_student("s0").round, 0);
  EXPECT_EQ(parse_student("tapir/round-12").arm, "tapir");
  EXPECT_EQ(parse_student("tapir/round-12").round, 12);
  for (const char* other :
       {"", "tapir", "tapir/round-", "tapir/round-x", "tapir/round-0", "/round-1", "s0@held_out"}) {
    EXPECT_LT(parse_student(other).round, 0) << other;
  }
}

TEST(FindArms, LadderOrderWithTheMainArmLast) {
  EmptyStore store;
  store->set_meta("arms", R"(["tapir","random_fresh","zebra","plain","refined"])");
  EXPECT_THAT(find_arms(*store.store).names,
              ElementsAre("plain", "refined", "random_fresh", "zebra", "tapir"));
  EXPECT_EQ(find_arms(*store.store).main, "tapir");
  store->set_meta("arms", "not JSON [");
  EXPECT_THAT(find_arms(*store.store).names, IsEmpty());
}

constexpr const char* kConstantStudent = R"({"outputs": {"who": "tapir/round-1", "asked": 100,
    "answers": 100, "blank": 0, "duplicate_share": 1.0, "commonest_share": 1.0,
    "commonest_text": "<always> this", "median_length": 13,
    "reference": {"duplicate_share": 0.1, "commonest_share": 0.05, "median_length": 40}},
    "signs": ["tapir/round-1: 100.0 % of 100 answers are the same text: \"<always> this\""]})";

TEST(Signs, AreGatheredFromTheStagesAndStandLoudInThePage) {
  EmptyStore store;
  store->begin_stage("exam/tapir/round-1", "f");
  store->finish_stage("exam/tapir/round-1", {.in = 100, .done = 100}, 1, kConstantStudent);
  store->begin_stage("tapir/round-1/mix", "f");
  store->finish_stage("tapir/round-1/mix", {.in = 10, .done = 10}, 1,
                      R"({"near_copies": 2, "signs": ["2 of 10 rows are near-copies"]})");
  store->begin_stage("responses", "f");
  store->finish_stage("responses", {.in = 5, .done = 4, .failed = {{"length", 1}}}, 1, "");
  const ReportData data = store.gathered();
  ASSERT_THAT(data.signs.outputs, SizeIs(1));
  EXPECT_EQ(data.signs.outputs[0].commonest_share, 1);
  EXPECT_EQ(data.signs.outputs[0].right->median_length, 40);
  EXPECT_EQ(data.signs.near_copies, 2);
  EXPECT_THAT(data.signs.warnings,
              ElementsAre(::testing::HasSubstr("are the same text"), "2 of 10 rows are near-copies",
                          "responses: 1 of 5 rows failed and are missing"));
  const std::string html = render_html(data);
  EXPECT_THAT(html, ::testing::HasSubstr("3 things are off"));
  EXPECT_THAT(html, ::testing::HasSubstr("&lt;always&gt; this"));
}

TEST(Signs, NothingOffIsSaidToo) {
  EmptyStore store;
  store->begin_stage("exam/s0", "f");
  store->finish_stage("exam/s0", {.in = 1, .done = 1}, 1,
                      R"({"outputs": {"who": "s0", "asked": 1, "answers": 1}, "signs": []})");
  const ReportData data = store.gathered();
  EXPECT_THAT(data.signs.warnings, IsEmpty());
  EXPECT_THAT(render_html(data), ::testing::HasSubstr("Nothing is off"));
}

TEST(Outcome, MacroAccuracyAndPairedDifferences) {
  EmptyStore store;
  store->set_meta("arms", R"(["tapir","plain"])");
  store->set_meta("rounds", "2");
  store->begin_stage("exam", "f");
  // Family a has four items, family b one: each counts one half.
  for (const auto& [student, a_right, b_right] : {std::tuple{"s0", 1, false},
                                                  {"plain/round-2", 2, false},
                                                  {"tapir/round-1", 0, false},
                                                  {"tapir/round-2", 3, true}}) {
    for (int i = 0; i < 4; ++i) {
      store->put_exam_row(
          "exam", answer(student, std::string("a").append(std::to_string(i)), "a", i < a_right));
    }
    store->put_exam_row("exam", answer(student, "b", "b", b_right));
    store->put_exam_row("exam", answer(student, "b", "b", true, "pool"));
  }
  const Outcome outcome = store.gathered().outcome;
  ASSERT_THAT(outcome.students, SizeIs(3));
  EXPECT_EQ(outcome.students[0].label, "S\xE2\x82\x80");
  EXPECT_DOUBLE_EQ(outcome.students[0].sets.at("uniform").accuracy, 0.125);
  EXPECT_DOUBLE_EQ(outcome.students[0].sets.at("pool").accuracy, 1);
  const StudentResult* main = outcome.main();
  ASSERT_NE(main, nullptr);
  EXPECT_EQ(main->student, "tapir/round-2") << "the last round";
  EXPECT_EQ(main->label, "tapir");
  EXPECT_DOUBLE_EQ(main->sets.at("uniform").accuracy, 0.875);
  EXPECT_DOUBLE_EQ(main->to_s0->value, 0.75);
  EXPECT_DOUBLE_EQ(main->to_plain->value, 0.625);
  EXPECT_DOUBLE_EQ(main->to_previous->value, 0.625);
  EXPECT_EQ(main->to_s0->items, 5);
  EXPECT_DOUBLE_EQ(main->to_s0->win_rate, (3 * 1.0 + 2 * 0.5) / 5);
  // Three differences of one, weights 1/4, 1/4, 1: of 8 sign patterns only all plus and all minus
  // reach the sum.
  EXPECT_DOUBLE_EQ(main->to_s0->p, 2.0 / 8);
  EXPECT_FALSE(outcome.students[0].to_s0.has_value());
}

// As the pipeline writes them (pipeline/held_out_figures.h).
constexpr const char* kHeldOutFigures = R"({
  "items": 40, "reference": {"characters": 12.5}, "students": [
    {"student": "plain/round-1", "items": 40, "loss": 2.5, "score": 4, "reached": 0.25,
     "characters": 30, "by_source": {},
     "to_s0": {"items": 40, "loss": {"difference": -0.25, "interval": [-0.5, -0.125], "p": 0.01},
               "wins": {"share": 0.75, "interval": [0.5, 0.875], "ties": 3},
               "characters": {"difference": 5, "interval": [4, 6], "p": 0.01}}},
    {"student": "s0", "items": 40, "loss": 2.75, "score": 3, "reached": 0.125, "characters": 25,
     "by_source": {"a.jsonl": {"items": 30, "loss": 3, "score": 2, "reached": 0,
                               "characters": 20},
                   "<b>.jsonl": {"items": 10, "loss": 2, "score": 6, "reached": 0.5,
                                 "characters": 40}}}]})";

TEST(HeldOutRows, FiguresOfTheRunAreShown) {
  EmptyStore store;
  EXPECT_FALSE(store.gathered().held_out.has_value());
  store->set_meta("arms", R"(["plain"])");
  store->set_meta("rounds", "1");
  store->set_meta("held_out", kHeldOutFigures);
  const ReportData data = store.gathered();
  ASSERT_TRUE(data.held_out.has_value());
  EXPECT_EQ(data.held_out->items, 40);
  ASSERT_THAT(data.held_out->students, SizeIs(2));
  EXPECT_EQ(data.held_out->students[0].label, "S\xE2\x82\x80") << "before the arms";
  EXPECT_EQ(data.held_out->students[0].by_source.at("a.jsonl").items, 30);
  const HeldOutStudent& plain = data.held_out->students[1];
  EXPECT_EQ(plain.to_s0->loss, -0.25);
  EXPECT_EQ(plain.to_s0->loss_interval.high, -0.125);
  EXPECT_EQ(plain.to_s0->ties, 3);
  EXPECT_EQ(plain.to_s0->characters, 5);
  EXPECT_FALSE(plain.to_plain.has_value());
  const std::string html = render_html(data);
  EXPECT_THAT(html, ::testing::HasSubstr("href=\"#held-out\""));
  EXPECT_THAT(html, ::testing::HasSubstr("-0.250"));
  EXPECT_THAT(html, ::testing::HasSubstr("&lt;b&gt;.jsonl"));
  EXPECT_THAT(render_html({}), ::testing::Not(::testing::HasSubstr("#held-out")));
}

TEST(HeldOutRows, SpeakForTheExamWhereTheGymsWasNotSat) {
  EmptyStore store;
  store->set_meta("arms", R"(["tapir"])");
  store->set_meta("rounds", "1");
  store->begin_stage("exam", "f");
  for (const std::string student : {"s0", "tapir/round-1"}) {
    store->put_exam_row("exam", answer(student, "1", "Math", student != "s0", "held_out", 0));
    store->put_exam_row("exam", answer(student, "2", "Math", false, "held_out", 0));
  }
  const ReportData data = store.gathered();
  EXPECT_EQ(data.outcome.headline_set, "held_out");
  EXPECT_DOUBLE_EQ(data.outcome.main()->to_s0->value, 0.5);
  EXPECT_THAT(render_html(data), ::testing::HasSubstr("reaches the recorded answer on <b>50.0"));
  store->put_exam_row("exam", answer("s0", "3", "add", true));
  EXPECT_EQ(store.gathered().outcome.headline_set, "uniform");
}

TEST(Outcome, TheStudentThatTheGateSettledOn) {
  EmptyStore store;
  store->set_meta("rounds", "3");
  store->set_meta("final", "tapir/round-1");
  store->begin_stage("exam", "f");
  for (const char* student : {"s0", "tapir/round-1", "tapir/round-2"}) {
    store->put_exam_row("exam", answer(student, "a", "a", true));
  }
  const Outcome outcome = store.gathered().outcome;
  ASSERT_NE(outcome.main(), nullptr);
  EXPECT_EQ(outcome.main()->student, "tapir/round-1");
  EXPECT_EQ(outcome.main()->label, "tapir (round 1)");
}

TEST(Curves, RoundsGoOnAndABrokenLineIsLeftOut) {
  EmptyStore store;
  store->set_meta("arms", R"(["tapir"])");
  store->set_meta("rounds", "2");
  const auto folder = store.folder.path() / "metrics";
  std::filesystem::create_directories(folder);
  write_file(folder / "tapir-round-1.jsonl",
             "{\"step\":1,\"loss\":2.0,\"tokens\":100}\n\n{\"step\":2,\"loss\":1.0,\"tokens\":200}"
             "\n{\"step\":3,\"lo");
  write_file(folder / "tapir-round-2.jsonl",
             "{\"step\":1,\"loss\":0.5,\"tokens\":100}\n[1]\n{\"loss\":null}\n");
  const auto curves = store.gathered().curves;
  ASSERT_THAT(curves, SizeIs(1));
  ASSERT_THAT(curves[0].points, SizeIs(3));
  EXPECT_EQ(curves[0].points[2].tokens, 300);
  EXPECT_EQ(curves[0].points[2].step, 3);
  EXPECT_EQ(curves[0].points[2].loss, 0.5);
  EXPECT_THAT(curves[0].round_starts, ElementsAre(200));
}

TEST(Forgetting, TheLastRoundsFiguresOfEachArm) {
  EmptyStore store;
  store->set_meta("arms", R"(["tapir"])");
  store->begin_stage("exam", "f");
  for (const auto& [student, a, b] : {std::tuple{"s0", false, true},
                                      {"tapir/round-1", true, true},
                                      {"tapir/round-2", true, false}}) {
    store->put_exam_row("exam", answer(student, "a", "fa", a));
    store->put_exam_row("exam", answer(student, "b", "fb", b));
    if (student == std::string("tapir/round-1")) continue;  // its judgment could not be read
    store->put_exam_row("exam", answer(student, "c", "chat.jsonl", a, "general"));
  }
  const std::vector<std::string> students = {"s0", "tapir/round-1", "tapir/round-2"};
  std::vector<evaluate::Sitting> sittings;
  for (int round = 0; round < 3; ++round) {
    sittings.push_back(
        pipeline::sitting_of(store->exam_rows(students[static_cast<std::size_t>(round)]), {}));
    if (round == 0) continue;
    const std::string stage = "exam/" + students[static_cast<std::size_t>(round)];
    store->begin_stage(stage, "f");
    store->finish_stage(
        stage, {.in = 1, .done = 1}, 1,
        Json{{pipeline::kForgettingFigures,
              pipeline::forgetting_json(evaluate::forgetting(sittings, 1), "tapir",
                                        {students.begin(), students.begin() + round + 1})}}
            .dump());
  }
  const ReportData data = store.gathered();
  ASSERT_THAT(data.forgetting, SizeIs(1));
  const ArmForgetting& arm = data.forgetting[0];
  EXPECT_THAT(arm.students, ElementsAre("s0", "tapir/round-1", "tapir/round-2"));
  ASSERT_THAT(arm.rows, SizeIs(3));
  EXPECT_EQ(arm.rows[1].set, "fb");
  EXPECT_EQ(arm.rows[1].cells[1]->accuracy, 1);
  EXPECT_EQ(arm.rows[1].cells[2]->accuracy, 0);
  EXPECT_LT(arm.rows[1].cells[1]->interval.low, 0.3) << "one item tells little";
  EXPECT_EQ(arm.rows[1].last_minus_best, -1);
  EXPECT_EQ(arm.rows[0].last_minus_first, 1);
  EXPECT_EQ(arm.rows[2].kind, "general");
  EXPECT_FALSE(arm.rows[2].cells[1].has_value());
  EXPECT_EQ(arm.overall[2]->accuracy, 0.5);
  EXPECT_EQ(arm.backward_transfer->difference, 0);
  EXPECT_EQ(arm.mean_drop, -0.5);
  EXPECT_EQ(arm.general->difference, 1);
  EXPECT_FALSE(arm.safety.has_value());
  const std::string html = render_html(data);
  EXPECT_THAT(html, ::testing::HasSubstr("chat.jsonl <small>general</small>"));
  EXPECT_THAT(html, ::testing::HasSubstr("general delta"));
  EXPECT_THAT(html, ::testing::Not(::testing::HasSubstr("safety delta")));
}

TEST(Examples, GainsLossesAndTheJudgesWords) {
  EmptyStore store;
  store->set_meta("arms", R"(["tapir"])");
  store->begin_stage("exam", "f");
  for (const auto& [id, before, after] :
       {std::tuple{"up", false, true}, {"down", true, false}, {"same", true, true}}) {
    store->put_exam_row("exam", answer("s0", id, "a", before));
    store->put_exam_row("exam", answer("tapir/round-1", id, "a", after));
  }
  store->put_instruction("exam", {"up", {{Role::user, "the question"}}, "Math", "exam", "", -1});
  store->put_response("exam", {"up", "data", "plain answer"});
  store->put_response("exam", {"up", "teacher/steps", "styled answer"});
  Judgment words = judged("up", Order::teacher_first, 0, 10, 3);
  words.author = "exam/s0";
  store->put_judgment("exam", words);
  const Examples examples = store.gathered().examples;
  ASSERT_THAT(examples.gains, SizeIs(1));
  EXPECT_EQ(examples.gains[0].id, "up");
  EXPECT_EQ(examples.gains[0].instruction, "the question");
  EXPECT_EQ(examples.gains[0].teacher, "styled answer");
  EXPECT_EQ(examples.gains[0].s0_score, 3);
  EXPECT_EQ(examples.gains[0].final_score, 10);
  ASSERT_THAT(examples.gains[0].judge, SizeIs(1));
  EXPECT_EQ(examples.gains[0].judge[0].text, "words");
  ASSERT_THAT(examples.losses, SizeIs(1));
  EXPECT_EQ(examples.losses[0].id, "down");
  EXPECT_THAT(examples.random, SizeIs(3));
}

TEST(Stages, PlanLedgerEstimateAndUsage) {
  EmptyStore store;
  store->set_meta("plan", R"(["data","difficulty","select"])");
  store->set_meta("estimate",
                  R"({"stages":{"difficulty":{"seconds":3,"calls":7,"tokens":100,"usd":1.5}}})");
  store->begin_stage("data", "f");
  store->finish_stage("data", {.in = 3, .done = 2, .filtered = {{"duplicate", 1}}}, 2, "");
  store->begin_stage("difficulty", "f");
  store->put_outcome("difficulty", "a", tapir::Outcome::failed, "unreadable");
  store::ReplyRecord reply;
  reply.key = "k";
  reply.stage = "difficulty";
  reply.role = "judge";
  reply.model = "m";
  reply.status = "ok";
  reply.prompt_tokens = 10;
  reply.completion_tokens = 5;
  store->put_reply(reply);
  const ReportData data = store.gathered();
  ASSERT_THAT(data.stages, SizeIs(3));
  EXPECT_TRUE(data.stages[0].finished);
  EXPECT_EQ(data.stages[0].ledger.filtered.at("duplicate"), 1U);
  EXPECT_TRUE(data.stages[1].begun);
  EXPECT_FALSE(data.stages[1].finished);
  EXPECT_EQ(data.stages[1].ledger.failed.at("unreadable"), 1U) << "as far as it is";
  EXPECT_EQ(data.stages[1].calls, 1);
  EXPECT_EQ(data.stages[1].tokens, 15);
  EXPECT_EQ(data.stages[1].estimated_calls, 7);
  EXPECT_EQ(data.stages[1].estimated_usd, 1.5);
  EXPECT_FALSE(data.stages[2].begun);
  EXPECT_EQ(data.run.planned, 3);
  EXPECT_EQ(data.run.finished, 1);
  EXPECT_FALSE(data.run.complete());
  ASSERT_THAT(data.usage, SizeIs(1));
  EXPECT_EQ(data.usage[0].prompt_tokens, 10);
}

TEST(Gather, AnEmptyStoreGivesEmptyFigures) {
  EmptyStore store;
  const ReportData data = store.gathered();
  EXPECT_THAT(data.outcome.students, IsEmpty());
  EXPECT_EQ(data.difficulty.rows, 0);
  EXPECT_THAT(data.teaching, IsEmpty());
  EXPECT_THAT(data.curves, IsEmpty());
  EXPECT_THAT(data.stages, IsEmpty());
  EXPECT_THAT(data.examples.random, IsEmpty());
}

TEST(Gather, EqualTokensOfTheExampleRun) {
  const tapir::testing::TemporaryFolder folder;
  const auto store = tapir::testing::make_example_run(folder.path(), ExampleRun::complete);
  const ReportData data = gather(*store, {.run_dir = folder.path()});
  ASSERT_THAT(data.tokens, SizeIs(5));
  EXPECT_EQ(data.tokens[0].arm, "");
  EXPECT_EQ(data.tokens[4].arm, "tapir");
  EXPECT_EQ(data.tokens[1].tokens, data.tokens[4].tokens);
  EXPECT_GT(data.tokens[4].teacher_tokens, 0);
  EXPECT_EQ(data.tokens[1].teacher_tokens, 0);
  EXPECT_LE(data.tokens[4].distinct_rows, data.tokens[4].rows);
  EXPECT_TRUE(data.run.complete());
}

// As the pipeline writes them (pipeline/benchmarks.h).
TEST(Gather, BenchmarksComeFromTheirStages) {
  EmptyStore store;
  const auto stage = [&](const std::string& name, const Json& figures) {
    const Json benchmark = {{"benchmark", name.substr(0, name.find('/'))},
                            {"student", name.substr(name.find('/') + 1)},
                            {"figures", figures}};
    store->begin_stage(name, "f");
    store->finish_stage(name, {.in = 3, .done = 3}, 1, Json{{"benchmark", benchmark}}.dump());
  };
  stage("alpaca_eval/s0", nullptr);
  stage("alpaca_eval/final", {{"judge", "j"},
                              {"win_rate", 40.5},
                              {"standard_error", 1.5},
                              {"length_controlled_winrate", nullptr},
                              {"n_total", 3},
                              {"missing_rows", 1},
                              {"missing_preferences", 2}});
  stage("mt_bench/final", {{"judge", "j"},
                           {"average", 6.5},
                           {"turn1", 7},
                           {"turn2", nullptr},
                           {"low", 6},
                           {"high", 7},
                           {"judgments", 5},
                           {"failed", 1}});
  const Benchmarks found = gather_benchmarks(*store.store);
  ASSERT_EQ(found.alpaca_eval.size(), 2U);
  EXPECT_FALSE(found.alpaca_eval[0].win_rate) << "nothing could be judged";
  const BenchmarkRow& alpaca = found.alpaca_eval[1];
  EXPECT_EQ(alpaca.win_rate, 40.5);
  EXPECT_FALSE(alpaca.lc);
  EXPECT_EQ(alpaca.items, 3);
  EXPECT_EQ(alpaca.failed, 3);
  ASSERT_EQ(found.mt_bench.size(), 1U);
  const BenchmarkRow& mt = found.mt_bench[0];
  EXPECT_EQ(mt.average, 6.5);
  EXPECT_FALSE(mt.turn2);
  EXPECT_EQ(mt.items, 5);
  EXPECT_EQ(mt.failed, 1);
  ASSERT_TRUE(mt.average_interval);
  EXPECT_EQ(mt.average_interval->low, 6);
}

}  // namespace
}  // namespace tapir::report
