#include <utility>

#include "llm/ask_rows.h"
#include "teach/teach.h"

namespace tapir::teach {
namespace {

class Refinement : public llm::RowQuestions {
 public:
  Refinement(const prompting::PromptSet& prompts, const tasks::Taxonomy& taxonomy,
             std::span<const RefineRow> rows, const RefineOptions& options,
             const std::function<void(const Response&)>& keep)
      : prompts_(prompts),
        rows_(rows),
        options_(options),
        keep_(keep),
        failures_(rows.size(), std::string(to_string(llm::Failure::stopped))),
        settled_(rows.size(), false) {
    for (const RefineRow& row : rows) styles_.push_back(taxonomy.style_of(row.instruction.task));
  }

  std::size_t rows() const override { return rows_.size(); }

  llm::ChatRequest request(std::size_t row, int /*attempt*/) override {
    const auto& [instruction, current_answer] = rows_[row];
    const auto& [style, guidance] = styles_[row];
    llm::ChatRequest request;
    request.row_id = instruction.id;
    request.sampling = options_.sampling;
    request.messages =
        current_answer.empty()
            ? prompts_.answer(instruction.messages, instruction.task, style, guidance)
            : prompts_.refine(instruction.messages, current_answer, instruction.task, style,
                              guidance);
    return request;
  }

  bool read(std::size_t row, int attempt, const llm::ChatReply& reply) override {
    // An answer that was cut is no answer to learn from, and asking again would cut it again.
    if (reply.finish_reason != FinishReason::stop) {
      settle(row, std::string(to_string(reply.finish_reason)));
      return true;
    }
    const prompting::ReadText answer = prompting::read_answer(reply.text);
    if (!answer.ok()) {
      if (attempt + 1 >= options_.max_attempts) settle(row, answer.failure);
      return false;
    }
    settle(row, {});
    Response response;
    response.instruction_id = rows_[row].instruction.id;
    response.author = "teacher/" + styles_[row].first;
    response.text = answer.text;
    response.finish_reason = reply.finish_reason;
    response.tokens = reply.usage.completion_tokens;
    response.reply_key = reply.key;
    keep_(response);
    return true;
  }

  void unanswered(std::size_t row, int /*attempt*/, const llm::ChatReply& reply) override {
    failures_[row] = std::string(to_string(reply.failure));
    settled_[row] = !llm::is_transient(reply.failure);
  }

  RefineSummary finish(
      const std::function<void(const std::string&, const std::string&)>& failed) const {
    RefineSummary summary;
    summary.ledger.in = rows_.size();
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      summary.complete = summary.complete && settled_[row];
      if (failures_[row].empty()) {
        ++summary.ledger.done;
        continue;
      }
      ++summary.ledger.failed[failures_[row]];
      if (settled_[row]) failed(rows_[row].instruction.id, failures_[row]);
    }
    return summary;
  }

 private:
  void settle(std::size_t row, std::string failure) {
    failures_[row] = std::move(failure);
    settled_[row] = true;
  }

  const prompting::PromptSet& prompts_;
  std::span<const RefineRow> rows_;
  const RefineOptions& options_;
  const std::function<void(const Response&)>& keep_;
  std::vector<std::pair<std::string, std::string>> styles_;  // name and guidance, by row
  std::vector<std::string> failures_;                        // by row; empty: answered
  std::vector<bool> settled_;  // by row; false: asked again by the next run
};

}  // namespace

RefineSummary refine(
    llm::ChatModel& teacher, const prompting::PromptSet& prompts, const tasks::Taxonomy& taxonomy,
    std::span<const RefineRow> rows, const RefineOptions& options,
    const std::function<void(const Response&)>& keep,
    const std::function<void(const std::string& id, const std::string& reason)>& failed,
    ProgressSink& progress, std::stop_token stop) {
  Refinement refinement(prompts, taxonomy, rows, options, keep);
  llm::ask_rows(teacher, refinement, {options.max_attempts, "refine", options.max_in_flight},
                progress, std::move(stop));
  return refinement.finish(failed);
}

}  // namespace tapir::teach
