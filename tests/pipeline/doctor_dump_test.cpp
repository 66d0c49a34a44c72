#include "pipeline/doctor_dump.h"

#include <functional>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "test_data.h"

namespace tapir::pipeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Its token ids are bytes; every token has log-probability -1; it always answers "and so on".
class ByteStudent final : public student::Student {
 public:
  std::int64_t parameter_count() const override { return 7; }
  int context_length() const override { return 100; }
  void generate(std::span<const student::GenerateRequest> requests, const student::GenerateOptions&,
                const student::GenerationSink& sink, std::stop_token) const override {
    for (const auto& request : requests) {
      student::Generation answer;
      answer.id = request.id;
      answer.text = "and so on";
      answer.tokens = tokenize(answer.text, false);
      sink(answer);
    }
  }
  std::vector<student::TokenLosses> token_losses(std::span<const Example>) const override {
    return {};
  }
  student::TokenLosses completion_losses(const std::string&,
                                         const std::string& completion) const override {
    student::TokenLosses losses;
    losses.tokens = tokenize(completion, false);
    losses.logprobs.assign(losses.tokens.size(), -1.0F);
    return losses;
  }
  std::vector<std::int32_t> tokenize(const std::string& text, bool) const override {
    return {text.begin(), text.end()};
  }
  std::vector<std::int32_t> tokenize_chat(const Messages& messages) const override {
    return tokenize("<" + messages.back().content + ">", false);
  }
};

std::vector<std::int32_t> bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

Json matching_dump() {
  return {{"format", 2},
          {"transformers", "4.57.1"},
          {"dtype", "float32"},
          {"architecture", "LlamaForCausalLM"},
          {"parameters", 7},
          {"texts", {{{"text", "ab"}, {"ids", {97, 98}}}, {{"text", "c"}, {"ids", {99}}}}},
          {"chats",
           {{{"messages", {{{"role", "user"}, {"content", "a"}}}}, {"ids", {60, 97, 62}}},
            {{"messages", {{{"role", "system"}, {"content", "s"}}}}, {"refused", "no system"}}}},
          {"logprobs",
           {{{"prompt", "p"}, {"completion", "ab"}, {"tokens", {97, 98}}, {"logprobs", {-1, -1}}}}},
          {"greedy",
           {{{"prompt", "p"},
             {"text", "and so on"},
             {"tokens", bytes_of("and so on")},
             {"margins", std::vector<double>(10, 0.7)},
             {"max_new_tokens", 10}}}}};
}

// The student's greedy text, "and so on", leaves this one.
void expect_greedy(Json& dump, const std::string& text) {
  dump["greedy"][0]["text"] = text;
  dump["greedy"][0]["tokens"] = bytes_of(text);
}

std::vector<Check> compare(const Json& dump) {
  const testing::TemporaryFolder folder;
  write_file(folder.path() / "dump.json", dump.dump());
  return compare_with_dump(ByteStudent(), folder.path() / "dump.json");
}

// What the one check that fails has found.
std::string failing(const Json& dump) {
  std::string found;
  for (const Check& check : compare(dump)) {
    if (!check.ok) found += check.what + ": " + check.found;
  }
  return found;
}

TEST(DoctorDump, AMatchingDumpIsOkThroughout) {
  const std::vector<Check> checks = compare(matching_dump());
  ASSERT_EQ(checks.size(), 5U);
  EXPECT_EQ(failing(matching_dump()), "");
  EXPECT_EQ(checks[1].found, "2 texts equal");
  EXPECT_THAT(checks[2].found, HasSubstr("1 conversations"));  // the refused one does not count
}

TEST(DoctorDump, EveryDifferenceSaysWhere) {
  Json dump = matching_dump();
  dump["texts"][0]["ids"] = {97, 5};
  EXPECT_THAT(failing(dump), AllOf(HasSubstr("token ids: differs: 1 of 2"), HasSubstr("\"ab\""),
                                   HasSubstr("token 1: found 98, expected 5")));
  dump = matching_dump();
  dump["chats"][0]["ids"] = {60, 97};
  EXPECT_THAT(failing(dump), HasSubstr("token 2: found 62, expected nothing"));
  dump = matching_dump();
  dump["logprobs"][0]["logprobs"] = {-1, -1.5};
  EXPECT_THAT(failing(dump), AllOf(HasSubstr("logits"), HasSubstr("0.5 in a log-probability")));
  dump = matching_dump();
  expect_greedy(dump, "and then");
  EXPECT_THAT(failing(dump), AllOf(HasSubstr("greedy text"), HasSubstr("\"and then\""),
                                   HasSubstr("token 4: found 115, expected 116")));
  dump = matching_dump();
  dump["greedy"][0]["text"] = "other letters for the same tokens";
  EXPECT_THAT(failing(dump), HasSubstr("greedy text"));
  dump = matching_dump();
  dump["parameters"] = 8;
  EXPECT_THAT(failing(dump), HasSubstr("found 7 parameters, expected 8"));
}

// Any difference passed as soon as one step of a continuation was a near tie, which in half
// precision one of 24 nearly always is.
TEST(DoctorDump, OnlyADifferenceAtANearTieIsLetPass) {
  for (const char* text : {"and then", "and ", "and so on!"}) {  // other, ended sooner, went on
    const auto parted = static_cast<std::size_t>(text[4] == 't' ? 4 : text[4] == '\0' ? 4 : 9);
    Json dump = matching_dump();
    dump["dtype"] = "bfloat16";
    expect_greedy(dump, text);
    dump["greedy"][0]["margins"][parted - 1] = 0.01;
    EXPECT_THAT(failing(dump), HasSubstr("greedy text")) << text;
    dump["greedy"][0]["margins"][parted] = 0.02;
    EXPECT_EQ(failing(dump), "") << text;
    EXPECT_THAT(compare(dump).back().found,
                HasSubstr("near tie: after \"p\" at token " + std::to_string(parted)));
  }
}

TEST(DoctorDump, HalfPrecisionRoundsLogProbabilities) {
  Json dump = matching_dump();
  dump["dtype"] = "bfloat16";
  dump["logprobs"][0]["logprobs"] = {-1, -1.1};
  EXPECT_EQ(failing(dump), "");
}

TEST(DoctorDump, AFileThatIsNoDumpIsRefused) {
  EXPECT_THROW(compare({{"format", 1}}), Error);
  EXPECT_THROW(compare(Json::array()), Error);
  Json dump = matching_dump();
  dump["texts"] = "none";
  EXPECT_THROW(compare(dump), Error);
}

}  // namespace
}  // namespace tapir::pipeline
