#include "student/answer_check.h"

#include <stdexcept>

#include <gmock/gmock.h>

#include "base/error.h"
#include "error_of.h"

namespace tapir::student {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Answers prompts with the word "end" in them, and talks on after the others.
class TalkingStudent final : public Student {
 public:
  std::int64_t parameter_count() const override { return 0; }
  int context_length() const override { return 100; }
  void generate(std::span<const GenerateRequest> requests, const GenerateOptions& options,
                const GenerationSink& sink, std::stop_token) const override {
    for (auto request = requests.rbegin(); request != requests.rend(); ++request) {
      const bool stops = request->prompt.find("end") != std::string::npos;
      Generation answer;
      answer.id = request->id;
      answer.text = "to " + request->prompt;
      answer.finish_reason = stops ? FinishReason::stop : FinishReason::length;
      answer.completion_tokens = stops ? 3 : options.sampling.max_new_tokens;
      sink(answer);
    }
  }
  std::vector<TokenLosses> token_losses(std::span<const Example>) const override { fail(); }
  TokenLosses completion_losses(const std::string&, const std::string&) const override { fail(); }
  std::vector<std::int32_t> tokenize(const std::string&, bool) const override { fail(); }
  std::vector<std::int32_t> tokenize_chat(const Messages&) const override { fail(); }

 private:
  [[noreturn]] static void fail() { throw std::logic_error("not asked for here"); }
};

AnswerCheckOptions ask(const std::vector<std::string>& prompts) {
  AnswerCheckOptions options;
  options.prompts = static_cast<int>(prompts.size());
  options.max_new_tokens = 20;
  for (const std::string& prompt : prompts) options.requests.push_back({"x", {}, prompt});
  return options;
}

TEST(AnswerCheck, AnswersComeInTheOrderOfThePrompts) {
  const auto answers = check_answers(TalkingStudent(), ask({"the end", "the sea", "end"}));
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(answers[0].text, "to the end");
  EXPECT_TRUE(answers[0].stopped);
  EXPECT_FALSE(answers[1].stopped);
  EXPECT_EQ(answers[1].tokens, 20);
  EXPECT_EQ(answers[2].prompt, "end");
}

TEST(AnswerCheck, OneThatTalksOnIsNamedWithTheReason) {
  const auto answers = check_answers(TalkingStudent(), ask({"end", "the sea", "the sky"}));
  const Error e = testing::error_of([&] { require_stopped(answers, "student.gguf"); });
  EXPECT_EQ(e.kind(), ErrorKind::data);
  EXPECT_THAT(e.what(), AllOf(HasSubstr("student.gguf"), HasSubstr("2 of 3"), HasSubstr("the sea"),
                              HasSubstr("20 tokens")));
  EXPECT_THAT(e.hint(), AllOf(HasSubstr("end-of-turn"), HasSubstr("--check-prompts 0")));
  EXPECT_NO_THROW(require_stopped(check_answers(TalkingStudent(), ask({"end"})), "x"));
}

TEST(AnswerCheck, TheBuiltInPromptsAreEnough) {
  AnswerCheckOptions options;
  options.prompts = 8;
  EXPECT_EQ(check_answers(TalkingStudent(), options).size(), 8U);
  options.prompts = 0;
  EXPECT_TRUE(check_answers(TalkingStudent(), options).empty());
  options.prompts = 9;
  EXPECT_THROW(check_answers(TalkingStudent(), options), Error);
}

}  // namespace
}  // namespace tapir::student
