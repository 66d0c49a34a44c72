// Files of the Batch API: lines out, and lines in as OpenAI's batches and vLLM's run_batch write
// them.
#include "llm/batch_lines.h"

#include <gmock/gmock.h>

#include "base/json.h"
#include "fuzzing.h"
#include "llm/batch_model.h"
#include "llm/openai_api.h"
#include "llm_test_tools.h"

namespace tapir::llm {
namespace {

using ::testing::HasSubstr;

TEST(BatchLine, HoldsTheRequestAsItWouldBePosted) {
  const std::string body = api_call("m", request("two\nlines"), "").body;
  const std::string line = batch_line("key", body);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_TRUE(line.ends_with("\n"));
  const Json json = Json::parse(line);
  EXPECT_EQ(json["custom_id"], "key");
  EXPECT_EQ(json["method"], "POST");
  EXPECT_EQ(json["url"], "/v1/chat/completions");
  EXPECT_EQ(json["body"], Json::parse(body));
  ChatRequest raw;
  raw.prompt = "Once";
  EXPECT_EQ(Json::parse(batch_line("k", api_call("m", raw, "").body))["url"], "/v1/completions");
}

TEST(BatchModel, AsksNobodyUnderTheKeyOfTheNetwork) {
  const OpenAiOptions options{"m", "r2", R"({"top_k": 3})"};
  BatchModel model(options);
  const ChatReply reply = ask(model, request("q"));
  EXPECT_EQ(reply.failure, Failure::waiting);
  EXPECT_TRUE(is_transient(reply.failure));
  EXPECT_FALSE(is_worth_retrying(reply.failure));
  EXPECT_EQ(reply.key, reply_key(identity_of(options), request("q")));
  EXPECT_EQ(Json::parse(reply.text)["top_k"], 3);
  EXPECT_EQ(reply.attempts_charged, 0);
  EXPECT_EQ(model.waiting(), 1);
}

constexpr const char* kOpenAi =
    R"({"id": "batch_req_1", "custom_id": "k", "response": {"status_code": 200, "request_id": "r",
    "body": {"id": "c", "object": "chat.completion", "choices": [{"index": 0, "message":
    {"role": "assistant", "content": "four"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9,
    "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}}}, "error": null})";

TEST(ReadBatchLine, ReadsAnswers) {
  const BatchLine read = read_batch_line(kOpenAi);
  EXPECT_EQ(read.problem, "");
  EXPECT_EQ(read.custom_id, "k");
  EXPECT_TRUE(read.reply.ok());
  EXPECT_EQ(read.reply.text, "four");
  EXPECT_EQ(read.reply.usage.prompt_tokens, 9);
  EXPECT_EQ(read.reply.usage.cached_prompt_tokens, 4);
  EXPECT_EQ(read.reply.attempts_charged, 1);
}

// Bodies as texts, error lines of both kinds, requests that the batch gave up.
TEST(ReadBatchLine, ReadsWhatFailed) {
  const auto kind = [](const std::string& rest) {
    const BatchLine read = read_batch_line(R"({"custom_id": "k", )" + rest + "}");
    EXPECT_EQ(read.problem, "") << rest;
    return read.reply;
  };
  const ChatReply refused = kind(
      R"("response": {"status_code": 400, "body": {"error": {"message": "maximum context length"}}},
         "error": null)");
  EXPECT_EQ(refused.failure, Failure::invalid_request);
  EXPECT_EQ(refused.error_code, kContextOverflow);
  const ChatReply vllm = kind(
      R"("id": "vllm-1", "response": {"status_code": 400, "request_id": "r", "body": null},
         "error": {"object": "error", "message": "unknown field", "type": "BadRequestError"})");
  EXPECT_EQ(vllm.failure, Failure::invalid_request);
  EXPECT_THAT(vllm.error, HasSubstr("unknown field"));
  EXPECT_EQ(kind(R"("response": {"status_code": 400, "body": null},
                    "error": {"error": {"message": "as newer ones write"}})")
                .error,
            "as newer ones write");
  const ChatReply expired =
      kind(R"("response": null, "error": {"code": "batch_expired", "message": "too late"})");
  EXPECT_EQ(expired.failure, Failure::server_error);
  EXPECT_EQ(expired.attempts_charged, 0);
  EXPECT_THAT(expired.error, HasSubstr("too late"));
  EXPECT_EQ(kind(R"("response": {"status_code": 429, "body": {}})").failure, Failure::rate_limited);
  EXPECT_EQ(kind(R"("response": {"status_code": 200, "body": {"choices": [{"message":
      {"content": "fou"}, "finish_reason": "length"}]}})")
                .failure,
            Failure::length);
  const ChatReply as_text = kind(
      R"("response": {"body": "{\"choices\": [{\"text\": \"4\", \"finish_reason\": \"stop\"}]}"})");
  EXPECT_TRUE(as_text.ok());
  EXPECT_EQ(as_text.text, "4");
  EXPECT_EQ(kind(R"("response": {"status_code": "abc", "body": {}})").failure, Failure::malformed);
  EXPECT_EQ(kind(R"("response": {"status_code": 200})").failure, Failure::malformed);
}

TEST(ReadBatchLine, SaysWhyALineIsNone) {
  EXPECT_THAT(read_batch_line("").problem, HasSubstr("JSON"));
  EXPECT_THAT(read_batch_line(std::string(kOpenAi).substr(0, 200)).problem, HasSubstr("cut?"));
  EXPECT_THAT(read_batch_line("[1]").problem, HasSubstr("JSON object"));
  EXPECT_EQ(read_batch_line(R"({"response": {}})").problem, "no custom_id");
  EXPECT_EQ(read_batch_line(R"({"custom_id": 7, "response": {}})").problem, "no custom_id");
  EXPECT_THAT(read_batch_line(R"({"custom_id": "k"})").problem, HasSubstr("neither"));
}

TEST(ReadBatchLine, TakesAnyBytes) {
  testing::FuzzPlan plan;
  plan.name = "batch line";
  plan.corpus = {
      kOpenAi,
      R"({"custom_id": "k", "response": {"status_code": 400, "body": null}, "error": {"message": "m"}})",
      R"({"custom_id": "k", "response": null, "error": {"code": "batch_expired", "message": "m"}})"};
  plan.mutate = testing::mutate_json_text;
  plan.iterations = 5000;
  plan.run = [](const std::string& input) {
    const BatchLine read = read_batch_line(input);
    EXPECT_TRUE(read.problem.empty() || !read.reply.ok() || read.reply.text.empty());
    // What is read as a reply belongs to a request.
    EXPECT_TRUE(!read.problem.empty() || !read.custom_id.empty());
    EXPECT_GE(read.reply.usage.prompt_tokens, 0);
    EXPECT_GE(read.reply.usage.completion_tokens, 0);
  };
  EXPECT_EQ(testing::fuzz(plan).inputs, 5000U);
}

}  // namespace
}  // namespace tapir::llm
