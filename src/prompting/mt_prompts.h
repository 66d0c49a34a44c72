// What MT-Bench's judge is asked: in our own words (prompts/mt_*.md), or by the templates of a
// judge_prompts.jsonl of FastChat's, such as the official one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "prompting/fastchat_prompts.h"
#include "prompting/prompts.h"

namespace tapir::prompting {

struct MtPrompt {
  // As FastChat names them: "single-v1", "single-math-v1" (with references), "pair-v2",
  // "pair-math-v1", each with "-multi-turn" for the second turn; ours with "tapir-" before.
  std::string name;
  Messages messages;
};

// Immutable; thread-safe.
class MtPrompts {
 public:
  static MtPrompts ours(PromptSet prompts) { return MtPrompts(std::move(prompts), std::nullopt); }
  static MtPrompts fastchat(const std::filesystem::path& file) {
    return MtPrompts(std::nullopt, FastChatPrompts::load(file));
  }

  // One or two turns, as many answers. Error{data}: the file has no such template.
  MtPrompt single(const GradedTurns& turns, const std::vector<std::string>& answers) const;
  MtPrompt pair(const GradedTurns& turns, const std::vector<std::string>& answers_a,
                const std::vector<std::string>& answers_b) const;

 private:
  MtPrompts(std::optional<PromptSet> own, std::optional<FastChatPrompts> theirs)
      : own_(std::move(own)), theirs_(std::move(theirs)) {}

  std::optional<PromptSet> own_;
  std::optional<FastChatPrompts> theirs_;
};

}  // namespace tapir::prompting
