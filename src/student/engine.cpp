// The student on libtorch, behind the torch-free header.
#include <algorithm>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include <ATen/Parallel.h>
#include <torch/headeronly/version.h>

#include "base/error.h"
#include "base/strings.h"
#include "student/adapter_file.h"
#include "student/decoder.h"
#include "student/generate.h"
#include "student/hand_over.h"
#include "student/job.h"
#include "student/lanes.h"
#include "student/load_weights.h"
#include "student/prepared_job.h"
#include "student/preview.h"
#include "student/row_decoder.h"
#include "student/student.h"
#include "student/torch_device.h"
#include "student/trainer.h"

namespace tapir::student {
namespace {

static_assert(
    TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 11,
    "headers of another libtorch are in the way: the wheel's include directory must come first");

// One line of /proc/cpuinfo's first processor, or empty.
std::string cpu_type() {
  std::ifstream in("/proc/cpuinfo");
  std::map<std::string, std::string> fields;
  for (std::string line; std::getline(in, line) && !line.empty();) {
    const std::vector<std::string> parts = split(line, ':');
    if (parts.size() == 2) fields[std::string(trim(parts[0]))] = std::string(trim(parts[1]));
  }
  if (fields["model name"].empty()) return "unknown CPU";
  return fields["model name"] + " (family " + fields["cpu family"] + ", model " + fields["model"] +
         ")";
}

class LoadedStudent final : public Student {
 public:
  LoadedStudent(const std::filesystem::path& folder, const Device& device)
      : engine_(load_decode_engine(folder, device)),
        words_folder_(find_student(folder).words),
        words_(load_words(words_folder_, engine_->config())) {}

  std::int64_t parameter_count() const override { return engine_->parameter_count(); }
  int context_length() const override { return engine_->config().max_position_embeddings; }
  std::string chat_format() const override {
    const text::FolderTemplate found = text::folder_chat_template(words_folder_);
    if (trim(found.jinja).empty()) return {};
    return words_.format->describe() + ", by the template in " + found.file.string();
  }

  void generate(std::span<const GenerateRequest> requests, const GenerateOptions& options,
                const GenerationSink& sink, std::stop_token stop) const override {
    student::generate({engine_, *words_.tokenizer, *words_.format}, requests, options, sink,
                      std::move(stop));
  }

  std::vector<TokenLosses> token_losses(std::span<const Example> examples) const override;

  TokenLosses completion_losses(const std::string& prompt,
                                const std::string& completion) const override;

  std::vector<std::int32_t> tokenize(const std::string& text,
                                     bool add_special_tokens) const override {
    return add_special_tokens ? words_.tokenizer->encode_with_specials(text, true)
                              : words_.tokenizer->encode(text);
  }
  std::vector<std::int32_t> tokenize_chat(const Messages& messages) const override {
    return words_.format->encode_prompt(messages);
  }

 private:
  std::shared_ptr<const DecodeEngine> engine_;
  std::filesystem::path words_folder_;
  Words words_;
};

TokenLosses losses_of(const EncodedRow& row, RowDecoder& decoder) {
  TokenLosses losses;
  losses.id = row.id;
  losses.loss = std::numeric_limits<double>::quiet_NaN();
  if (row.supervised == 0) return losses;
  PackedBatch batch;
  append_sequence(batch, row.tokens, row.loss);
  losses.tokens = batch.targets;
  losses.logprobs = decoder.score({batch.tokens, batch.rows, batch.targets});
  double sum = 0;
  for (const float logprob : losses.logprobs) sum -= static_cast<double>(logprob);
  losses.loss = sum / static_cast<double>(losses.logprobs.size());
  return losses;
}

// Each row alone in its pass, so that its bits do not depend on the others.
std::vector<TokenLosses> LoadedStudent::token_losses(std::span<const Example> examples) const {
  const std::vector<EncodedRow> rows = encode_rows(examples, *words_.format, context_length());
  std::vector<TokenLosses> losses(rows.size());
  const auto most = static_cast<std::size_t>(engine_->most_workers());
  const std::size_t workers = std::clamp<std::size_t>(rows.size(), 1, most);
  LanePool pool(static_cast<int>(workers));
  pool.run([&](int worker) {
    const auto decoder = engine_->rows(/*slots=*/0, /*threads=*/1);
    for (auto i = static_cast<std::size_t>(worker); i < rows.size(); i += workers) {
      losses[i] = losses_of(rows[i], *decoder);
    }
  });
  return losses;
}

TokenLosses LoadedStudent::completion_losses(const std::string& prompt,
                                             const std::string& completion) const {
  std::vector<std::int32_t> tokens =
      words_.tokenizer->encode_with_specials(prompt, /*add_special_tokens=*/true);
  const std::vector<text::TokenId> answer = words_.tokenizer->encode(completion);
  std::vector<std::uint8_t> loss(tokens.size(), 0);
  loss.resize(tokens.size() + answer.size(), 1);
  tokens.insert(tokens.end(), answer.begin(), answer.end());
  if (tokens.size() > static_cast<std::size_t>(context_length())) {
    throw Error(ErrorKind::data,
                "prompt and completion are " + std::to_string(tokens.size()) +
                    " tokens, the context holds " + std::to_string(context_length()),
                "shorten the row");
  }
  // The first token of all has nothing before it to be predicted from.
  if (loss[0] == 1) loss[0] = 0;
  EncodedRow row;
  row.supervised = std::count(loss.begin(), loss.end(), 1);
  row.tokens = std::move(tokens);
  row.loss = std::move(loss);
  return losses_of(row, *engine_->rows(/*slots=*/0, /*threads=*/1));
}

class TorchEngine final : public StudentEngine {
 public:
  explicit TorchEngine(Device device) : device_(std::move(device)) {
    // Workers and lanes are our threads; within one, torch computes alone (the reference path).
    at::set_num_threads(1);
  }
  std::shared_ptr<const Student> load(const std::filesystem::path& folder) const override {
    return std::make_shared<LoadedStudent>(folder, device_);
  }
  Preflight preflight(const TrainJob& job) const override {
    return student::preflight(job, device_);
  }
  std::vector<PreviewRow> preview(const TrainJob& job, std::size_t rows) const override {
    return preview_rows(job, rows);
  }
  TrainResult train(const TrainJob& job, ProgressSink& progress,
                    std::stop_token stop) const override {
    return student::train(job, version(), progress, std::move(stop), device_);
  }
  TrainSteps steps(const TrainJob& job, const std::filesystem::path& start) const override {
    return train_steps(job, start, device_);
  }
  std::optional<TrainResult> finished(const TrainJob& job) const override {
    return finished_training(job, job_digest(job));
  }
  void take_over(const TrainJob& job, const TrainedElsewhere& trained,
                 const std::function<void(const std::filesystem::path&)>& look) const override {
    student::take_over(job, trained, look, device_);
  }
  std::string version() const override {
    const std::string machine = std::string("torch ") + TORCH_VERSION + ", " + cpu_type() + ", ";
    return machine + (device_.own_kernels() ? std::string(kernels().name) + " kernels"
                                            : describe_device(device_));
  }

 private:
  const Device device_;
};

}  // namespace

std::shared_ptr<const StudentEngine> make_student_engine(const std::string& device,
                                                         const std::string& dtype) {
  return std::make_shared<TorchEngine>(find_device(device, dtype));
}

}  // namespace tapir::student
