// The corpus D: instructions in, answers, tasks.
#include <algorithm>
#include <set>
#include <span>

#include <fmt/format.h>

#include "base/error.h"
#include "base/random.h"
#include "llm/ask_rows.h"
#include "pipeline/cleaning.h"
#include "pipeline/doctor.h"
#include "pipeline/find_tasks.h"
#include "pipeline/gym_binding.h"
#include "pipeline/options.h"
#include "pipeline/plain_questions.h"
#include "pipeline/rubric_rows.h"
#include "pipeline/run.h"

namespace tapir::pipeline {
namespace {

// Asks the teacher to answer instructions as they are; answers and outcomes go to the store.
class PlainAnswers final : public PlainQuestions {
 public:
  PlainAnswers(std::span<const Instruction> rows, const llm::Sampling& sampling, std::string stage,
               store::RunStore& store)
      : PlainQuestions(rows, sampling), stage_(std::move(stage)), store_(store) {}

  bool read(std::size_t row, int attempt, const llm::ChatReply& reply) override {
    const prompting::ReadText answer = prompting::read_answer(reply.text);
    if (answer.ok()) {
      store_.put_response(stage_, {id(row), kTeacherAuthor, answer.text, reply.finish_reason,
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

  bool complete() const { return settled_ == rows(); }

 private:
  void settle(std::size_t row, Outcome outcome, std::string_view reason) {
    store_.put_outcome(stage_, id(row), outcome, reason);
    ++settled_;
  }

  std::string stage_;
  store::RunStore& store_;
  std::size_t settled_ = 0;
};

// data.held_out ids of the rows that cleaning leaves.
std::set<std::string> drawn_held_out(const std::vector<dataset::DataRow>& rows,
                                     const std::vector<dataset::Removal>& removals,
                                     const Recipe& recipe) {
  const auto wanted = static_cast<std::size_t>(recipe.data.held_out);
  if (wanted == 0) return {};
  std::set<std::size_t> removed;
  for (const dataset::Removal& removal : removals) removed.insert(removal.row);
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!removed.contains(i)) ids.push_back(rows[i].instruction.id);
  }
  if (wanted >= ids.size()) {
    throw Error(ErrorKind::data,
                fmt::format("data.held_out is {}, but cleaning leaves {} of {} rows", wanted,
                            ids.size(), rows.size()),
                "set data.held_out to fewer rows, or name more data");
  }
  std::sort(ids.begin(), ids.end());
  RandomStream(recipe.seed, "held_out").shuffle(ids);
  return {ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(wanted)};
}

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
  std::vector<dataset::DataRow> rows = data_rows();
  // What cannot be judged by is said before anything is trained.
  if (recipe_.judge.kind == "rubric") read_rubrics(recipe_);
  const auto evaluation = evaluation_index(recipe_);
  const std::vector<dataset::Removal> removals =
      dataset::clean(rows, clean_options(recipe_), evaluation.get());
  const std::set<std::string> held_out = drawn_held_out(rows, removals, recipe_);
  auto removal = removals.begin();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Instruction& instruction = rows[i].instruction;
    if (removal != removals.end() && removal->row == i) {
      store_->put_outcome(stage, instruction.id, Outcome::filtered, removal->reason);
      ++removal;
      continue;
    }
    const bool aside = held_out.contains(instruction.id);
    instruction.round = aside ? kHeldOut : 0;  // whatever run the file is of
    store_->put_instruction(stage, instruction);
    if (rows[i].response)
      store_->put_response(stage,
                           {instruction.id, "data", *rows[i].response, FinishReason::stop, 0, ""});
    store_->put_outcome(stage, instruction.id, aside ? Outcome::filtered : Outcome::done,
                        aside ? "held_out" : "");
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
  std::vector<Instruction> rows = rows_of_data();
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
  const std::vector<Instruction> rows = rows_of_data();
  const TaskFinder finder{recipe_, taxonomy_, prompts_,
                          [this]() -> llm::ChatModel& { return teacher_->model(); }};
  const FoundTasks found = pipeline::find_tasks(finder, rows, progress_, stop_);
  check_complete(found.complete, stage, "teacher");
  if (found.info.contains("agreement")) {
    const Json& agreement = found.info["agreement"];
    progress_.message(fmt::format(
        "tasks: the light classifier agrees with the {} on {:.1f} % of {} held-out rows",
        recipe_.tasks.labelled.empty() ? "teacher" : "labels",
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

std::vector<Instruction> Run::rows_of_data() const {
  std::vector<Instruction> rows = store_->instructions(0);
  for (Instruction& row : store_->instructions(kHeldOut)) rows.push_back(std::move(row));
  return rows;
}

void Run::load_corpus() {
  corpus_.rows = store_->instructions(0);
  held_out_ = store_->instructions(kHeldOut);
  sets_ = read_evaluation_sets(recipe_);
  corpus_.answers = recorded_answers(*store_);
}

}  // namespace tapir::pipeline
