// Bodies of requests, and what replies mean: the dialects of servers as they were seen.
#include <gmock/gmock.h>

#include "base/error.h"
#include "base/json.h"
#include "fuzzing.h"
#include "llm/openai_api.h"
#include "llm_test_tools.h"

namespace tapir::llm {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Json body_of(const ChatRequest& request, const std::string& extra = "") {
  return Json::parse(api_call("m", request, extra).body);
}

TEST(ApiCall, HoldsWhatWasAskedAndNothingElse) {
  ChatRequest plain = request("question");
  plain.messages.insert(plain.messages.begin(), {Role::system, "be brief"});
  EXPECT_EQ(body_of(plain), Json::parse(R"({"model": "m", "temperature": 0.0, "max_tokens": 1024,
    "messages": [{"role": "system", "content": "be brief"},
                 {"role": "user", "content": "question"}]})"));
  EXPECT_EQ(api_call("m", plain, "").path, "/chat/completions");
}

TEST(ApiCall, HoldsAllOfTheSampling) {
  ChatRequest all = request("question");
  all.sampling.top_p = 0.5;
  all.sampling.top_k = 4;
  all.sampling.seed = 7;
  all.sampling.stop = {"END"};
  all.sampling.logprobs = true;
  all.sampling.top_logprobs = 5;
  all.sampling.json_mode = true;
  const Json body = body_of(all);
  EXPECT_EQ(body["top_p"], 0.5);
  EXPECT_EQ(body["top_k"], 4);
  EXPECT_EQ(body["seed"], 7);
  EXPECT_EQ(body["stop"], Json::array({"END"}));
  EXPECT_EQ(body["logprobs"], true);
  EXPECT_EQ(body["top_logprobs"], 5);
  EXPECT_EQ(body["response_format"]["type"], "json_object");
}

TEST(ApiCall, RawPromptsGoToCompletions) {
  ChatRequest raw;
  raw.prompt = "Once upon";
  raw.sampling.logprobs = true;
  raw.sampling.top_logprobs = 2;
  EXPECT_EQ(api_call("m", raw, "").path, "/completions");
  EXPECT_EQ(body_of(raw)["prompt"], "Once upon");
  EXPECT_EQ(body_of(raw)["logprobs"], 2);
  EXPECT_FALSE(body_of(raw).contains("messages"));
}

TEST(ApiCall, ExtraFieldsAreMergedAndNullTakesOut) {
  const Json body = body_of(request("q"), R"({"max_tokens": null, "max_completion_tokens": 9,
                                              "chat_template_kwargs": {"enable_thinking": false}})");
  EXPECT_FALSE(body.contains("max_tokens"));
  EXPECT_EQ(body["max_completion_tokens"], 9);
  EXPECT_EQ(body["chat_template_kwargs"]["enable_thinking"], false);
}

TEST(ApiCall, ExtraFieldsAreChecked) {
  for (const char* bad : {"{", "[]", "3", R"({"model": "other"})", R"({"stream": true})"}) {
    try {
      check_extra_body(bad, "teacher.extra_body");
      ADD_FAILURE() << bad;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::usage);
      EXPECT_THAT(e.what(), HasSubstr("teacher.extra_body"));
    }
  }
  EXPECT_NO_THROW(check_extra_body("", "x"));
  EXPECT_NO_THROW(check_extra_body(R"({"reasoning_effort": "low"})", "x"));
}

TEST(ApiReply, UsageIsReadWithItsCachedPart) {
  const ChatReply openai =
      read_api_reply(200, R"({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}],
               "usage": {"prompt_tokens": 9, "completion_tokens": 2,
                         "prompt_tokens_details": {"cached_tokens": 4}}})",
                     false);
  EXPECT_TRUE(openai.ok());
  EXPECT_EQ(openai.usage.cached_prompt_tokens, 4);
  const ChatReply deepseek =
      read_api_reply(200, R"({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}],
               "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 5}})",
                     false);
  EXPECT_EQ(deepseek.usage.cached_prompt_tokens, 5);
}

// Such a sum must not turn a budget round.
TEST(ApiReply, AbsurdUsageIsBounded) {
  for (const char* count : {"9223372036854775807", "18446744073709551615", "1e30", "-5"}) {
    const ChatReply reply = read_api_reply(
        200,
        std::string(R"({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": )") +
            count + R"(, "completion_tokens": )" + count + "}}",
        false);
    EXPECT_TRUE(reply.ok());
    EXPECT_GE(reply.usage.prompt_tokens, 0) << count;
    EXPECT_LE(reply.usage.prompt_tokens, 1'000'000'000) << count;
    EXPECT_LE(reply.usage.completion_tokens, 1'000'000'000) << count;
  }
}

TEST(ApiReply, EndsOfOtherServers) {
  const auto reply = [](const std::string& choice) {
    return read_api_reply(200, R"({"choices": [)" + choice + "]}", false);
  };
  EXPECT_TRUE(reply(R"({"message": {"content": "x"}, "finish_reason": "eos"})").ok());
  EXPECT_TRUE(reply(R"({"text": "x", "finish_reason": "stop"})").ok());
  EXPECT_TRUE(reply(R"({"message": {"content": ""}, "finish_reason": "stop"})").ok());
  EXPECT_EQ(reply(R"({"message": {"content": [{"type": "thinking", "thinking": "hm"},
      {"type": "text", "text": "yes"}]}, "finish_reason": "stop"})")
                .text,
            "yes");
  EXPECT_EQ(
      reply(R"({"message": {"content": null, "refusal": "no"}, "finish_reason": "stop"})").failure,
      Failure::content_filter);
  EXPECT_EQ(
      reply(R"({"message": {"content": "", "refusal": "no"}, "finish_reason": "stop"})").failure,
      Failure::content_filter);
  // Asked again, these would be paid again and end the same way.
  for (const char* cut : {"length", "max_tokens", "model_length", "MAX_TOKENS"}) {
    const std::string choice =
        std::string(R"({"message": {"content": "x"}, "finish_reason": ")") + cut + "\"}";
    EXPECT_EQ(reply(choice).failure, Failure::length) << cut;
  }
  for (const char* filtered : {"content_filter", "SAFETY", "refusal"}) {
    const std::string choice =
        std::string(R"({"message": {"content": "x"}, "finish_reason": ")") + filtered + "\"}";
    EXPECT_EQ(reply(choice).failure, Failure::content_filter) << filtered;
  }
  for (const char* bad : {R"({"message": {"content": "x"}})",
                          R"({"message": {"content": "x"}, "finish_reason": null})",
                          R"({"message": {"content": "x"}, "finish_reason": "abort"})",
                          R"({"message": {"content": "x"}, "finish_reason": "tool_calls"})",
                          R"({"message": {"content": null}, "finish_reason": "stop"})",
                          R"({"message": {}, "finish_reason": "stop"})", "3", "null"}) {
    EXPECT_EQ(reply(bad).failure, Failure::malformed) << bad;
  }
}

TEST(ApiReply, LogprobsOfBothKinds) {
  const ChatReply chat = read_api_reply(
      200, R"({"choices": [{"message": {"content": "ab"}, "finish_reason": "stop", "logprobs":
        {"content": [{"token": "a", "logprob": -0.5, "bytes": [97],
                      "top_logprobs": [{"token": "a", "logprob": -0.5}, {"token": "c", "logprob": -2}]},
                     {"token": "?", "logprob": -1, "bytes": [195], "top_logprobs": []}]}}]})",
      true);
  ASSERT_THAT(chat.logprobs, SizeIs(2));
  EXPECT_EQ(chat.logprobs[0].logprob, -0.5);
  EXPECT_EQ(chat.logprobs[1].token, "\xc3");
  ASSERT_THAT(chat.top_logprobs, SizeIs(2));
  EXPECT_EQ(chat.top_logprobs[0][1].token, "c");
  const ChatReply raw =
      read_api_reply(200, R"({"choices": [{"text": "ab", "finish_reason": "stop", "logprobs":
        {"tokens": ["a", "b"], "token_logprobs": [null, -1],
         "top_logprobs": [{"x": -3, "a": -1}, null], "text_offset": [0, 1]}}]})",
                     true);
  ASSERT_THAT(raw.logprobs, SizeIs(2));
  EXPECT_EQ(raw.logprobs[1].logprob, -1);
  EXPECT_EQ(raw.top_logprobs[0][0].token, "a");
}

struct Refusal {
  int status;
  std::string body;
  Failure failure;
  std::string code;
};

TEST(ApiReply, ErrorsOfManyServers) {
  const std::vector<Refusal> seen = {
      // OpenAI, vLLM, llama.cpp, Ollama, FastAPI, Azure, gateways
      {400, R"({"error": {"message": "This model's maximum context length is 4096 tokens.",
                "type": "invalid_request_error", "param": "messages",
                "code": "context_length_exceeded"}})",
       Failure::invalid_request, "context_length_exceeded"},
      {400, R"({"object": "error", "message": "This model's maximum context length is 8 tokens.",
                "type": "BadRequestError", "code": 400})",
       Failure::invalid_request, "context_length_exceeded"},
      {400, R"({"error": {"code": 400, "message": "the request exceeds the available context size",
                "type": "exceed_context_size_error"}})",
       Failure::invalid_request, "context_length_exceeded"},
      {404, R"({"error": {"message": "model 'x' not found, try pulling it first"}})",
       Failure::unavailable, "model_not_found"},
      {404, R"({"object": "error", "message": "The model `x` does not exist.",
                "type": "NotFoundError", "code": 404})",
       Failure::unavailable, "model_not_found"},
      {400, R"({"error": {"message": "Model Not Exist", "type": "invalid_request_error"}})",
       Failure::unavailable, "model_not_found"},
      {404, R"({"detail": "Not Found"})", Failure::unavailable, ""},
      {422, R"({"detail": "field required"})", Failure::invalid_request, ""},
      {400, R"({"error": {"code": "content_filter", "message": "the prompt triggered"}})",
       Failure::content_filter, "content_filter"},
      {429, R"({"error": {"message": "You exceeded your current quota", "type":
                "insufficient_quota", "code": "insufficient_quota"}})",
       Failure::unauthorized, "insufficient_quota"},
      {402, R"({"error": {"message": "Insufficient Balance"}})", Failure::unauthorized, ""},
      {529, R"({"error": {"type": "overloaded_error", "message": "Overloaded"}})",
       Failure::server_error, ""},
      {200, R"({"error": {"message": "Provider returned error", "code": 502}})",
       Failure::server_error, "502"},
      {200, R"({"error": {"message": "rate", "code": 429}})", Failure::rate_limited, "429"},
      {408, "", Failure::timeout, ""},
  };
  for (const Refusal& one : seen) {
    const ChatReply reply = read_api_reply(one.status, one.body, false);
    EXPECT_EQ(to_string(reply.failure), to_string(one.failure)) << one.body;
    EXPECT_EQ(reply.error_code, one.code) << one.body;
  }
}

TEST(ApiReply, LongErrorsAreShortened) {
  const ChatReply reply = read_api_reply(500, std::string(100'000, 'x'), false);
  EXPECT_LT(reply.error.size(), 600U);
}

TEST(ModelNames, AreReadAndShown) {
  EXPECT_THAT(read_model_names(R"({"data": [{"id": "a"}, {"no": 1}, {"id": "b"}]})"),
              ElementsAre("a", "b"));
  for (const char* none : {"", "<html>", "[]", R"({"data": {}})", R"({"data": [1]})"})
    EXPECT_THAT(read_model_names(none), IsEmpty()) << none;
  EXPECT_EQ(offered_models({"a", "b"}), "; the endpoint offers a, b");
  EXPECT_EQ(offered_models({}), "");
  EXPECT_THAT(offered_models(std::vector<std::string>(30, "m")), HasSubstr("and 10 more"));
}

TEST(ApiReplyFuzz, AnyBytesAreReadOrAFailure) {
  testing::FuzzPlan plan;
  plan.name = "api reply";
  plan.corpus = {
      R"({"id": "1", "choices": [{"index": 0, "message": {"role": "assistant", "content": "ab",
          "refusal": null}, "finish_reason": "stop", "logprobs": {"content": [{"token": "a",
          "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "a", "logprob": -1}]}]}}],
          "usage": {"prompt_tokens": 9, "completion_tokens": 2,
          "prompt_tokens_details": {"cached_tokens": 4}}})",
      R"({"choices": [{"text": "ab", "finish_reason": "length", "logprobs": {"tokens": ["a"],
          "token_logprobs": [-1], "top_logprobs": [{"a": -1}]}}]})",
      R"({"error": {"message": "no", "type": "t", "param": "model", "code": "c"}})",
      R"({"data": [{"id": "a"}]})"};
  plan.mutate = testing::mutate_json_text;
  plan.iterations = 5000;
  plan.run = [](const std::string& input) {
    for (const int status : {200, 400, 404, 429, 503}) {
      const ChatReply reply = read_api_reply(status, input, true);
      EXPECT_FALSE(status != 200 && reply.ok());
      EXPECT_EQ(reply.attempts_charged, 1);
      EXPECT_EQ(reply.logprobs.size(), reply.top_logprobs.size());
    }
    read_model_names(input);
  };
  EXPECT_EQ(testing::fuzz(plan).inputs, 5000U);
}

}  // namespace
}  // namespace tapir::llm
