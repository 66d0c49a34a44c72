#include <map>

#include "llm/ask_rows.h"
#include "tasks/classifier.h"

namespace tapir::tasks {
namespace {

// What the model is told when its label could not be used.
std::string complaint_about(const std::string& failure) {
  if (failure == "unknown_label") return "The name between the answer tags is not in the list.";
  return "There was no name of a type between answer tags.";
}

class Labelling : public llm::RowQuestions {
 public:
  Labelling(const prompting::PromptSet& prompts, const Taxonomy& taxonomy,
            std::span<const Instruction> rows, const LlmOptions& options)
      : prompts_(prompts),
        rows_(rows),
        options_(options),
        fallback_(taxonomy.fallback),
        names_(taxonomy.names()),
        labelled_(taxonomy.labelled()),
        why_open_(rows.size(), std::string(to_string(llm::Failure::stopped))) {}

  std::size_t rows() const override { return rows_.size(); }

  llm::ChatRequest request(std::size_t row, int attempt) override {
    llm::ChatRequest request;
    request.row_id = rows_[row].id;
    request.messages = attempt == 0
                           ? prompts_.classify(rows_[row].messages, labelled_)
                           : prompts_.classify_again(rows_[row].messages, labelled_,
                                                     last_replies_.at(row), complaints_.at(row));
    request.sampling = options_.sampling;
    return request;
  }

  bool read(std::size_t row, int attempt, const llm::ChatReply& reply) override {
    const prompting::ReadText label = prompting::read_label(reply.text, names_);
    if (!label.ok() && attempt + 1 < options_.max_attempts) {
      last_replies_[row] = reply.text;
      complaints_[row] = complaint_about(label.failure);
      return false;
    }
    why_open_[row].clear();
    labels_.task_of[rows_[row].id] = label.ok() ? label.text : fallback_;
    if (!label.ok()) {
      ++labels_.fell_back;
      labels_.unlabelled[rows_[row].id] = label.failure;
    }
    return label.ok();
  }

  void unanswered(std::size_t row, int /*attempt*/, const llm::ChatReply& reply) override {
    why_open_[row] = std::string(to_string(reply.failure));
    if (llm::is_transient(reply.failure)) return;
    ++terminal_;
    labels_.unlabelled[rows_[row].id] = why_open_[row];
  }

  LlmLabels result() {
    labels_.ledger.in = rows_.size();
    std::uint64_t open = 0;
    for (const std::string& reason : why_open_) {
      if (reason.empty()) {
        ++labels_.ledger.done;
      } else {
        ++labels_.ledger.failed[reason];
        ++open;
      }
    }
    labels_.complete = open == terminal_;
    return std::move(labels_);
  }

 private:
  const prompting::PromptSet& prompts_;
  std::span<const Instruction> rows_;
  const LlmOptions& options_;
  std::string fallback_;
  std::vector<std::string> names_;
  std::vector<std::pair<std::string, std::string>> labelled_;
  std::vector<std::string> why_open_;  // by row: why there is no label yet; empty: there is one
  std::map<std::size_t, std::string> last_replies_;  // by row: where a label could not be used
  std::map<std::size_t, std::string> complaints_;
  std::uint64_t terminal_ = 0;  // rows that the endpoint refused for good
  LlmLabels labels_;
};

}  // namespace

LlmLabels label_by_llm(llm::ChatModel& model, const prompting::PromptSet& prompts,
                       const Taxonomy& taxonomy, std::span<const Instruction> rows,
                       const LlmOptions& options, ProgressSink& progress, std::stop_token stop) {
  Labelling labelling(prompts, taxonomy, rows, options);
  llm::ask_rows(model, labelling, {options.max_attempts, "tasks", options.max_in_flight}, progress,
                std::move(stop));
  return labelling.result();
}

}  // namespace tapir::tasks
