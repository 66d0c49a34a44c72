// Meta, stages, the ledger, and what dropping a stage takes along.
#include <gmock/gmock.h>

#include "store_fixture.h"

namespace tapir::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

class StagesTest : public StoreTest {
 protected:
  std::unique_ptr<RunStore> store_ = open();
};

TEST_F(StagesTest, Meta) {
  EXPECT_EQ(store_->meta("recipe"), std::nullopt);
  store_->set_meta("recipe", "name: a");
  store_->set_meta("recipe", "name: b");
  store_->set_meta("empty", "");
  EXPECT_EQ(store_->meta("recipe"), "name: b");
  EXPECT_EQ(store_->meta("empty"), "");
}

TEST_F(StagesTest, AStageFromBeginToEnd) {
  store_->begin_stage("s0", "f0");
  store_->begin_stage("difficulty", "f1");
  store_->add_stage_seconds("difficulty", 2.5);
  EXPECT_FALSE(store_->stage("difficulty")->finished);
  const Ledger ledger{10, 6, {{"unreadable", 3}}, {{"too long", 1}}};
  store_->finish_stage("difficulty", ledger, 1.5, R"({"flips": 3})");
  store_.reset();
  store_ = open(OpenMode::read_write);
  const auto stage = store_->stage("difficulty");
  ASSERT_TRUE(stage);
  EXPECT_TRUE(stage->finished);
  EXPECT_EQ(stage->fingerprint, "f1");
  EXPECT_EQ(stage->ledger, ledger);
  EXPECT_DOUBLE_EQ(stage->seconds, 4.0);
  EXPECT_EQ(stage->info, R"({"flips": 3})");
  const auto all = store_->stages();
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].name, "s0");
  EXPECT_FALSE(all[0].finished);
}

TEST_F(StagesTest, BeginningAgainGoesOn) {
  store_->begin_stage("s0", "f0");
  store_->add_stage_seconds("s0", 1);
  store_->begin_stage("s0", "f0");
  EXPECT_DOUBLE_EQ(store_->stage("s0")->seconds, 1);
  store_->finish_stage("s0", {}, 0, "");
  store_->begin_stage("s0", "f0");
  EXPECT_TRUE(store_->stage("s0")->finished);
}

TEST_F(StagesTest, AnotherFingerprintMustBeDroppedFirst) {
  store_->begin_stage("s0", "f0");
  const Error error = error_of([&] { store_->begin_stage("s0", "f1"); });
  EXPECT_EQ(error.kind(), ErrorKind::bug);
  EXPECT_THAT(error.what(), HasSubstr("s0"));
  store_->drop_stage("s0");
  store_->begin_stage("s0", "f1");
  EXPECT_EQ(store_->stage("s0")->fingerprint, "f1");
}

TEST_F(StagesTest, ALedgerMustBalance) {
  store_->begin_stage("s0", "f0");
  EXPECT_EQ(error_of([&] {
              store_->finish_stage("s0", {3, 1, {{"x", 1}}, {}}, 0, "");
            }).kind(),
            ErrorKind::bug);
  EXPECT_FALSE(store_->stage("s0")->finished);
  EXPECT_EQ(error_of([&] { store_->finish_stage("never begun", {}, 0, ""); }).kind(),
            ErrorKind::bug);
}

TEST_F(StagesTest, OutcomesAreCountedOncePerRow) {
  store_->put_outcome("judge", "a", Outcome::failed, "timeout");
  store_->put_outcome("judge", "a", Outcome::done, "");
  store_->put_outcome("judge", "b", Outcome::failed, "unreadable");
  store_->put_outcome("judge", "c", Outcome::failed, "unreadable");
  store_->put_outcome("judge", "d", Outcome::filtered, "too long");
  store_->put_outcome("exam", "a", Outcome::done, "");
  Ledger ledger = store_->count_outcomes("judge");
  EXPECT_EQ(ledger.done, 1U);
  EXPECT_THAT(ledger.failed, ElementsAre(Pair("unreadable", 2)));
  EXPECT_THAT(ledger.filtered, ElementsAre(Pair("too long", 1)));
  ledger.in = 4;
  EXPECT_TRUE(ledger.balances());
  EXPECT_THAT(store_->outcomes("judge"),
              ElementsAre(Pair("a", Outcome::done), Pair("b", Outcome::failed),
                          Pair("c", Outcome::failed), Pair("d", Outcome::filtered)));
  EXPECT_THAT(store_->outcomes("nothing"), IsEmpty());
}

void write_one_of_each(RunStore& store, const std::string& stage) {
  store.begin_stage(stage, "f");
  store.put_outcome(stage, "a", Outcome::done, "");
  store.put_instruction(stage, {stage, {{Role::user, "x"}}, "", "", "", 0});
  store.set_task(stage, stage, "math", 1);
  store.put_response(stage, {"a", stage, "text", FinishReason::stop, 1, ""});
  store.put_judgment(stage, {"a", stage, Order::teacher_first, 0, 1.0, 1.0, "", "", ""});
  store.put_fit(stage, {"a", stage, 1, 1, 1, false});
  store.put_teach_row(stage, {stage, 1, "a", "math", "kept", "", ""});
  store.put_mixture(stage, stage, 1, {{"a", "data", Stratum::hard, "math", 0}});
  store.put_exam_row(stage, {stage, "a", "uniform", "sorting", 1, "", true, 10});
  store.put_training(stage, {stage});
}

std::vector<std::size_t> rows_of(RunStore& store, const std::string& stage) {
  return {store.outcomes(stage).size(),   store.instruction(stage) ? 1U : 0U,
          store.responses(stage).size(),  store.judgments(stage).size(),
          store.fits(stage).size(),       store.teach_rows(stage).size(),
          store.mixture(stage, 1).size(), store.exam_rows(stage).size()};
}

TEST_F(StagesTest, DroppingTakesTheRowsOfOneStageOnly) {
  write_one_of_each(*store_, "one");
  write_one_of_each(*store_, "two");
  ReplyRecord reply = ok_reply("k");
  reply.stage = "one";
  store_->put_reply(reply);
  store_->drop_stage("one");
  EXPECT_THAT(rows_of(*store_, "one"), ::testing::Each(0U));
  EXPECT_THAT(rows_of(*store_, "two"), ::testing::Each(1U));
  EXPECT_THAT(store_->stages(), SizeIs(1));
  EXPECT_THAT(store_->trainings(), SizeIs(1));
  EXPECT_EQ(store_->instruction("two")->task, "math");
  EXPECT_TRUE(store_->reply("k"));
  store_->drop_stage("was never there");
}

TEST_F(StagesTest, ReopeningTakesTheRowsAndLeavesTheStageAndItsSeconds) {
  store_->begin_stage("difficulty", "f");
  store_->put_outcome("difficulty", "1", Outcome::failed, "length");
  store_->put_reply(ok_reply("k"));
  store_->finish_stage("difficulty", {1, 0, {{"length", 1}}, {}}, 2.5, R"({"band": 1})");
  store_->reopen_stage("difficulty");
  const auto stage = store_->stage("difficulty");
  ASSERT_TRUE(stage);
  EXPECT_FALSE(stage->finished);
  EXPECT_EQ(stage->ledger, Ledger{});
  EXPECT_EQ(stage->info, "");
  EXPECT_DOUBLE_EQ(stage->seconds, 2.5);
  EXPECT_EQ(stage->fingerprint, "f");
  EXPECT_THAT(store_->outcomes("difficulty"), IsEmpty());
  EXPECT_TRUE(store_->reply("k"));
  EXPECT_EQ(error_of([&] { store_->reopen_stage("select"); }).kind(), ErrorKind::bug);
}

TEST_F(StagesTest, RowsToRetryFailedOrFellBack) {
  store_->put_outcome("tasks", "1", Outcome::done, "");
  store_->put_outcome("tasks", "2", Outcome::done, "unknown_label");
  store_->put_outcome("tasks", "3", Outcome::failed, "length");
  store_->put_outcome("tasks", "4", Outcome::filtered, "easy");
  store_->put_outcome("other", "5", Outcome::failed, "length");
  EXPECT_THAT(store_->rows_to_retry("tasks"),
              ElementsAre(Pair("2", "unknown_label"), Pair("3", "length")));
  EXPECT_EQ(store_->count_outcomes("tasks").done, 2U);
}

TEST_F(StagesTest, AReaderOfAnotherConnectionSeesWhatIsCommitted) {
  store_->begin_stage("s0", "f0");
  store_->flush();
  const auto reader = open(OpenMode::read_only);
  EXPECT_TRUE(reader->stage("s0"));
  EXPECT_EQ(error_of([&] { reader->set_meta("a", "b"); }).kind(), ErrorKind::bug);
}

}  // namespace
}  // namespace tapir::store
