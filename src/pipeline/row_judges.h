// Who judges which row: by rule where judge.by_source names the file that the row came from, else
// as judge.kind says. Internal to the pipeline.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "difficulty/difficulty.h"
#include "difficulty/pair_scorers.h"
#include "llm/chat_model.h"
#include "pipeline/recipe.h"
#include "prompting/prompts.h"

namespace tapir::pipeline {

class RowJudges {
 public:
  // The recipe, which has been checked, and the prompts must outlive it. `asked` is called when a
  // model has to be asked.
  RowJudges(const Recipe& recipe, const prompting::PromptSet& prompts,
            std::function<llm::ChatModel&()> asked);

  // As difficulty::judge_pairs() and score_pairs(), each pair by its judge. New instructions are of
  // no file: judge.kind judges them.
  difficulty::JudgeSummary judge(std::span<const difficulty::Pair> pairs,
                                 const std::vector<Judgment>& already,
                                 const std::function<void(const Judgment&)>& keep,
                                 ProgressSink& progress, std::stop_token stop) const;

 private:
  const Recipe& recipe_;
  const prompting::PromptSet& prompts_;
  std::function<llm::ChatModel&()> asked_;
  std::unique_ptr<difficulty::PairScorer> usual_;  // nullptr: a model is asked
  std::map<std::string, std::unique_ptr<difficulty::PairScorer>> by_source_;
};

}  // namespace tapir::pipeline
