// Which task an instruction is.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "llm/chat_model.h"
#include "prompting/prompts.h"
#include "records/instruction.h"
#include "records/ledger.h"
#include "tasks/taxonomy.h"

namespace tapir::tasks {

struct Label {
  std::string task;
  double confidence = 1;  // [0, 1]
};

// Thread-safe after it is made.
class TaskClassifier {
 public:
  virtual ~TaskClassifier() = default;
  virtual Label classify(const std::string& prompt) const = 0;
};

struct LabelledText {
  std::string id;
  std::string text;
  std::string task;
};

// Hashed word and character n-grams into a linear softmax model, trained in seconds. Deterministic.
struct LightOptions {
  int hash_bits = 18;
  int epochs = 10;
  double learning_rate = 4;  // at the start; falls to 0 on a line
  double l2 = 1e-6;
  std::uint64_t seed = 42;
};
std::unique_ptr<TaskClassifier> train_light(std::span<const LabelledText> rows,
                                            const LightOptions& options);

struct Agreement {
  std::int64_t rows = 0;
  double accuracy = 0;
  double expected_calibration_error = 0;                                 // ten bins
  std::map<std::string, std::map<std::string, std::int64_t>> confusion;  // [truth][predicted]
};
Agreement agreement(const TaskClassifier& classifier, std::span<const LabelledText> held_out);

// Asks an LLM. After an unreadable or unknown label it is asked again, with the complaint; then the
// row is counted and given to the taxonomy's fallback.
struct LlmOptions {
  int max_attempts = 3;
  llm::Sampling sampling;
  std::size_t max_in_flight = 256;  // speed only
};
struct LlmLabels {
  std::map<std::string, std::string> task_of;  // by instruction id
  // By instruction id, why there is no label of the model's: "unreadable", "unknown_label" (task_of
  // has the fallback), or a terminal llm::Failure (task_of has nothing).
  std::map<std::string, std::string> unlabelled;
  Ledger ledger;
  std::int64_t fell_back = 0;
  bool complete = true;  // false: stopped, or transient failures left
};
LlmLabels label_by_llm(llm::ChatModel& model, const prompting::PromptSet& prompts,
                       const Taxonomy& taxonomy, std::span<const Instruction> rows,
                       const LlmOptions& options, ProgressSink& progress, std::stop_token stop);

}  // namespace tapir::tasks
