#include "student/answer_check.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.h"

namespace tapir::student {
namespace {

constexpr std::array<std::string_view, 8> kPrompts = {
    "Say hello.",
    "What is 2 + 3?",
    "Name three colours.",
    "What is the capital of France?",
    "Write one sentence about the sea.",
    "Is ice cold? Answer yes or no.",
    "Give a word that rhymes with cat.",
    "Translate to English: bonjour.",
};

// Their ids are their places.
std::vector<GenerateRequest> requests_of(const AnswerCheckOptions& options) {
  std::vector<GenerateRequest> requests = options.requests;
  if (requests.empty()) {
    for (const std::string_view text : kPrompts) {
      requests.push_back({"", {{Role::user, std::string(text)}}, ""});
    }
  }
  const auto wanted = static_cast<std::size_t>(std::max(0, options.prompts));
  if (wanted > requests.size()) {
    throw Error(ErrorKind::usage,
                "there are " + std::to_string(requests.size()) + " prompts to ask, not " +
                    std::to_string(wanted),
                "ask for fewer, or bring more");
  }
  requests.resize(wanted);
  for (std::size_t i = 0; i < requests.size(); ++i) requests[i].id = std::to_string(i);
  return requests;
}

}  // namespace

std::vector<CheckedAnswer> check_answers(const Student& student,
                                         const AnswerCheckOptions& options) {
  const std::vector<GenerateRequest> requests = requests_of(options);
  std::vector<CheckedAnswer> answers;
  for (const GenerateRequest& request : requests) {
    answers.push_back(
        {request.messages.empty() ? request.prompt : request.messages.back().content});
  }
  GenerateOptions generate;
  generate.sampling.max_new_tokens = options.max_new_tokens;
  generate.slots = 4;
  student.generate(requests, generate,
                   [&](const Generation& generation) {
                     CheckedAnswer& answer = answers.at(std::stoul(generation.id));
                     answer.text =
                         generation.failure.empty() ? generation.text : generation.failure;
                     answer.tokens = generation.completion_tokens;
                     answer.stopped = generation.failure.empty() &&
                                      generation.finish_reason == FinishReason::stop;
                   },
                   {});
  return answers;
}

void require_stopped(const std::vector<CheckedAnswer>& answers, const std::string& where) {
  const auto endless = std::find_if(answers.begin(), answers.end(),
                                    [](const CheckedAnswer& answer) { return !answer.stopped; });
  if (endless == answers.end()) return;
  const auto count = std::count_if(answers.begin(), answers.end(),
                                   [](const CheckedAnswer& answer) { return !answer.stopped; });
  throw Error(
      ErrorKind::data,
      where + ": " + std::to_string(count) + " of " + std::to_string(answers.size()) +
          " answers did not stop by themselves; the first is to \"" + endless->prompt + "\", " +
          std::to_string(endless->tokens) + " tokens without an end",
      "the model never learnt its end-of-turn token, or its chat template is not the one that it "
      "was trained with. A fresh or base model does that by nature: --check-prompts 0 skips this "
      "check");
}

}  // namespace tapir::student
