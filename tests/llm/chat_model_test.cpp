#include "llm/chat_model.h"

#include <set>

#include <gmock/gmock.h>

#include "llm/recorded.h"
#include "llm_test_tools.h"

namespace tapir::llm {
namespace {

TEST(Failure, NamesAreReadBack) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Failure::invalid_request); ++i) {
    const auto failure = static_cast<Failure>(i);
    EXPECT_EQ(parse_failure(to_string(failure)), failure);
    names.insert(to_string(failure));
  }
  EXPECT_EQ(names.size(), 14U);
  EXPECT_EQ(parse_failure("unknown"), std::nullopt);
  EXPECT_EQ(parse_failure("ok"), std::nullopt);
}

TEST(Failure, TransientOrTerminal) {
  for (const Failure failure : {Failure::rate_limited, Failure::server_error, Failure::connection,
                                Failure::timeout, Failure::malformed}) {
    EXPECT_TRUE(is_transient(failure)) << to_string(failure);
    EXPECT_TRUE(is_worth_retrying(failure)) << to_string(failure);
  }
  // Not the row's fault, but asking at once would not help.
  for (const Failure failure : {Failure::stopped, Failure::unauthorized, Failure::unavailable,
                                Failure::budget, Failure::waiting}) {
    EXPECT_TRUE(is_transient(failure)) << to_string(failure);
    EXPECT_FALSE(is_worth_retrying(failure)) << to_string(failure);
  }
  for (const Failure failure :
       {Failure::none, Failure::length, Failure::content_filter, Failure::invalid_request}) {
    EXPECT_FALSE(is_transient(failure)) << to_string(failure);
    EXPECT_FALSE(is_worth_retrying(failure)) << to_string(failure);
  }
}

TEST(ReplyKey, HoldsEverythingThatChangesTheReply) {
  const ModelIdentity identity{"openai", "m", "s"};
  const ChatRequest base = request("question");
  std::vector<std::pair<ModelIdentity, ChatRequest>> variants;
  const auto add = [&](const auto& change) {
    auto& [who, what] = variants.emplace_back(identity, base);
    change(who, what);
  };
  add([](ModelIdentity&, ChatRequest&) {});
  add([](ModelIdentity& who, ChatRequest&) { who.kind = "gym"; });
  add([](ModelIdentity& who, ChatRequest&) { who.model = "n"; });
  add([](ModelIdentity& who, ChatRequest&) { who.settings = "t"; });
  add([](ModelIdentity& who, ChatRequest&) { who.model = "ms", who.settings = ""; });
  add([](ModelIdentity&, ChatRequest& what) { what.attempt = 1; });
  add([](ModelIdentity&, ChatRequest& what) { what.messages.back().content += " "; });
  add([](ModelIdentity&, ChatRequest& what) { what.messages.back().role = Role::assistant; });
  add([](ModelIdentity&, ChatRequest& what) { what.messages.push_back({Role::user, ""}); });
  add([](ModelIdentity&, ChatRequest& what) { what.sampling.temperature = 0.1; });
  add([](ModelIdentity&, ChatRequest& what) { what.sampling.temperature = 0.1 + 1e-17 + 1e-16; });
  add([](ModelIdentity&, ChatRequest& what) { what.sampling.top_p = 0.9; });
  add([](ModelIdentity&, ChatRequest& what) { what.sampling.max_tokens = 7; });
  add([](ModelIdentity&, ChatRequest& what) { what.sampling.seed = 0; });
  add([](ModelIdentity&, ChatRequest& what) { what.sampling.stop = {"a", "b"}; });
  add([](ModelIdentity&, ChatRequest& what) { what.sampling.stop = {"ab"}; });
  add([](ModelIdentity&, ChatRequest& what) { what.sampling.logprobs = true; });
  add([](ModelIdentity&, ChatRequest& what) {
    what.sampling.logprobs = true, what.sampling.top_logprobs = 5;
  });
  add([](ModelIdentity&, ChatRequest& what) { what.sampling.json_mode = true; });
  std::set<std::string> keys;
  for (const auto& [who, what] : variants) keys.insert(reply_key(who, what));
  EXPECT_EQ(keys.size(), variants.size());
}

TEST(ReplyKey, DoesNotHoldWhoAsks) {
  const ModelIdentity identity{"openai", "m", ""};
  ChatRequest other = request("question");
  other.row_id = "another row";
  other.stage = "another stage";
  EXPECT_EQ(reply_key(identity, other), reply_key(identity, request("question")));
  EXPECT_EQ(reply_key(identity, other).size(), 32U);
}

TEST(RecordedModel, AnswersFromWhatWasRecorded) {
  RecordedModel by_prompt({{"2+2?", "4"}}, RecordedBy::prompt);
  const ChatReply reply = ask(by_prompt, request("r", "2+2?"));
  EXPECT_TRUE(reply.ok());
  EXPECT_EQ(reply.text, "4");
  EXPECT_EQ(reply.row_id, "r");
  EXPECT_EQ(reply.key, reply_key(by_prompt.identity(), request("2+2?")));
  const ChatReply missing = ask(by_prompt, request("r", "3+3?"));
  EXPECT_EQ(missing.failure, Failure::invalid_request);
  EXPECT_NE(missing.error, "");

  RecordedModel by_row({{"r", "four"}}, RecordedBy::row_id);
  EXPECT_EQ(ask(by_row, request("r", "2+2?")).text, "four");
  EXPECT_NE(by_row.identity().settings, by_prompt.identity().settings);
}

}  // namespace
}  // namespace tapir::llm
