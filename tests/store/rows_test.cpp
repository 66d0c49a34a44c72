// Round trips of every table of rows.
#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "store_fixture.h"

namespace tapir::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RowsTest : public StoreTest {
 protected:
  std::unique_ptr<RunStore> store_ = open();

  void reopen() {
    store_.reset();
    store_ = open(OpenMode::read_write);
  }
};

Instruction instruction(const std::string& id, int round = 0) {
  return {
      id,
      {{Role::system, "Be brief."}, {Role::user, "Wie spät? \xe2\x9c\x93 \"quoted\"\n\ttab \\ "}},
      /*task=*/"",
      /*source=*/"a.json",
      /*parent_id=*/round > 0 ? "parent" : "",
      round};
}

std::vector<std::string> ids(const std::vector<Instruction>& rows) {
  std::vector<std::string> out;
  for (const Instruction& row : rows) out.push_back(row.id);
  return out;
}

TEST_F(RowsTest, InstructionsComeBackSortedById) {
  store_->put_instruction("read", instruction("b"));
  store_->put_instruction("read", instruction("a"));
  store_->put_instruction("tapir/round-1/expand", instruction("c", 1));
  reopen();
  EXPECT_THAT(store_->instructions(),
              ElementsAre(instruction("a"), instruction("b"), instruction("c", 1)));
  EXPECT_THAT(ids(store_->instructions(1)), ElementsAre("c"));
  EXPECT_THAT(store_->instructions(7), IsEmpty());
  EXPECT_EQ(store_->instruction("b"), instruction("b"));
  EXPECT_EQ(store_->instruction("nobody"), std::nullopt);
}

TEST_F(RowsTest, TheSameInstructionAgainIsReplaced) {
  store_->put_instruction("read", instruction("a"));
  Instruction changed = instruction("a");
  changed.messages.back().content = "Another question?";
  store_->put_instruction("read", changed);
  EXPECT_THAT(store_->instructions(), ElementsAre(changed));
}

TEST_F(RowsTest, TextIsKeptByteByByte) {
  Response response{
      "a", "data", std::string("nul \0 inside, half a character \xc3", 32), FinishReason::length,
      5,   "k"};
  store_->put_response("s", response);
  response.author = "empty";
  response.text.clear();
  store_->put_response("s", response);
  reopen();
  EXPECT_EQ(store_->responses("data").at(0).text.size(), 32U);
  EXPECT_EQ(store_->responses("empty"), std::vector{response});
}

TEST_F(RowsTest, TasksAreFilledIn) {
  Instruction brought = instruction("a");
  brought.task = "from the file";
  store_->put_instruction("read", brought);
  store_->put_instruction("read", instruction("b"));
  store_->set_task("tasks", "a", "math", 0.75);
  EXPECT_EQ(store_->instruction("a")->task, "math");
  EXPECT_EQ(store_->instructions().at(1).task, "");
  store_->set_task("tasks", "a", "coding", 0.5);
  EXPECT_EQ(store_->instructions(0).at(0).task, "coding");
  store_->drop_stage("tasks");
  EXPECT_EQ(store_->instruction("a")->task, "from the file");
}

TEST_F(RowsTest, Responses) {
  const Response by_data{"b", "data", "one", FinishReason::stop, 12, ""};
  const Response by_student{"b", "student/s0", "two", FinishReason::length, 1024, "key"};
  const Response other{"a", "data", "three", FinishReason::filter, 0, "k2"};
  for (const Response& response : {by_student, by_data, other}) store_->put_response("s", response);
  reopen();
  EXPECT_THAT(store_->responses("data"), ElementsAre(other, by_data));
  EXPECT_THAT(store_->responses_of("b"), ElementsAre(by_data, by_student));
  EXPECT_THAT(store_->authors(), ElementsAre("data", "student/s0"));
  EXPECT_THAT(store_->responses("nobody"), IsEmpty());
}

TEST_F(RowsTest, Judgments) {
  Judgment read{"a", "student/s0", Order::teacher_first, 0, 9.0, 4.5, "", "9 4.5\nBecause.", "k1"};
  Judgment unread{"a", "student/s0", Order::student_first, 0,   {},
                  {},  "unreadable", "I cannot.",          "k2"};
  Judgment again{"a", "student/s0", Order::student_first, 1, 8.0, 5.0, "", "8 5", "k3"};
  Judgment other{"b", "student/tapir", Order::teacher_first, 0, 1.0, 10.0, "", "1 10", "k4"};
  for (const Judgment& judgment : {again, other, unread, read})
    store_->put_judgment("judge", judgment);
  reopen();
  EXPECT_THAT(store_->judgments("student/s0"), ElementsAre(read, unread, again));
  EXPECT_THAT(store_->judgments_of("b"), ElementsAre(other));
  again.teacher_score = 7.0;
  store_->put_judgment("judge", again);
  EXPECT_THAT(store_->judgments_of("a"), ElementsAre(read, unread, again));
}

TEST_F(RowsTest, Fits) {
  const Fit a{"a", "student/s0", 9.1, 3.3, 2, true};
  const Fit b{"b", "student/s0", 1.0 / 3, 2.0 / 3, 1, false};
  store_->put_fit("difficulty", b);
  store_->put_fit("difficulty", a);
  reopen();
  EXPECT_THAT(store_->fits("student/s0"), ElementsAre(a, b));
}

TEST_F(RowsTest, TeachRowsKeepTheirOrder) {
  store_->put_teach_row("expand", {"tapir", 1, "z", "math", "kept", "p1", ""});
  store_->put_teach_row("expand",
                        {"tapir", 1, "", "math", "near_duplicate", "p1", "the same text"});
  store_->put_teach_row("expand",
                        {"tapir", 1, "", "math", "near_duplicate", "p1", "the same text"});
  store_->put_teach_row("expand", {"tapir", 2, "a", "coding", "kept", "p2", ""});
  store_->put_teach_row("expand", {"fresh", 1, "z", "math", "kept", "p1", ""});
  store_->put_teach_row(
      "expand", {"tapir", 1, "z", "logic", "kept", "p3", ""});  // decided again after a kill
  reopen();
  const auto rows = store_->teach_rows("tapir");
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0].instruction_id, "z");
  EXPECT_EQ(rows[0].task, "logic");
  EXPECT_EQ(rows[0].parent_id, "p3");
  EXPECT_EQ(rows[1].text, "the same text");
  EXPECT_EQ(rows[1].outcome, "near_duplicate");
  EXPECT_EQ(rows[3].round, 2);
}

TEST_F(RowsTest, AMixtureIsReplacedAsAWhole) {
  const std::vector<MixtureRow> three = {{"b", "data", Stratum::hard, "math", 0},
                                         {"a", "teacher/plain", Stratum::easy, "coding", 2},
                                         {"b", "data", Stratum::hard, "math", 1}};
  store_->put_mixture("mix", "tapir", 1, three);
  store_->put_mixture("mix", "tapir", 2, {three[1]});
  reopen();
  EXPECT_EQ(store_->mixture("tapir", 1), three);
  store_->put_mixture("mix", "tapir", 1, {three[2]});
  EXPECT_THAT(store_->mixture("tapir", 1), ElementsAre(three[2]));
  EXPECT_THAT(store_->mixture("tapir", 2), ElementsAre(three[1]));
  EXPECT_THAT(store_->mixture("plain", 1), IsEmpty());
}

TEST_F(RowsTest, ExamRows) {
  store_->put_exam_row("exam", {"s0", "i2", "uniform", "sorting", 4, "3 2 1", false, 2.5});
  store_->put_exam_row("exam", {"s0", "i1", "uniform", "sorting", 1, "1 2 3", true, 10});
  store_->put_exam_row("exam", {"s0", "i1", "beyond", "sorting", 7, "?", false, 1});
  store_->put_exam_row("exam", {"tapir/round-1", "i1", "uniform", "sorting", 1, "1 2 3", true, 10});
  store_->put_exam_row("exam", {"plain/round-1", "i1", "held_out", "", 0, "", false, 1, 2.5, 12});
  reopen();
  EXPECT_EQ(store_->exam_rows("plain/round-1").at(0).loss, 2.5);
  EXPECT_EQ(store_->exam_rows("plain/round-1").at(0).loss_tokens, 12);
  EXPECT_EQ(store_->exam_rows("tapir/round-1").at(0).loss, std::nullopt);
  const auto rows = store_->exam_rows("s0");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].set, "beyond");
  EXPECT_EQ(rows[1].item_id, "i1");
  EXPECT_TRUE(rows[1].correct);
  EXPECT_EQ(rows[2].answer, "3 2 1");
  EXPECT_EQ(rows[2].level, 4);
  EXPECT_EQ(rows[2].family, "sorting");
  EXPECT_DOUBLE_EQ(rows[2].score, 2.5);
  EXPECT_THAT(store_->exam_students(), ElementsAre("plain/round-1", "s0", "tapir/round-1"));
}

TEST_F(RowsTest, TrainingsInTheOrderWritten) {
  TrainRecord record{"tapir/round-1",    100,   2000, 900, 64, 60, 3.25, 0.5, 12.5,
                     "students/round-1", "ab12"};
  store_->put_training("t1", record);
  TrainRecord broken = record;
  broken.student = "s0";
  broken.last_loss = std::numeric_limits<double>::quiet_NaN();
  broken.first_loss = std::numeric_limits<double>::infinity();
  store_->put_training("t0", broken);
  reopen();
  const auto rows = store_->trainings();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].student, "tapir/round-1");
  EXPECT_EQ(rows[0].steps, 100);
  EXPECT_EQ(rows[0].tokens, 2000);
  EXPECT_EQ(rows[0].supervised_tokens, 900);
  EXPECT_EQ(rows[0].rows, 64);
  EXPECT_EQ(rows[0].distinct_rows, 60);
  EXPECT_DOUBLE_EQ(rows[0].first_loss, 3.25);
  EXPECT_DOUBLE_EQ(rows[0].seconds, 12.5);
  EXPECT_EQ(rows[0].folder, "students/round-1");
  EXPECT_EQ(rows[0].digest, "ab12");
  EXPECT_TRUE(std::isnan(rows[1].last_loss));
  EXPECT_TRUE(std::isinf(rows[1].first_loss));
}

// Two arms may make the same row; dropping one of them must not take it from the other.
TEST_F(RowsTest, ARowOfTwoStagesOutlivesOneOfThem) {
  Response first{"a", "teacher/plain", "first", FinishReason::stop, 1, ""};
  Response second = first;
  second.text = "second";
  store_->put_instruction("one", instruction("a"));
  store_->put_instruction("two", instruction("a"));
  store_->put_response("one", first);
  store_->put_response("two", second);
  EXPECT_THAT(store_->responses("teacher/plain"), ElementsAre(second));
  EXPECT_THAT(store_->instructions(), ElementsAre(instruction("a")));
  store_->drop_stage("two");
  EXPECT_THAT(store_->responses_of("a"), ElementsAre(first));
  EXPECT_THAT(store_->instructions(), ElementsAre(instruction("a")));
  store_->drop_stage("one");
  EXPECT_THAT(store_->responses_of("a"), IsEmpty());
  EXPECT_THAT(store_->instructions(), IsEmpty());
}

}  // namespace
}  // namespace tapir::store
