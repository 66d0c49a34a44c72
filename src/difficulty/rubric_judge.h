// Pairs judged by the components of their instructions: by code, and where code cannot tell by a
// model that is asked about one answer at a time, all its requirements in one request.
#pragma once

#include <map>
#include <string>

#include "difficulty/difficulty.h"
#include "rubric/grade.h"

namespace tapir::difficulty {

// What instructions ask for, by instruction id.
using Rubrics = std::map<std::string, rubric::Rubric>;

struct RubricJudge {
  const Rubrics& rubrics;
  const prompting::PromptSet& prompts;
  llm::ChatModel* model = nullptr;  // who confirms judged components; nullptr: nobody
};

// How one kind of component fared, over all pairs that were scored.
struct ComponentDifficulty {
  std::int64_t components = 0;
  std::int64_t teacher_kept = 0;
  std::int64_t student_kept = 0;
  std::int64_t teacher_only = 0;  // what the student can learn
  bool operator==(const ComponentDifficulty&) const = default;
};

struct RubricSummary {
  // ledger: failed reasons "no_rubric", "needs_judge" (a judged component and nobody to ask),
  // "unreadable", or a llm::Failure name.
  JudgeSummary judged;
  std::map<std::string, ComponentDifficulty> by_kind;
};

// As judge_pairs(), with judgments of one order (teacher_first): both answers get the score of
// their rubric, 1-10; the judgment's text says how each component fared. Every pair's requests are
// made again in every sitting (the model's cache has the replies), so that by_kind is about all of
// them. Of the options count those of asking, and the threshold.
RubricSummary judge_by_rubric(const RubricJudge& judge, std::span<const Pair> pairs,
                              const std::vector<Judgment>& already, const JudgeOptions& options,
                              const std::function<void(const Judgment&)>& keep,
                              ProgressSink& progress, std::stop_token stop);

}  // namespace tapir::difficulty
