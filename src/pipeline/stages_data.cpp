// The corpus D: instructions in, answers, tasks.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "base/json.h"
#include "dataset/read_instructions.h"
#include "llm/ask_all.h"
#include "pipeline/gym_binding.h"
#include "pipeline/options.h"
#include "pipeline/run.h"
#include "tasks/classifier.h"

namespace tapir::pipeline {
namespace {

constexpr const char* kTeacherAuthor = "teacher/plain";  // of answers without a style of ours
constexpr double kHeldOutShare = 0.2;  // of the labelled rows: the classifier's own exam

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

std::vector<Instruction> drawn(std::vector<Instruction> rows, std::int64_t count,
                               std::uint64_t seed, std::string_view stage) {
  RandomStream(seed, stage).shuffle(rows);
  rows.resize(std::min<std::size_t>(rows.size(), static_cast<std::size_t>(count)));
  return rows;
}

struct LabelledSplit {
  std::vector<tasks::LabelledText> train;
  std::vector<tasks::LabelledText> held_out;
};

LabelledSplit split_labelled(const std::vector<Instruction>& rows,
                             const std::map<std::string, std::string>& task_of) {
  LabelledSplit out;
  const auto held = static_cast<std::size_t>(kHeldOutShare * static_cast<double>(rows.size()));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto found = task_of.find(rows[i].id);
    if (found == task_of.end()) continue;
    (i < held ? out.held_out : out.train).push_back({rows[i].id, rows[i].prompt(), found->second});
  }
  return out;
}

}  // namespace

Run::StageEnd Run::read_data(const std::string& stage) {
  std::set<std::string> seen;
  std::uint64_t in = 0;
  const auto keep = [&](const Instruction& instruction, const std::optional<std::string>& answer) {
    ++in;
    if (!seen.insert(text_hash(instruction.messages)).second) {
      store_->put_outcome(stage, instruction.id, Outcome::filtered, "duplicate");
      return;
    }
    if (!answer && recipe_.data.responses == "keep") {
      store_->put_outcome(stage, instruction.id, Outcome::filtered, "no_response");
      return;
    }
    store_->put_instruction(stage, instruction);
    if (answer)
      store_->put_response(stage, {instruction.id, "data", *answer, FinishReason::stop, 0, ""});
    store_->put_outcome(stage, instruction.id, Outcome::done, "");
  };
  if (recipe_.data.gym_rows > 0) {
    for (const GymRow& row : gym_pool(recipe_)) keep(row.instruction, row.answer);
  }
  std::vector<std::filesystem::path> files;
  for (const std::string& file : recipe_.data.instructions) files.push_back(resolve(file));
  if (!files.empty()) {
    for (const dataset::DataRow& row : dataset::read_instructions(files))
      keep(row.instruction, row.response);
  }
  StageEnd end = end_of(stage, in);
  if (end.ledger.done == 0) {
    throw Error(ErrorKind::data, "not one instruction is left of " + std::to_string(in),
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
  PlainRequests source(std::move(rows), sampling_of(recipe_.teacher), stage);
  bool complete = true;
  std::uint64_t done = answered.size();
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
  Json info = {{"classifier", recipe_.tasks.classifier}, {"taxonomy", taxonomy_.name}};
  if (recipe_.tasks.classifier == "given") {
    for (const Instruction& row : rows) {
      const bool known = taxonomy_.find(row.task) != nullptr;
      store_->set_task(stage, row.id, known ? row.task : taxonomy_.fallback, known ? 1.0 : 0.0);
      store_->put_outcome(stage, row.id, Outcome::done, "");
    }
    return end_of(stage, rows.size(), info.dump());
  }
  const bool light = recipe_.tasks.classifier == "light";
  const auto labelled_rows =
      light ? drawn(rows, recipe_.tasks.label_rows, recipe_.seed, "tasks") : rows;
  tasks::LlmOptions options;
  options.sampling.max_tokens = static_cast<int>(recipe_.teacher.max_tokens);
  options.max_in_flight = in_flight(recipe_.teacher);
  const tasks::LlmLabels labels = tasks::label_by_llm(teacher_->model(), prompts_, taxonomy_,
                                                      labelled_rows, options, progress_, stop_);
  check_complete(labels.complete, stage, "teacher");
  info["labelled"] = labels.task_of.size();
  info["fell_back"] = labels.fell_back;
  std::unique_ptr<tasks::TaskClassifier> classifier;
  if (light) {
    const LabelledSplit split = split_labelled(labelled_rows, labels.task_of);
    if (split.train.empty() || split.held_out.empty()) {
      throw Error(
          ErrorKind::data,
          "too few labelled rows to train a classifier: " + std::to_string(labels.task_of.size()),
          "raise tasks.label_rows, or set tasks.classifier: llm");
    }
    classifier = tasks::train_light(split.train, {.seed = recipe_.seed});
    const tasks::Agreement agreement = tasks::agreement(*classifier, split.held_out);
    info["agreement"] = {{"rows", agreement.rows},
                         {"accuracy", agreement.accuracy},
                         {"expected_calibration_error", agreement.expected_calibration_error},
                         {"confusion", agreement.confusion}};
    progress_.message(fmt::format(
        "tasks: the light classifier agrees with the teacher on {:.1f} % of {} held-out rows",
        100 * agreement.accuracy, agreement.rows));
  }
  for (const Instruction& row : rows) {
    const auto found = labels.task_of.find(row.id);
    tasks::Label label{taxonomy_.fallback, 0};
    if (found != labels.task_of.end()) {
      label = {found->second, 1};
    } else if (classifier) {
      label = classifier->classify(row.prompt());
    }
    store_->set_task(stage, row.id, label.task, label.confidence);
    store_->put_outcome(stage, row.id, Outcome::done, "");
  }
  return end_of(stage, rows.size(), info.dump());
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
