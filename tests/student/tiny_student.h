// A tiny student with a real tokenizer, and rows it can learn.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/progress.h"
#include "base/random.h"
#include "student/new_student.h"
#include "student/student.h"
#include "text/chat_format.h"
#include "text/tokenizer.h"

namespace tapir::testing {

inline Example make_row(const std::string& id, const std::string& prompt,
                        const std::string& answer) {
  return {id, {{Role::user, prompt, false}, {Role::assistant, answer, true}}};
}

// "3+4=" -> "7", and the like, of uneven lengths.
inline std::vector<Example> sum_rows(int count) {
  std::vector<Example> rows;
  RandomStream random(21, "test", "rows");
  for (int i = 0; i < count; ++i) {
    const int a = random.between(0, 9);
    const int b = random.between(0, 9);
    std::string prompt = "what is " + std::to_string(a) + "+" + std::to_string(b);
    for (int more = random.between(0, 6); more > 0; --more) prompt += " please";
    rows.push_back(make_row("row" + std::to_string(i), prompt, "it is " + std::to_string(a + b)));
  }
  return rows;
}

inline student::NewStudent tiny_student() {
  std::vector<std::string> texts;
  for (const Example& row : sum_rows(50)) {
    for (const Segment& segment : row.segments) texts.push_back(segment.text);
  }
  text::BpeTrainerOptions options;
  options.vocab_size = 300;
  options.special_tokens = text::chat_special_tokens("chatml");
  student::NewStudent made;
  made.tokenizer = text::train_bpe(texts, options);
  made.chat_format = "chatml";
  made.seed = 5;
  made.config.hidden_size = 32;
  made.config.intermediate_size = 48;
  made.config.num_hidden_layers = 2;
  made.config.num_attention_heads = 4;
  made.config.num_key_value_heads = 2;
  made.config.head_dim = 8;
  made.config.max_position_embeddings = 96;
  made.config.tie_word_embeddings = true;
  made.config.initializer_range = 0.05;
  return made;
}

// Learns such rows in a few steps, each of several rows of uneven lengths.
inline student::TrainJob sum_job(const std::filesystem::path& model,
                                 const std::filesystem::path& output) {
  student::TrainJob job;
  job.model_dir = model;
  job.output_dir = output;
  job.examples = sum_rows(40);
  job.options.learning_rate = 0.01;
  job.options.batch_tokens = 150;
  job.io.logging_steps = 1;
  return job;
}

// Calls a function at every update.
class WatchedProgress final : public ProgressSink {
 public:
  explicit WatchedProgress(std::function<void(const ProgressUpdate&)> watch)
      : watch_(std::move(watch)) {}
  void update(const ProgressUpdate& update) override { watch_(update); }
  void message(std::string_view line) override { messages.emplace_back(line); }

  std::vector<std::string> messages;

 private:
  std::function<void(const ProgressUpdate&)> watch_;
};

}  // namespace tapir::testing
