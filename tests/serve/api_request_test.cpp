// What clients may send, and how what they may not is named.
#include "serve/api_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/api_fault.h"

namespace tapir::serve {
namespace {

using ::testing::HasSubstr;

Json chat() { return {{"model", "m"}, {"messages", {{{"role", "user"}, {"content", "hi"}}}}}; }
constexpr RequestLimits kLimits{.max_choices = 128};
ApiRequest read(const Json& body) { return read_chat_request(body.dump(), kLimits); }

// The fault of a body.
ApiFault fault(const Json& body, bool is_chat = true) {
  try {
    is_chat ? read_chat_request(body.dump(), kLimits)
            : read_completion_request(body.dump(), kLimits);
  } catch (const ApiFault& e) {
    EXPECT_EQ(e.status(), 400);
    return e;
  }
  ADD_FAILURE() << "not refused: " << body;
  return {0, ""};
}
ApiFault fault_with(const std::string& name, const Json& value) {
  Json body = chat();
  body[name] = value;
  return fault(body);
}

TEST(ChatRequest, HasTheDefaultsOfTheApi) {
  const ApiRequest a = read(chat());
  ASSERT_EQ(a.choices(), 1U);
  EXPECT_EQ(a.model, "m");
  EXPECT_EQ(a.choice(0).messages, Messages({{Role::user, "hi"}}));
  const llm::Sampling s = a.choice(0).sampling;
  EXPECT_EQ(s.temperature, 1);
  EXPECT_EQ(s.top_p, 1);
  EXPECT_EQ(s.top_k, 0);
  EXPECT_GT(s.max_tokens, 1 << 20);
  EXPECT_FALSE(a.stream);
  EXPECT_FALSE(s.logprobs);
  ASSERT_TRUE(s.seed);
  EXPECT_NE(s.seed, read(chat()).choice(0).sampling.seed) << "a draw of its own";
}

TEST(ChatRequest, ReadsEverything) {
  Json body = chat();
  body.update(
      {{"messages",
        {{{"role", "developer"}, {"content", "be kind"}},
         {{"role", "user"},
          {"content", {{{"type", "text"}, {"text", "a"}}, {{"type", "text"}, {"text", "b"}}}},
          {"name", "bob"}},
         {{"role", "assistant"}, {"content", "c"}, {"tool_calls", nullptr}},
         {{"role", "user"}, {"content", ""}}}},
       {"temperature", 0.5},
       {"top_p", 0.9},
       {"top_k", 40},
       {"seed", -3},
       {"stop", {"x", "", "y"}},
       {"max_tokens", 5},
       {"max_completion_tokens", 6},
       {"logprobs", true},
       {"top_logprobs", 4},
       {"n", 3},
       {"stream", true},
       {"stream_options", {{"include_usage", true}}},
       {"response_format", {{"type", "json_object"}}},
       {"presence_penalty", 0.0},
       {"frequency_penalty", nullptr},
       {"logit_bias", Json::object()},
       {"tools", Json::array()},
       {"tool_choice", "none"},
       {"user", "u"},
       {"metadata", {{"a", "b"}}}});
  const ApiRequest a = read(body);
  ASSERT_EQ(a.choices(), 3U);
  const llm::ChatRequest r = a.choice(2);
  EXPECT_EQ(r.attempt, 2);
  EXPECT_EQ(r.messages, Messages({{Role::system, "be kind"},
                                  {Role::user, "ab"},
                                  {Role::assistant, "c"},
                                  {Role::user, ""}}));
  EXPECT_EQ(r.sampling.temperature, 0.5);
  EXPECT_EQ(r.sampling.top_p, 0.9);
  EXPECT_EQ(r.sampling.top_k, 40);
  EXPECT_EQ(r.sampling.seed, -3);
  EXPECT_EQ(r.sampling.stop, std::vector<std::string>({"x", "y"}));
  EXPECT_EQ(r.sampling.max_tokens, 6);
  EXPECT_EQ(r.sampling.top_logprobs, 4);
  EXPECT_TRUE(r.sampling.json_mode && a.stream && a.include_usage && a.logprobs);
}

TEST(ChatRequest, NamesWhatItCannotServe) {
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, Json>>{{"presence_penalty", 0.5},
                                                 {"frequency_penalty", 1},
                                                 {"logit_bias", {{"50", 1}}},
                                                 {"tools", {{{"type", "function"}}}},
                                                 {"tool_choice", "auto"},
                                                 {"functions", {{{"name", "f"}}}},
                                                 {"repetition_penalty", 1.1},
                                                 {"min_p", 0.1},
                                                 {"audio", {{"voice", "x"}}},
                                                 {"modalities", {"text", "audio"}},
                                                 {"store", true}}) {
    const ApiFault e = fault_with(name, value);
    EXPECT_EQ(e.param(), name);
    EXPECT_EQ(e.code(), "unsupported_parameter");
    EXPECT_THAT(e.what(), HasSubstr(name));
  }
  const ApiFault unknown = fault_with("temprature", 1);
  EXPECT_EQ(unknown.param(), "temprature");
  EXPECT_THAT(unknown.what(), HasSubstr("did you mean temperature?"));
}

TEST(ChatRequest, NamesWrongTypesAndRanges) {
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, Json>>{{"temperature", "hot"},
                                                 {"temperature", -0.1},
                                                 {"temperature", 2.1},
                                                 {"top_p", 0},
                                                 {"top_p", 1.01},
                                                 {"top_k", 1.5},
                                                 {"top_k", -2},
                                                 {"max_tokens", 0},
                                                 {"max_tokens", 1e30},
                                                 {"max_tokens", true},
                                                 {"n", 0},
                                                 {"n", 129},
                                                 {"seed", 0.5},
                                                 {"seed", 1ULL << 63},
                                                 {"stop", {1}},
                                                 {"stop", Json::object()},
                                                 {"stream", "yes"},
                                                 {"logprobs", 1},
                                                 {"top_logprobs", 3},
                                                 {"top_logprobs", 21},
                                                 {"stream_options", {{"include_usage", true}}},
                                                 {"model", 3},
                                                 {"response_format", "json"},
                                                 {"messages", "hi"},
                                                 {"messages", Json::array()}}) {
    EXPECT_EQ(fault_with(name, value).param(), name) << value;
  }
}

TEST(ChatRequest, NamesTheMessageThatIsWrong) {
  for (const auto& [message, param] : std::vector<std::pair<Json, std::string>>{
           {"hi", "messages[1]"},
           {{{"content", "x"}}, "messages[1].role"},
           {{{"role", "tool"}, {"content", "x"}}, "messages[1].role"},
           {{{"role", 1}, {"content", "x"}}, "messages[1].role"},
           {{{"role", "user"}}, "messages[1].content"},
           {{{"role", "user"}, {"content", 1}}, "messages[1].content"},
           {{{"role", "user"}, {"content", {{{"type", "image_url"}}}}}, "messages[1].content"},
           {{{"role", "assistant"}, {"content", "x"}, {"tool_calls", {1}}},
            "messages[1].tool_calls"}}) {
    Json body = chat();
    body["messages"].push_back(message);
    EXPECT_EQ(fault(body).param(), param) << message;
  }
}

TEST(ChatRequest, TheBodyMustBeAnObject) {
  for (const char* body : {"", "{", "[]", "3", "\"x\"", "null", "{\"model\": \"\xff\"}", "{} x"}) {
    EXPECT_THROW(read_chat_request(body, kLimits), ApiFault) << body;
  }
  EXPECT_THROW(read_chat_request(std::string(100000, '['), kLimits), ApiFault);
  EXPECT_EQ(fault({{"model", "m"}}).param(), "messages");
}

TEST(CompletionRequest, ReadsPrompts) {
  const Json body = {{"model", "m"},  {"prompt", {"a", "b"}}, {"n", 2},      {"best_of", 2},
                     {"logprobs", 3}, {"echo", false},        {"suffix", ""}};
  const ApiRequest a = read_completion_request(body.dump(), kLimits);
  EXPECT_FALSE(a.chat);
  EXPECT_EQ(a.prompts.size(), 2U);
  ASSERT_EQ(a.choices(), 4U);
  EXPECT_EQ(a.choice(1).prompt, "a");
  EXPECT_EQ(a.choice(2).prompt, "b");
  EXPECT_EQ(a.choice(3).attempt, 1);
  EXPECT_TRUE(a.choice(0).messages.empty());
  EXPECT_EQ(a.choice(0).sampling.max_tokens, 16);
  EXPECT_EQ(a.choice(0).sampling.top_logprobs, 3);
}

TEST(CompletionRequest, NamesWhatItCannotServe) {
  for (const auto& [name, value] : std::vector<std::pair<std::string, Json>>{{"echo", true},
                                                                             {"suffix", "x"},
                                                                             {"best_of", 3},
                                                                             {"prompt", {1, 2}},
                                                                             {"messages", {1}}}) {
    Json body = {{"model", "m"}, {"prompt", "p"}};
    body[name] = value;
    EXPECT_EQ(fault(body, /*is_chat=*/false).param(), name);
  }
  EXPECT_EQ(fault({{"model", "m"}}, /*is_chat=*/false).param(), "prompt");
  EXPECT_EQ(
      fault({{"model", "m"}, {"prompt", Json(std::vector<std::string>(100, "x"))}, {"n", 2}}, false)
          .param(),
      "n");
}

}  // namespace
}  // namespace tapir::serve
