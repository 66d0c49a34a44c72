#include "serve/conversation.h"

#include <gtest/gtest.h>

#include "typewriter_model.h"

namespace tapir::serve {
namespace {

using testing::TypewriterModel;

TEST(Conversation, RemembersItsTurns) {
  TypewriterModel model;
  Conversation conversation(model, {});
  conversation.set_system("be brief");
  std::string shown;
  const auto show = [&](std::string_view text) { shown += text; };
  EXPECT_EQ(conversation.ask("one two", show, {}).text, "one two");
  EXPECT_EQ(shown, "one two");
  conversation.ask("three", show, {});
  const Messages expected = {{Role::system, "be brief"},
                             {Role::user, "one two"},
                             {Role::assistant, "one two"},
                             {Role::user, "three"},
                             {Role::assistant, "three"}};
  EXPECT_EQ(conversation.messages(), expected);
  conversation.reset();
  EXPECT_EQ(conversation.messages(), Messages({{Role::system, "be brief"}}));
  conversation.set_system("");
  EXPECT_TRUE(conversation.messages().empty());
  EXPECT_NE(model.asked()[0].attempt, model.asked()[1].attempt);
}

TEST(Conversation, AStoppedAnswerIsKeptAsFarAsItCame) {
  TypewriterModel model;
  model.pause = std::chrono::milliseconds(5);
  Conversation conversation(model, {});
  std::stop_source stop;
  int words = 0;
  const auto reply = conversation.ask(
      "a b c d e f g h i j k l m n o p",
      [&](std::string_view) {
        if (++words == 3) stop.request_stop();
      },
      stop.get_token());
  EXPECT_EQ(reply.failure, llm::Failure::stopped);
  EXPECT_EQ(reply.text, "a b c");
  EXPECT_EQ(conversation.messages().back(), (Message{Role::assistant, "a b c"}));
}

TEST(Conversation, AFailedTurnIsForgotten) {
  TypewriterModel model([](const llm::ChatRequest&) {
    llm::ChatReply reply;
    reply.failure = llm::Failure::invalid_request;
    reply.error = "too long";
    return reply;
  });
  Conversation conversation(model, {});
  EXPECT_EQ(conversation.ask("x", [](std::string_view) {}, {}).error, "too long");
  EXPECT_TRUE(conversation.messages().empty());
}

TEST(Conversation, ATurnThatFailsAfterSomeTextIsForgottenToo) {
  TypewriterModel model([](const llm::ChatRequest&) {
    llm::ChatReply reply;
    reply.failure = llm::Failure::server_error;
    reply.text = "half an ans";
    return reply;
  });
  Conversation conversation(model, {});
  EXPECT_FALSE(conversation.ask("x", [](std::string_view) {}, {}).ok());
  EXPECT_TRUE(conversation.messages().empty());
}

}  // namespace
}  // namespace tapir::serve
