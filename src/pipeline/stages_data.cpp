// The corpus D: instructions in, answers, tasks.
#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "llm/ask_all.h"
#include "pipeline/cleaning.h"
#include "pipeline/doctor.h"
#include "pipeline/find_tasks.h"
#include "pipeline/gym_binding.h"
#include "pipeline/options.h"
#include "pipeline/run.h"

namespace tapir::pipeline {
namespace {

constexpr const char* kTeacherAuthor = "teacher/plain";  // of answers without a style of ours

// Instructions as they are, for the teacher to answer.
class PlainRequests final : public llm::RequestSource {
 public:
  PlainRequests(std::vector<Instruction> rows, llm::Sampling sampling, std::string stage)
      : rows_(std::move(rows)), sampling_(std::move(sampling)), stage_(std::move(stage)) {}
  std::optional<llm::ChatRequest> next() override {
    if (at_ == rows_.size()) return std::nullopt;
    const Instruction& row = rows_[at_++];
    return llm::ChatRequest{
        .row_id = row.id, .stage = stage_, .messages = row.messages, .sampling = sampling_};
  }

 private:
  std::vector<Instruction> rows_;
  llm::Sampling sampling_;
  std::string stage_;
  std::size_t at_ = 0;
};

class ReplyFunction final : public llm::ReplySink {
 public:
  explicit ReplyFunction(std::function<void(llm::ChatReply)> take) : take_(std::move(take)) {}
  void take(llm::ChatReply reply) override { take_(std::move(reply)); }

 private:
  std::function<void(llm::ChatReply)> take_;
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
  const std::uint64_t waiting = rows.size();
  PlainRequests source(std::move(rows), sampling_of(recipe_.teacher), stage);
  bool complete = true;
  std::uint64_t done = in - waiting;
  ReplyFunction sink([&](const llm::ChatReply& reply) {
    if (reply.ok()) {
      store_->put_response(stage, {reply.row_id, kTeacherAuthor, reply.text, reply.finish_reason,
                                   reply.usage.completion_tokens, reply.key});
      store_->put_outcome(stage, reply.row_id, Outcome::done, "");
    } else if (is_transient(reply.failure)) {
      complete = false;
    } else {
      store_->put_outcome(stage, reply.row_id, Outcome::failed, to_string(reply.failure));
    }
    progress_.update({stage, ++done, 0, in, 0, ""});
  });
  llm::ask_all(teacher_->model(), source, sink, {in_flight(recipe_.teacher)}, stop_);
  check_complete(complete, stage, "teacher");
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
  for (const auto& [id, label] : found.labels) {
    store_->set_task(stage, id, label.task, label.confidence);
    store_->put_outcome(stage, id, Outcome::done, "");
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
