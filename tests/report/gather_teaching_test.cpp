// What was hard, and what was taught: figures of the report, apart from HTML.
#include <gmock/gmock.h>

#include "empty_store.h"
#include "report/gather.h"
#include "report/report.h"

namespace tapir::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

TEST(Difficulty, ThresholdOrdersAndFlips) {
  EmptyStore store;
  store->begin_stage("difficulty", "f");
  for (const auto& [id, gap] : {std::pair{"a", 2.0}, {"b", 2.5}, {"c", -1.0}, {"d", 8.0}}) {
    store->put_instruction("data",
                           {id, {{Role::user, id}}, id[0] < 'c' ? "Math" : "Others", "f", "", 0});
    store->put_fit("difficulty", {id, "student/s0", 9, 9 - gap, 1, id[0] == 'd'});
  }
  // a: hard in one order only, its first attempt was replaced; b: hard in both; c: one order; d:
  // unreadable.
  store->put_judgment("difficulty", judged("a", Order::teacher_first, 0, 9, 9));
  store->put_judgment("difficulty", judged("a", Order::teacher_first, 1, 9, 6));
  store->put_judgment("difficulty", judged("a", Order::student_first, 0, 9, 8));
  store->put_judgment("difficulty", judged("b", Order::teacher_first, 0, 9, 6));
  store->put_judgment("difficulty", judged("b", Order::student_first, 0, 9, 6));
  store->put_judgment("difficulty", judged("c", Order::student_first, 0, 8, 9));
  store->put_judgment("difficulty",
                      {"d", "student/s0", Order::student_first, 0, {}, {}, "unreadable", "?"});
  store->finish_stage("difficulty", {.in = 4, .done = 4}, 1,
                      R"({"threshold":2.0,"strict":true,"band":1.5})");
  const Difficulty d = store.gathered().difficulty;
  EXPECT_EQ(d.rows, 4);
  EXPECT_EQ(d.hard, 2) << "strictly above 2";
  EXPECT_EQ(d.truncated, 1);
  EXPECT_DOUBLE_EQ(d.mean, 11.5 / 4);
  EXPECT_THAT(d.histogram, ElementsAre(std::pair(-1.0, 1), std::pair(2.0, 1), std::pair(2.5, 1),
                                       std::pair(8.0, 1)));
  ASSERT_THAT(d.by_task, SizeIs(2));
  EXPECT_EQ(d.by_task[0].task, "Math");
  EXPECT_EQ(d.by_task[0].hard, 1);
  EXPECT_EQ(d.both_orders, 2);
  EXPECT_EQ(d.flips, 1);
  EXPECT_EQ(d.unread, 1);
  EXPECT_EQ(d.band, 1.5);
  EXPECT_EQ(d.thresholds[4].threshold, 2.0);
  EXPECT_EQ(d.thresholds[4].above, 2);
  EXPECT_EQ(d.thresholds[4].at_least, 3);
}

TEST(Difficulty, HeldOutRowsAndRowsNeverReached) {
  EmptyStore store;
  store->begin_stage("difficulty", "f");
  store->put_fit("difficulty", {"a", "student/s0", 9, 1, 1, false});
  store->put_fit("difficulty", {"b", "student/s0", 9, 1, 1, false});
  store->put_fit("difficulty", {"h", "student/s0@held_out", 9, 4, 1, false});
  store->put_response("difficulty", {"a", "student/tapir/round-1", "x"});
  store->put_fit("difficulty", {"a", "student/tapir/round-1", 9, 2, 1, false});
  store->put_fit("difficulty", {"b", "student/tapir/round-1", 9, 9, 1, false});
  const Difficulty d = store.gathered().difficulty;
  ASSERT_TRUE(d.held_out.has_value());
  EXPECT_EQ(d.held_out->rows, 1);
  EXPECT_DOUBLE_EQ(d.held_out->mean, 5);
  EXPECT_EQ(d.judgings, 2);
  EXPECT_EQ(d.never_reached, 1);
}

TEST(Difficulty, WhatTheStagesSayOfTheJudge) {
  EmptyStore store;
  store->begin_stage("difficulty", "f");
  store->finish_stage("difficulty", {}, 1, R"({"judge": {"replies": 40, "read_strict": 30,
      "read_tolerant": 6, "unreadable": 3, "out_of_range": 1, "parse_rate": 0.9, "both_orders": 10,
      "position_consistency": 0.8, "position_bias": 0.25, "teacher_scores": {"9": 20, "9.5": 4},
      "student_scores": {"3": 24}, "warnings": ["it is <odd>"]}})");
  ASSERT_TRUE(store.gathered().difficulty.judge.has_value());
  EXPECT_FALSE(store.gathered().difficulty.judge->audit.has_value());
  store->begin_stage("difficulty/audit", "f");
  store->finish_stage("difficulty/audit", {}, 1, R"({"audit": {"rows": 50, "agreement": 0.9,
      "low": 0.79, "high": 0.96, "kappa": 0.7, "judge_only": 4, "auditor_only": 1}})");
  const JudgeQuality judge = *store.gathered().difficulty.judge;
  EXPECT_EQ(judge.replies, 40);
  EXPECT_EQ(judge.tolerant, 6);
  EXPECT_DOUBLE_EQ(judge.parse_rate, 0.9);
  EXPECT_DOUBLE_EQ(judge.position_consistency, 0.8);
  EXPECT_THAT(judge.teacher_scores, ElementsAre(std::pair(9.0, 20), std::pair(10.0, 4)));
  EXPECT_THAT(judge.warnings, ElementsAre("it is <odd>"));
  ASSERT_TRUE(judge.audit.has_value());
  EXPECT_EQ(judge.audit->rows, 50);
  EXPECT_DOUBLE_EQ(judge.audit->interval.low, 0.79);
}

TEST(Difficulty, RatiosOfLossesWhereNoJudgeWasAsked) {
  EmptyStore store;
  store->begin_stage("difficulty", "f");
  for (const auto& [id, ratio] : {std::pair{"a", 0.35}, {"b", 0.71}, {"c", 0.78}, {"d", 1.2}}) {
    Fit fit;
    fit.instruction_id = id;
    fit.author = "student/s0";
    fit.ifd = ratio;
    store->put_fit("difficulty", fit);
  }
  store->finish_stage("difficulty", {}, 1, R"({"method": "ifd"})");
  store->begin_stage("select", "f");
  store->finish_stage("select", {}, 1, R"({"hard": 2, "lowest": 0.71})");
  const Difficulty d = store.gathered().difficulty;
  EXPECT_EQ(d.method, "ifd");
  EXPECT_EQ(d.rows, 4);
  EXPECT_EQ(d.hard, 2) << "from 0.71 on, and below 1";
  EXPECT_EQ(d.histogram.size(), 3U);
  EXPECT_DOUBLE_EQ(d.mean, (0.35 + 0.71 + 0.78 + 1.2) / 4);
}

TEST(Teaching, TasksAndRounds) {
  EmptyStore store;
  store->set_meta("arms", R"(["tapir"])");
  store->begin_stage("data", "f");
  store->put_instruction("data", {"a", {{Role::user, "a"}}, "Math", "f", "", 0});
  store->put_instruction("data", {"b", {{Role::user, "b"}}, "Others", "f", "", 0});
  store->put_fit("data", {"a", "student/s0", 9, 1, 1, false});
  store->put_teach_row("data", {"tapir", 1, "n1", "Math", "kept", "a", ""});
  store->put_teach_row("data", {"tapir", 1, "n2", "Math", "near_duplicate", "a", "again"});
  store->put_teach_row("data", {"tapir", 1, "n3", "Math", "near_duplicate", "a", "again"});
  store->begin_stage("tapir/round-1/mix", "f");
  store->put_mixture("tapir/round-1/mix", "tapir", 1,
                     {{"a", "data", Stratum::hard, "Math", 0},
                      {"a", "data", Stratum::hard, "Math", 1},
                      {"n1", "data", Stratum::hard, "Math", 0},
                      {"b", "data", Stratum::easy, "Others", 0}});
  store->finish_stage(
      "tapir/round-1/mix", {.in = 4, .done = 4}, 1,
      R"({"alpha":0.75,"shares":{"Math":[0.6,0.75],"Others":[0.4,0.25]},"relaxed":["words"]})");
  const auto teaching = store.gathered().teaching;
  ASSERT_THAT(teaching, SizeIs(1));
  ASSERT_THAT(teaching[0].tasks, SizeIs(2));
  const TaskRow& math = teaching[0].tasks[0];
  EXPECT_EQ(math.in_data, 1);
  EXPECT_EQ(math.hard, 1);
  EXPECT_EQ(math.attempts, 3);
  EXPECT_EQ(math.kept, 1);
  EXPECT_EQ(math.rejected.at("near_duplicate"), 2);
  EXPECT_EQ(math.rows, 3);
  EXPECT_EQ(math.repeated, 1);
  EXPECT_EQ(math.target, 0.6);
  EXPECT_EQ(math.reached, 0.75);
  ASSERT_THAT(teaching[0].rounds, SizeIs(1));
  EXPECT_EQ(teaching[0].rounds[0].alpha, 0.75);
  EXPECT_EQ(teaching[0].rounds[0].hard, 3);
  EXPECT_EQ(teaching[0].rounds[0].distinct, 3);
  EXPECT_THAT(teaching[0].rounds[0].relaxed, ElementsAre("words"));
}

TEST(Teaching, TheFloorUnderNewRows) {
  EmptyStore store;
  store->set_meta("arms", R"(["tapir"])");
  store->set_meta("rounds", "2");
  store->begin_stage("data", "f");
  store->put_instruction("data", {"a", {{Role::user, "a"}}, "Math", "f", "", 0});
  EXPECT_THAT(store.gathered().teaching.at(0).floor, IsEmpty());
  EXPECT_THAT(render_html(store.gathered()), Not(HasSubstr("The floor under new rows")));
  store->begin_stage("tapir/round-2/floor", "f");
  store->finish_stage("tapir/round-2/floor", {}, 1, R"({"floor": {"score": 6, "tasks": {
      "Math": {"rows": 40, "judged": 20, "mean": 3.25, "low": 2.5, "high": 4, "filtered": 40,
               "verdict": "below", "hard": 5, "hard_share": 0.25, "hard_low": 0.11,
               "hard_high": 0.47},
      "<b>Law": {"rows": 3, "judged": 0, "verdict": 7}, "odd": []}}})");
  const ReportData data = store.gathered();
  const ArmTeaching& arm = data.teaching.at(0);
  EXPECT_DOUBLE_EQ(arm.floor_score, 6);
  ASSERT_THAT(arm.floor, SizeIs(2));
  const FloorRow& math = arm.floor[1];
  EXPECT_EQ(math.task, "Math");
  EXPECT_EQ(math.round, 2);
  EXPECT_EQ(math.judged, 20);
  EXPECT_EQ(math.filtered, 40);
  EXPECT_EQ(math.verdict, "below");
  EXPECT_DOUBLE_EQ(math.interval.high, 4);
  EXPECT_DOUBLE_EQ(math.hard_interval.low, 0.11);
  const std::string html = render_html(data);
  EXPECT_THAT(html, HasSubstr("3.25 [2.50, 4.00]"));
  EXPECT_THAT(html, HasSubstr("&lt;b&gt;Law"));
}

}  // namespace
}  // namespace tapir::report
