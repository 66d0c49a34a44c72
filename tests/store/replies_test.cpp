// Replies: what was paid for is kept, added up, found again and taken over from another run.
#include <atomic>

#include <gmock/gmock.h>

#include "store/sqlite.h"
#include "store_fixture.h"

namespace tapir::store {
namespace {

using ::testing::SizeIs;

class RepliesTest : public StoreTest {
 protected:
  std::unique_ptr<RunStore> store_ = open();
};

TEST_F(RepliesTest, ComesBackWhole) {
  ReplyRecord reply = ok_reply("k", "words");
  reply.error = "none";
  reply.finish_reason = FinishReason::length;
  reply.prompt_tokens = 100;
  reply.cached_prompt_tokens = 40;
  reply.completion_tokens = 7;
  reply.usd = 0.25;
  reply.seconds = 1.5;
  reply.sends = 2;
  reply.top_logprobs = R"([[["a",-0.5]]])";
  store_->put_reply(reply);
  store_.reset();
  store_ = open(OpenMode::read_write);
  const auto back = store_->reply("k");
  ASSERT_TRUE(back);
  EXPECT_EQ(back->row_id, "row k");
  EXPECT_EQ(back->stage, "difficulty");
  EXPECT_EQ(back->role, "judge");
  EXPECT_EQ(back->model, "judge-model");
  EXPECT_EQ(back->status, "ok");
  EXPECT_EQ(back->text, "words");
  EXPECT_EQ(back->error, "none");
  EXPECT_EQ(back->finish_reason, FinishReason::length);
  EXPECT_EQ(back->prompt_tokens, 100);
  EXPECT_EQ(back->cached_prompt_tokens, 40);
  EXPECT_EQ(back->completion_tokens, 7);
  EXPECT_DOUBLE_EQ(back->usd, 0.25);
  EXPECT_DOUBLE_EQ(back->seconds, 1.5);
  EXPECT_EQ(back->sends, 2);
  EXPECT_EQ(back->top_logprobs, reply.top_logprobs);
  EXPECT_FALSE(store_->reply("nobody"));
}

TEST_F(RepliesTest, RequestsWaitForABatchUntilAReplyTakesTheirPlace) {
  for (const char* key : {"b", "a", "c"}) {
    ReplyRecord waiting = ok_reply(key, std::string("body ") + key);
    waiting.status = kWaiting;
    waiting.sends = 0;
    store_->put_reply(waiting);
  }
  std::vector<std::string> keys;
  const auto note = [&](const ReplyRecord& reply) { keys.push_back(reply.key + reply.text); };
  store_->for_each_reply(kWaiting, note);
  EXPECT_EQ(keys, (std::vector<std::string>{"bbody b", "abody a", "cbody c"}));
  EXPECT_EQ(store_->usage().at(0).waiting, 3);
  EXPECT_EQ(store_->usage().at(0).replies, 0);
  EXPECT_EQ(store_->usage().at(0).failed, 0);

  store_->put_reply(ok_reply("a", "words"));
  store_->outdate_waiting();
  EXPECT_EQ(store_->reply("a")->status, "ok");
  EXPECT_EQ(store_->reply("a")->text, "words");
  EXPECT_EQ(store_->reply("b")->status, kOutdated);
  EXPECT_EQ(store_->usage().at(0).waiting, 0);
  ReplyRecord again = ok_reply("b", "body b");
  again.status = kWaiting;
  store_->put_reply(again);
  EXPECT_EQ(store_->usage().at(0).waiting, 1);
}

TEST_F(RepliesTest, SpendingAddsUpAndTheTextIsReplaced) {
  ReplyRecord failed = ok_reply("k", "");
  failed.status = "timeout";
  failed.sends = 3;
  failed.usd = 1;
  failed.prompt_tokens = 10;
  store_->put_reply(failed);
  ReplyRecord ok = ok_reply("k", "words");
  ok.usd = 2;
  ok.prompt_tokens = 11;
  store_->put_reply(ok);
  const auto back = store_->reply("k");
  EXPECT_EQ(back->status, "ok");
  EXPECT_EQ(back->text, "words");
  EXPECT_EQ(back->sends, 4);
  EXPECT_DOUBLE_EQ(back->usd, 3);
  EXPECT_EQ(back->prompt_tokens, 11);                  // of the text that is there
  EXPECT_EQ(store_->usage().at(0).prompt_tokens, 21);  // of all that was paid
}

TEST_F(RepliesTest, AnAnswerIsNeverReplacedByAFailure) {
  store_->put_reply(ok_reply("k", "words"));
  ReplyRecord failed = ok_reply("k", "half");
  failed.status = "length";
  failed.row_id = "other";
  store_->put_reply(failed);
  const auto back = store_->reply("k");
  EXPECT_EQ(back->status, "ok");
  EXPECT_EQ(back->text, "words");
  EXPECT_EQ(back->row_id, "row k");
  EXPECT_EQ(back->sends, 2);
}

TEST_F(RepliesTest, DoneComesOnceWhenItIsDurable) {
  std::atomic<int> called{0};
  std::atomic<int> found{0};
  for (int i = 0; i < 100; ++i) {
    store_->put_reply_then(ok_reply(std::to_string(i)), [&, i] {
      ++called;
      const auto other = open(OpenMode::read_only);  // sees committed rows only
      if (i % 20 == 0 && other->reply(std::to_string(i))) ++found;
    });
  }
  store_.reset();
  EXPECT_EQ(called, 100);
  EXPECT_EQ(found, 5);
}

TEST_F(RepliesTest, UsageByStageRoleAndModel) {
  ReplyRecord teacher = ok_reply("t");
  teacher.role = "teacher";
  teacher.usd = 5;
  store_->put_reply(teacher);
  store_->put_reply(ok_reply("j1"));
  ReplyRecord failed = ok_reply("j2");
  failed.status = "length";
  failed.sends = 4;
  store_->put_reply(failed);
  const auto usage = store_->usage();
  ASSERT_THAT(usage, SizeIs(2));
  EXPECT_EQ(usage[0].role, "judge");
  EXPECT_EQ(usage[0].replies, 2);
  EXPECT_EQ(usage[0].failed, 1);
  EXPECT_EQ(usage[0].sends, 5);
  EXPECT_DOUBLE_EQ(usage[1].usd, 5);
}

TEST_F(RepliesTest, TakesTheOkRepliesOfAnotherRun) {
  const tapir::testing::TemporaryFolder other_folder;
  const auto other_file = other_folder.path() / "run.db";
  {
    const auto other = RunStore::open(other_file, OpenMode::create);
    for (const char* key : {"new", "here", "was unknown"}) {
      ReplyRecord reply = ok_reply(key, "theirs");
      reply.usd = 9;
      other->put_reply(reply);
    }
    ReplyRecord failed = ok_reply("failed");
    failed.status = "length";
    other->put_reply(failed);
  }
  store_->put_reply(ok_reply("here", "ours"));
  ReplyRecord unknown = ok_reply("was unknown", "");
  unknown.status = "unknown";
  unknown.usd = 1;
  store_->put_reply(unknown);
  EXPECT_EQ(store_->copy_replies_from(other_file), 2);
  EXPECT_EQ(store_->copy_replies_from(other_file), 0);
  EXPECT_EQ(store_->reply("new")->text, "theirs");
  EXPECT_EQ(store_->reply("new")->sends, 0);
  EXPECT_EQ(store_->reply("here")->text, "ours");
  EXPECT_EQ(store_->reply("was unknown")->text, "theirs");
  EXPECT_FALSE(store_->reply("failed"));
  EXPECT_DOUBLE_EQ(store_->usage().at(0).usd, 1);
  store_->put_reply(ok_reply("after"));  // the other file is let go of, the writer goes on
  EXPECT_TRUE(store_->reply("after"));
}

TEST_F(RepliesTest, ReuseOfWhatIsNoRunIsRefused) {
  EXPECT_EQ(error_of([&] { store_->copy_replies_from(folder_.path() / "none.db"); }).kind(),
            ErrorKind::data);
  EXPECT_EQ(error_of([&] { store_->copy_replies_from(file()); }).kind(), ErrorKind::usage);
  store_->put_reply(ok_reply("still works"));
  EXPECT_TRUE(store_->reply("still works"));
}

}  // namespace
}  // namespace tapir::store
