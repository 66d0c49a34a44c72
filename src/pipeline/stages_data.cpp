// The corpus D: instructions in, answers, tasks.
#include <set>
#include <span>

#include <fmt/format.h>

#include "base/error.h"
#include "llm/ask_rows.h"
#include "pipeline/cleaning.h"
#include "pipeline/doctor.h"
#include "pipeline/find_tasks.h"
#include "pipeline/gym_binding.h"
#include "pipeline/options.h"
#include "pipeline/run.h"

namespace tapir::pipeline {
namespace {

constexpr const char* kTeacherAuthor = "teacher/plain";  // of answers without a style of ours

// Asks the teacher to answer instructions as they are; answers and outcomes go to the store.
class PlainAnswers final : public llm::RowQuestions {
 public:
  PlainAnswers(std::span<const Instruction> rows, const llm::Sampling& sampling, std::string stage,
               store::RunStore& store)
      : rows_(rows), sampling_(sampling), stage_(std::move(stage)), store_(store) {}

  std::size_t rows() const override { return rows_.size(); }
  llm::ChatRequest request(std::size_t row, int /*attempt*/) override {
    return {.row_id = rows_[row].id, .messages = rows_[row].messages, .sampling = sampling_};
  }
  bool read(std::size_t row, int attempt, const llm::ChatReply& reply) override {
    const prompting::ReadText answer = prompting::read_answer(reply.text);
    if (answer.ok()) {
      store_.put_response(stage_, {rows_[row].id, kTeacherAuthor, answer.text, reply.finish_reason,
                                   reply.usage.completion_tokens, reply.key});
      settle(row, Outcome::done, "");
    } else if (attempt + 1 == kMaxAttempts) {
      settle(row, Outcome::failed, answer.failure);
    }
    return answer.ok();
  }
  void unanswered(std::size_t row, int /*attempt*/, const llm::ChatReply& reply) override {
    if (!is_transient(reply.failure)) settle(row, Outcome::failed, to_string(reply.failure));
  }

  bool complete() const { return settled_ == rows_.size(); }
  static constexpr int kMaxAttempts = 3;  // an empty answer is asked for again

 private:
  void settle(std::size_t row, Outcome outcome, std::string_view reason) {
    store_.put_outcome(stage_, rows_[row].id, outcome, reason);
    ++settled_;
  }

  std::span<const Instruction> rows_;
  llm::Sampling sampling_;
  std::string stage_;
  store::RunStore& store_;
  std::size_t settled_ = 0;
};

}  // namespace

std::vector<dataset::DataRow> Run::data_rows() const {
  std::vector<dataset::DataRow> rows;
  if (recipe_.data.gym_rows > 0) {
    for (GymRow& row : gym_pool(recipe_)) {
      rows.emplace_back();
      rows.back().instruction = std::move(row.instruction);
      rows.back().response = std::move(row.answer);
    }
  }
  const auto files = instruction_files(recipe_);
  if (files.empty()) return rows;
  for (dataset::DataRow& row : dataset::read_instructions(files)) rows.push_back(std::move(row));
  return rows;
}

Run::StageEnd Run::read_data(const std::string& stage) {
  const std::vector<dataset::DataRow> rows = data_rows();
  const auto evaluation = evaluation_index(recipe_);
  const std::vector<dataset::Removal> removals =
      dataset::clean(rows, clean_options(recipe_), evaluation.get());
  auto removal = removals.begin();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Instruction& instruction = rows[i].instruction;
    if (removal != removals.end() && removal->row == i) {
      store_->put_outcome(stage, instruction.id, Outcome::filtered, removal->reason);
      ++removal;
      continue;
    }
    store_->put_instruction(stage, instruction);
    if (rows[i].response)
      store_->put_response(stage,
                           {instruction.id, "data", *rows[i].response, FinishReason::stop, 0, ""});
    store_->put_outcome(stage, instruction.id, Outcome::done, "");
  }
  StageEnd end = end_of(stage, rows.size());
  if (end.ledger.done == 0) {
    throw Error(ErrorKind::data, "not one instruction is left of " + std::to_string(rows.size()),
                "rows without a response are left out; set data.responses: missing to have the "
                "teacher answer them");
  }
  return end;
}

Run::StageEnd Run::ask_responses(const std::string& stage) {
  std::set<std::string> answered;
  const bool all = recipe_.data.responses == "reannotate";
  for (const Response& r : store_->responses(kTeacherAuthor)) answered.insert(r.instruction_id);
  if (!all) {
    for (const Response& r : store_->responses("data")) answered.insert(r.instruction_id);
  }
  std::vector<Instruction> rows = store_->instructions(0);
  const std::uint64_t in = rows.size();
  for (const Instruction& row : rows) {
    if (answered.contains(row.id)) store_->put_outcome(stage, row.id, Outcome::done, "");
  }
  std::erase_if(rows, [&](const Instruction& row) { return answered.contains(row.id); });
  PlainAnswers answers(rows, sampling_of(recipe_.teacher), stage, *store_);
  llm::ask_rows(teacher_->model(), answers,
                {PlainAnswers::kMaxAttempts, stage, in_flight(recipe_.teacher)}, progress_, stop_);
  check_complete(answers.complete(), stage, "teacher");
  return end_of(stage, in);
}

Run::StageEnd Run::find_tasks(const std::string& stage) {
  const std::vector<Instruction> rows = store_->instructions(0);
  const TaskFinder finder{recipe_, taxonomy_, prompts_,
                          [this]() -> llm::ChatModel& { return teacher_->model(); }};
  const FoundTasks found = pipeline::find_tasks(finder, rows, progress_, stop_);
  check_complete(found.complete, stage, "teacher");
  if (found.info.contains("agreement")) {
    const Json& agreement = found.info["agreement"];
    progress_.message(fmt::format(
        "tasks: the light classifier agrees with the teacher on {:.1f} % of {} held-out rows",
        100 * agreement["accuracy"].get<double>(), agreement["rows"].get<std::int64_t>()));
  }
  if (found.info.contains("warning"))
    progress_.message("warning: tasks: " + found.info["warning"].get<std::string>());
  for (const auto& [id, label] : found.labels) {
    store_->set_task(stage, id, label.task, label.confidence);
    // Done, with the fallback's task: the reason is what `tapir retry` goes by.
    const auto unlabelled = found.unlabelled.find(id);
    store_->put_outcome(stage, id, Outcome::done,
                        unlabelled == found.unlabelled.end() ? "" : unlabelled->second);
  }
  return end_of(stage, rows.size(), found.info.dump());
}

void Run::load_corpus() {
  corpus_.rows = store_->instructions(0);
  corpus_.answers.clear();
  for (const char* author : {"data", kTeacherAuthor}) {
    for (Response& r : store_->responses(author))
      corpus_.answers[r.instruction_id] = std::move(r.text);
  }
}

}  // namespace tapir::pipeline
