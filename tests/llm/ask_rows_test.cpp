#include "llm/ask_rows.h"

#include <gmock/gmock.h>

#include "shuffled_model.h"

namespace tapir::llm {
namespace {

using ::testing::HasSubstr;

// Rows whose replies are read when they say "good".
class Rows : public RowQuestions {
 public:
  explicit Rows(std::size_t rows) : rows_(rows) {}
  std::size_t rows() const override { return rows_; }
  ChatRequest request(std::size_t row, int /*attempt*/) override {
    ChatRequest request;
    request.row_id = std::to_string(row);
    request.messages = {{Role::user, request.row_id}};
    return request;
  }
  bool read(std::size_t /*row*/, int /*attempt*/, const ChatReply& reply) override {
    ++replies;
    return reply.text == "good";
  }
  void unanswered(std::size_t /*row*/, int /*attempt*/, const ChatReply& /*reply*/) override {
    ++failures;
  }
  int replies = 0;
  int failures = 0;

 private:
  std::size_t rows_;
};

AskRowsOptions options_of(int unread_at_first) {
  AskRowsOptions options;
  options.max_attempts = 3;
  options.stage = "stage";
  options.max_in_flight = 4;
  options.unread_at_first = unread_at_first;
  return options;
}

std::string text_of(const ChatRequest& request) { return request.messages[0].content; }

TEST(AskRows, UnreadableFromTheStartIsNotPaidToTheEnd) {
  testing::ShuffledModel model(
      [](const ChatRequest&) { return testing::says("<think>\nWell,\n  I"); }, 1);
  Rows rows(1000);
  try {
    ask_rows(model, rows, options_of(10), silent_progress(), {});
    ADD_FAILURE() << "asked to the end";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::endpoint);
    EXPECT_THAT(e.what(), HasSubstr("stage: not one of the first 10 replies"));
    EXPECT_THAT(e.what(), HasSubstr("\"<think> Well, I\""));
  }
  EXPECT_LE(model.asked().size(), 40U);
}

TEST(AskRows, OneGoodReplyShowsThatTheOthersAreTheirRowsOwn) {
  testing::ShuffledModel model(
      [](const ChatRequest& request) {
        return testing::says(text_of(request) == "3" ? "good" : "bad");
      },
      1);
  Rows rows(100);
  ask_rows(model, rows, options_of(10), silent_progress(), {});
  EXPECT_EQ(rows.replies, 99 * 3 + 1);
}

// What was paid already costs nothing more, and says nothing of the model of today.
TEST(AskRows, RepliesOfEarlierSittingsAndOffDoNotCount) {
  for (const bool from_cache : {true, false}) {
    testing::ShuffledModel model(
        [from_cache](const ChatRequest&) {
          ChatReply reply = testing::says("bad");
          reply.from_cache = from_cache;
          return reply;
        },
        1);
    Rows rows(100);
    ask_rows(model, rows, options_of(from_cache ? 10 : 0), silent_progress(), {});
    EXPECT_EQ(rows.replies, 300);
  }
}

TEST(AskRows, FailuresAreNoUnreadableReplies) {
  testing::ShuffledModel model(
      [](const ChatRequest&) { return testing::fails(Failure::content_filter); }, 1);
  Rows rows(100);
  ask_rows(model, rows, options_of(10), silent_progress(), {});
  EXPECT_EQ(rows.failures, 100);
}

}  // namespace
}  // namespace tapir::llm
