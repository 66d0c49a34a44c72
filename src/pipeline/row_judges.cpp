#include "pipeline/row_judges.h"

#include <utility>

#include "pipeline/options.h"

namespace tapir::pipeline {
namespace {

void add(std::map<std::string, std::uint64_t>& sums,
         const std::map<std::string, std::uint64_t>& more) {
  for (const auto& [reason, rows] : more) sums[reason] += rows;
}

void add(difficulty::JudgeSummary& sum, const difficulty::JudgeSummary& more) {
  sum.ledger.in += more.ledger.in;
  sum.ledger.done += more.ledger.done;
  add(sum.ledger.failed, more.ledger.failed);
  add(sum.ledger.filtered, more.ledger.filtered);
  sum.band += more.band;  // of rules it is 0
  sum.one_order += more.one_order;
  sum.two_orders += more.two_orders;
  sum.flips += more.flips;
  sum.unread_replies += more.unread_replies;
  sum.complete = sum.complete && more.complete;
}

}  // namespace

RowJudges::RowJudges(const Recipe& recipe, const prompting::PromptSet& prompts,
                     std::function<llm::ChatModel&()> asked)
    : recipe_(recipe),
      prompts_(prompts),
      asked_(std::move(asked)),
      usual_(difficulty::make_pair_scorer(recipe.judge.kind)) {
  for (const std::string& entry : recipe.judge_by_source) {
    const auto [file, rule] = file_entry(entry, "judge.by_source", "gsm8k.jsonl: answer_match");
    by_source_[file] = difficulty::make_pair_scorer(rule);
  }
}

difficulty::JudgeSummary RowJudges::judge(std::span<const difficulty::Pair> pairs,
                                          const std::vector<Judgment>& already,
                                          const std::function<void(const Judgment&)>& keep,
                                          ProgressSink& progress, std::stop_token stop) const {
  std::vector<difficulty::Pair> usual;
  std::map<std::string, std::vector<difficulty::Pair>> by_rule;
  for (const difficulty::Pair& pair : pairs) {
    const std::string& source = pair.instruction.source;
    (by_source_.contains(source) ? by_rule[source] : usual).push_back(pair);
  }
  const difficulty::JudgeOptions options = judge_options(recipe_);
  const difficulty::Threshold threshold{options.threshold, options.strict};
  difficulty::JudgeSummary sum;
  const auto score = [&](const difficulty::PairScorer& scorer,
                         const std::vector<difficulty::Pair>& rows) {
    add(sum, difficulty::score_pairs(scorer, rows, already, threshold, keep, progress, stop));
  };
  for (const auto& [file, rows] : by_rule) score(*by_source_.at(file), rows);
  if (usual.empty()) return sum;
  if (usual_ != nullptr) {
    score(*usual_, usual);
  } else {
    add(sum,
        difficulty::judge_pairs(asked_(), prompts_, usual, already, options, keep, progress, stop));
  }
  return sum;
}

}  // namespace tapir::pipeline
