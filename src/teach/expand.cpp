#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "llm/ask_rows.h"
#include "teach/teach.h"
#include "teach/wave.h"

namespace tapir::teach {
namespace {

// Asks the teacher once for every draft of a wave; what came is decided afterwards, in the order of
// requests.
class Wave : public llm::RowQuestions {
 public:
  Wave(const prompting::PromptSet& prompts, const tasks::Taxonomy& taxonomy,
       const ExpandOptions& options, std::vector<Draft> drafts)
      : prompts_(prompts),
        taxonomy_(taxonomy),
        options_(options),
        drafts_(std::move(drafts)),
        failures_(drafts_.size(), std::string(to_string(llm::Failure::stopped))),
        settled_(drafts_.size(), false) {}

  std::size_t rows() const override { return drafts_.size(); }

  llm::ChatRequest request(std::size_t row, int /*attempt*/) override {
    const Draft& draft = drafts_[row];
    llm::ChatRequest request;
    request.row_id = draft.instruction.id;
    const std::string& description = taxonomy_.find(draft.task)->description;
    request.messages = options_.requirements
                           ? prompts_.expand_layered(draft.task, description, draft.seed_prompt,
                                                     options_.requirements(draft.request))
                           : prompts_.expand(draft.task, description, draft.seed_prompt);
    request.sampling = options_.sampling;
    request.sampling.seed = draft.sampling_seed;
    return request;
  }

  bool read(std::size_t row, int /*attempt*/, const llm::ChatReply& reply) override {
    prompting::ReadText text = prompting::read_expansion(reply.text);
    if (reply.finish_reason != FinishReason::stop) {
      text = {{}, std::string(to_string(reply.finish_reason))};
    }
    failures_[row] = text.failure;
    settled_[row] = true;
    if (!text.ok()) return false;
    drafts_[row].instruction.messages = {{Role::user, std::move(text.text)}};
    return true;
  }

  void unanswered(std::size_t row, int /*attempt*/, const llm::ChatReply& reply) override {
    failures_[row] = std::string(to_string(reply.failure));
    settled_[row] = !llm::is_transient(reply.failure);
  }

  bool decided() const {
    for (const bool settled : settled_) {
      if (!settled) return false;
    }
    return true;
  }
  const Draft& draft(std::size_t row) const { return drafts_[row]; }
  // Empty: the reply was read.
  const std::string& failure(std::size_t row) const { return failures_[row]; }

 private:
  const prompting::PromptSet& prompts_;
  const tasks::Taxonomy& taxonomy_;
  const ExpandOptions& options_;
  std::vector<Draft> drafts_;
  std::vector<std::string> failures_;
  std::vector<bool> settled_;
};

constexpr const char* kFromTaxonomy = "taxonomy";  // source of what is no row of the data

// The examples of a task's description: they inspire where the data has nothing of it.
std::vector<Instruction> examples_of(const tasks::Task& task) {
  std::vector<Instruction> examples;
  for (const std::string& text : task.examples) {
    Instruction& example = examples.emplace_back();
    example.id = "task/" + task.name + "/" + std::to_string(examples.size());
    example.messages = {{Role::user, text}};
    example.task = task.name;
    example.source = kFromTaxonomy;
  }
  return examples;
}

class Expansion {
 public:
  Expansion(const prompting::PromptSet& prompts, const tasks::Taxonomy& taxonomy,
            const ExpandOptions& options)
      : taxonomy_(taxonomy),
        options_(options),
        stage_(options.arm + "/round-" + std::to_string(options.round) + "/expand"),
        version_(prompts.version(options.requirements ? "expand_layered" : "expand")) {}

  void need(const std::string& task, std::int64_t rows, const std::vector<Instruction>& seeds) {
    if (taxonomy_.find(task) == nullptr) taxonomy_.style_of(task);  // says which tasks there are
    const auto& examples =
        examples_.emplace(task, examples_of(*taxonomy_.find(task))).first->second;
    summary_.kept[task] = 0;
    summary_.missing[task] = rows;
    attempts_left_[task] = rows * options_.max_attempts_per_row;
    turns_.emplace(
        task, SeedTurns(task, seeds.empty() ? examples : seeds, options_.round, options_.seed));
  }

  // The requests of the next wave; none when everything is reached or no attempts are left.
  std::vector<Draft> next_wave() {
    std::vector<Draft> drafts;
    for (const auto& [task, rows] :
         wave_sizes(summary_.missing, attempts_left_, options_.wave_rows)) {
      for (std::int64_t i = 0; i < rows; ++i) drafts.push_back(draft(task));
      attempts_left_[task] -= rows;
    }
    return drafts;
  }

  void decide(const Wave& wave, Novelty& novelty,
              const std::function<void(const ExpandedRow&)>& keep) {
    ++summary_.waves;
    for (std::size_t row = 0; row < wave.rows(); ++row) {
      const Instruction& candidate = wave.draft(row).instruction;
      ++summary_.ledger.in;
      std::string outcome = wave.failure(row);
      if (!outcome.empty()) {
        ++summary_.ledger.failed[outcome];
      } else if (outcome = novelty.reject(candidate); !outcome.empty()) {
        ++summary_.ledger.filtered[outcome];
      } else {
        outcome = "kept";
        novelty.add(candidate);
        ++summary_.ledger.done;
        ++summary_.kept[candidate.task];
        --summary_.missing[candidate.task];
      }
      keep({candidate, outcome, wave.draft(row).request});
    }
  }

  ExpandSummary finish(bool complete) {
    summary_.complete = complete;
    std::erase_if(summary_.missing, [](const auto& task) { return task.second == 0; });
    return std::move(summary_);
  }

 private:
  Draft draft(const std::string& task) {
    const SeedTurns::Turn turn = turns_.at(task).next();
    const std::string parent = turn.seed != nullptr ? turn.seed->id : "task/" + task;
    Draft draft;
    draft.task = task;
    if (turn.seed != nullptr) draft.seed_prompt = prompting::question_text(turn.seed->messages);
    draft.request =
        "round-" + std::to_string(options_.round) + "/" + std::to_string(turn.use) + "/" + parent;
    draft.sampling_seed = static_cast<std::int64_t>(
        RandomStream(options_.seed, "expand", draft.request).below(std::uint64_t{1} << 31));
    draft.instruction.id = instruction_id(parent, stage_, version_, turn.use);
    draft.instruction.task = task;
    draft.instruction.source = "expanded";
    if (turn.seed != nullptr && turn.seed->source != kFromTaxonomy)
      draft.instruction.parent_id = turn.seed->id;
    draft.instruction.round = options_.round;
    return draft;
  }

  const tasks::Taxonomy& taxonomy_;
  const ExpandOptions& options_;
  std::string stage_;
  std::string version_;
  std::map<std::string, std::int64_t> attempts_left_;         // requests, by task
  std::map<std::string, std::vector<Instruction>> examples_;  // by task
  std::map<std::string, SeedTurns> turns_;                    // by task
  ExpandSummary summary_;
};

}  // namespace

ExpandSummary expand(llm::ChatModel& teacher, const prompting::PromptSet& prompts,
                     const tasks::Taxonomy& taxonomy,
                     const std::map<std::string, std::vector<Instruction>>& seeds_by_task,
                     const std::map<std::string, std::int64_t>& needed, Novelty& novelty,
                     const ExpandOptions& options,
                     const std::function<void(const ExpandedRow&)>& keep, ProgressSink& progress,
                     std::stop_token stop) {
  static const std::vector<Instruction> kNoSeeds;
  Expansion expansion(prompts, taxonomy, options);
  for (const auto& [task, rows] : needed) {
    if (rows <= 0) continue;
    const auto seeds = seeds_by_task.find(task);
    expansion.need(task, rows, seeds == seeds_by_task.end() ? kNoSeeds : seeds->second);
  }
  llm::AskRowsOptions asking{/*max_attempts=*/1, "expand", options.max_in_flight};
  while (true) {
    std::vector<Draft> drafts = expansion.next_wave();
    if (drafts.empty()) return expansion.finish(/*complete=*/true);
    Wave wave(prompts, taxonomy, options, std::move(drafts));
    llm::ask_rows(teacher, wave, asking, progress, stop);
    asking.unread_at_first = 0;  // later waves may be of one task that the teacher declines
    // Half a wave decides nothing: the replies that came are durable, and the next sitting replays
    // them.
    if (!wave.decided()) return expansion.finish(/*complete=*/false);
    expansion.decide(wave, novelty, keep);
  }
}

}  // namespace tapir::teach
