#include "pipeline/estimate_corpus.h"

#include <algorithm>
#include <set>

#include "dataset/read_instructions.h"
#include "difficulty/pair_scorers.h"
#include "pipeline/doctor.h"
#include "pipeline/gym_binding.h"
#include "pipeline/options.h"

namespace tapir::pipeline {
namespace {

std::size_t length_of(const Example& example) {
  std::size_t bytes = 0;
  for (const Segment& segment : example.segments) bytes += segment.text.size();
  return bytes;
}

// A row as rounds train on it: refined, its answer grows. One without an answer counts with one as
// long as its question.
Example sample_row(const Recipe& recipe, const Instruction& instruction,
                   const std::string& response) {
  const std::string& text = response.empty() ? instruction.messages.back().content : response;
  const double growth = recipe.tapir.refine == "none" ? 1 : assumed::kStyledAnswer;
  std::string answer;
  while (static_cast<double>(answer.size()) < growth * static_cast<double>(text.size()))
    answer += text;
  return make_example(instruction, answer);
}

void keep_longest(std::vector<Example>& rows) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Example& a, const Example& b) { return length_of(a) > length_of(b); });
  rows.resize(std::min(rows.size(), kMemoryRows));
}

std::size_t bytes_of(const Messages& messages) {
  std::size_t bytes = 0;
  for (const Message& message : messages) bytes += message.content.size();
  return bytes;
}

double tokens_of(const Messages& messages) {
  return static_cast<double>(bytes_of(messages)) / assumed::kBytesPerToken;
}

// Sums over rows, in bytes.
class Adder {
 public:
  explicit Adder(const Recipe& recipe) : recipe_(recipe), ruled_(files_judged_by_rule(recipe)) {}

  void add(const Instruction& instruction, const std::string& response) {
    ++facts_.rows;
    facts_.unanswered += response.empty() ? 1 : 0;
    prompt_ += static_cast<double>(bytes_of(instruction.messages));
    answer_ += static_cast<double>(response.size());
    by_rule_ += ruled_.contains(instruction.source) ? 1 : 0;
    facts_.longest.push_back(sample_row(recipe_, instruction, response));
    if (facts_.longest.size() == 8 * kMemoryRows) keep_longest(facts_.longest);
  }
  CorpusFacts finish(double bytes_per_token) {
    keep_longest(facts_.longest);
    const auto answered = static_cast<double>(facts_.rows - facts_.unanswered);
    const double rows = std::max(1.0, static_cast<double>(facts_.rows));
    facts_.prompt_tokens = prompt_ / rows / bytes_per_token;
    facts_.answer_tokens =
        answered > 0 ? std::max(8.0, answer_ / answered / bytes_per_token) : assumed::kAnswer;
    if (difficulty::make_pair_scorer(recipe_.judge.kind) == nullptr)
      facts_.asked_share = 1 - by_rule_ / rows;
    return std::move(facts_);
  }

 private:
  const Recipe& recipe_;
  const std::set<std::string> ruled_;
  CorpusFacts facts_;
  double prompt_ = 0;
  double answer_ = 0;
  double by_rule_ = 0;  // rows
};

}  // namespace

CorpusFacts corpus_facts(const Recipe& recipe) {
  Adder adder(recipe);
  if (recipe.data.gym_rows > 0) {
    for (const GymRow& row : gym_held_out(200, recipe.seed)) adder.add(row.instruction, row.answer);
    CorpusFacts facts = adder.finish(assumed::kGymBytesPerToken);
    facts.rows = recipe.data.gym_rows;  // 200 of them tell how long they are
    return facts;
  }
  for (const auto& row : dataset::read_instructions(instruction_files(recipe)))
    adder.add(row.instruction, row.response.value_or(""));
  return adder.finish(assumed::kBytesPerToken);
}

PromptFacts prompt_facts(const Recipe& recipe) {
  const prompting::PromptSet prompts = prompts_of(recipe);
  const tasks::Taxonomy taxonomy = taxonomy_of(recipe);
  const Messages nothing = {{Role::user, ""}};
  const std::string& task = taxonomy.tasks.front().name;
  const auto [style, guidance] = taxonomy.style_of(task);
  return {.judge = tokens_of(prompts.judge_pair(nothing, "", "")),
          .classify = tokens_of(prompts.classify(nothing, taxonomy.labelled())),
          .expand = tokens_of(prompts.expand(task, taxonomy.tasks.front().description, "")),
          .answer = tokens_of(prompts.answer(nothing, task, style, guidance)),
          .refine = tokens_of(prompts.refine(nothing, "", task, style, guidance))};
}

}  // namespace tapir::pipeline
