// `tapir estimate --sample`: some rows' requests, asked as the run will ask them, so that it finds
// their replies.
#include <set>

#include "base/error.h"
#include "pipeline/estimate.h"
#include "pipeline/find_tasks.h"
#include "pipeline/options.h"
#include "pipeline/plain_questions.h"
#include "pipeline/run.h"

namespace tapir::pipeline {
namespace {

// Answers whose only trace is what they took.
class SampledAnswers final : public PlainQuestions {
 public:
  using PlainQuestions::PlainQuestions;
  bool read(std::size_t, int, const llm::ChatReply& reply) override {
    return prompting::read_answer(reply.text).ok();
  }
  void unanswered(std::size_t, int, const llm::ChatReply& reply) override {
    complete_ = complete_ && !is_transient(reply.failure);
  }
  bool complete() const { return complete_; }

 private:
  bool complete_ = true;
};

}  // namespace

Sample Run::sample(std::int64_t rows) {
  stage("data", [&](const auto& s) { return read_data(s); });
  const std::vector<Instruction> drawn = rows_to_label(rows_of_data(), rows, recipe_.seed);
  const double before = budget_->spent().usd();
  Sample sample;
  if (recipe_.data.responses != "keep") sample_responses(drawn, sample);
  if (recipe_.tasks.classifier != "given" && recipe_.tasks.labelled.empty())
    sample_tasks(drawn, sample);
  stage_name_.set("");
  sample.usd = budget_->spent().usd() - before;
  store_->set_meta("sample", sample_json(sample).dump());
  store_->flush();
  return sample;
}

void Run::sample_responses(std::vector<Instruction> rows, Sample& sample) {
  std::set<std::string> answered;
  if (recipe_.data.responses == "missing") {
    for (const Response& r : store_->responses("data")) answered.insert(r.instruction_id);
  }
  std::erase_if(rows, [&](const Instruction& row) { return answered.contains(row.id); });
  if (rows.empty()) return;
  stage_name_.set("responses");
  MeteredModel metered(teacher_->model(), prices_of(recipe_.teacher));
  SampledAnswers answers(rows, sampling_of(recipe_.teacher));
  llm::ask_rows(metered, answers,
                {SampledAnswers::kMaxAttempts, "responses", in_flight(recipe_.teacher)}, progress_,
                stop_);
  check_complete(answers.complete() && !stop_.stop_requested(), "responses", "teacher");
  sample.stages["responses"] = metered.figures();
}

void Run::sample_tasks(std::vector<Instruction> rows, Sample& sample) {
  const auto most = static_cast<std::size_t>(recipe_.tasks.label_rows);
  if (recipe_.tasks.classifier == "light" && rows.size() > most) rows.resize(most);
  stage_name_.set("tasks");
  MeteredModel metered(teacher_->model(), prices_of(recipe_.teacher));
  const tasks::LlmLabels labels = tasks::label_by_llm(metered, prompts_, taxonomy_, rows,
                                                      label_options(recipe_), progress_, stop_);
  check_complete(labels.complete, "tasks", "teacher");
  sample.stages["tasks"] = metered.figures();
}

}  // namespace tapir::pipeline
