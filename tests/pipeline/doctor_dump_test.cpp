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

Json matching_dump() {
  return {{"format", 1},
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
           {{{"prompt", "p"}, {"text", "and so on"}, {"margin", 0.5}, {"max_new_tokens", 8}}}}};
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
  dump["greedy"][0]["text"] = "and then";
  EXPECT_THAT(failing(dump), AllOf(HasSubstr("greedy text"), HasSubstr("\"and then\"")));
  dump = matching_dump();
  dump["parameters"] = 8;
  EXPECT_THAT(failing(dump), HasSubstr("found 7 parameters, expected 8"));
}

TEST(DoctorDump, ANearTieAndHalfPrecisionAreLetPass) {
  Json dump = matching_dump();
  dump["greedy"][0]["text"] = "and then";
  dump["greedy"][0]["margin"] = 1e-4;
  EXPECT_EQ(failing(dump), "");
  dump = matching_dump();
  dump["dtype"] = "bfloat16";
  dump["logprobs"][0]["logprobs"] = {-1, -1.1};
  EXPECT_EQ(failing(dump), "");
}

TEST(DoctorDump, AFileThatIsNoDumpIsRefused) {
  EXPECT_THROW(compare({{"format", 2}}), Error);
  EXPECT_THROW(compare(Json::array()), Error);
  Json dump = matching_dump();
  dump["texts"] = "none";
  EXPECT_THROW(compare(dump), Error);
}

}  // namespace
}  // namespace tapir::pipeline
