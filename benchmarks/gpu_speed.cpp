// Our side of benchmarks/gpu_bench.py: the ATen engine without files.
//   gpu_speed train DEVICE MODEL_DIR ROWS_FILE STEPS MICRO_BATCH_TOKENS OPTIONS
//   gpu_speed decode DEVICE MODEL_DIR ROWS_FILE NEW_TOKENS
// ROWS_FILE: int32 numbers: how many rows, the length of each, then the tokens of all. OPTIONS:
// comma-separated words out of bf16, checkpointing, moments_bf16, or "-".
// train: the same batch in every step, all tokens but the first of a row learnt; prints tok_s and
// tflops (without the first step), mfu (of the device's best matrix product), memory_gb (the peak)
// and the loss of every step. decode: greedy, all rows side by side; prints tok_s (without the
// prompts), memory_gb and the tokens of the answers. Both as one JSON object.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "student/learner.h"
#include "student/load_weights.h"

namespace {

using namespace tapir::student;
using tapir::seconds_since;
using Clock = std::chrono::steady_clock;
using Arguments = std::vector<std::string>;

double peak_gb(const Device& device) {
  return static_cast<double>(process_memory(device).peak) / 1e9;
}

std::vector<std::vector<std::int32_t>> read_rows(const std::string& path) {
  const std::string bytes = tapir::read_file(path);
  std::vector<std::int32_t> numbers(bytes.size() / sizeof(std::int32_t));
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(std::int32_t));
  const auto count = static_cast<std::size_t>(numbers.at(0));
  std::vector<std::vector<std::int32_t>> rows;
  auto at = numbers.begin() + 1 + static_cast<std::ptrdiff_t>(count);
  for (std::size_t i = 0; i < count; ++i) {
    rows.emplace_back(at, at + numbers[1 + i]);
    at += numbers[1 + i];
  }
  return rows;
}

std::vector<EncodedRow> all_learnt(const std::vector<std::vector<std::int32_t>>& rows) {
  std::vector<EncodedRow> encoded;
  for (const std::vector<std::int32_t>& tokens : rows) {
    std::vector<std::uint8_t> loss(tokens.size(), 1);
    loss[0] = 0;
    EncodedRow& row = encoded.emplace_back();
    row.tokens = tokens;
    row.loss = std::move(loss);
    row.supervised = static_cast<std::int64_t>(tokens.size()) - 1;
  }
  return encoded;
}

LearnerSetup setup_of(const Arguments& a) {
  const std::vector<std::string> words = tapir::split(a[6], ',');
  const auto has = [&](const char* word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  LearnerSetup setup;
  setup.config = read_config(a[2]);
  setup.layout = make_layout(setup.config);
  setup.options.weight_decay = 0.01;
  if (has("moments_bf16")) setup.options.optim_state_dtype = "bfloat16";
  setup.passes.micro_batch_tokens = std::stol(a[5]);
  setup.passes.decoder.bf16 = has("bf16");
  setup.passes.decoder.gradient_checkpointing = has("checkpointing");
  return setup;
}

tapir::OrderedJson train(const Arguments& a) {
  const Device device = find_device(a[1]);
  const LearnerSetup setup = setup_of(a);
  TrainingState state;
  state.parameters.resize(static_cast<std::size_t>(setup.layout.size));
  state.moments.clear(setup.layout.size, setup.options.optim_state_dtype);
  read_parameters(setup.layout, setup.config, a[2], state.parameters.data());
  const auto learner = make_learner(device, setup, std::move(state));
  const std::vector<EncodedRow> rows = all_learnt(read_rows(a[3]));
  std::vector<const EncodedRow*> batch;
  for (const EncodedRow& row : rows) batch.push_back(&row);
  const int steps = std::stoi(a[4]);
  std::vector<double> losses;
  double tokens = 0;
  auto begin = Clock::now();
  for (int step = 0; step <= steps; ++step) {
    const StepLoss loss = learner->compute(batch, step);
    learner->apply(learner->gradient_norm(), /*learning_rate=*/1e-4);
    losses.push_back(loss.loss);
    if (step == 0) begin = Clock::now();
    if (step > 0) tokens += static_cast<double>(loss.tokens);
  }
  (void)learner->gradient_norm();  // waits for the last step
  const double seconds = seconds_since(begin);
  const double rate = step_operations(setup.config, batch) * steps / seconds;
  return {{"tok_s", tokens / seconds},
          {"tflops", rate / 1e12},
          {"mfu", rate / learner->peak_operations()},
          {"memory_gb", peak_gb(device)},
          {"losses", losses}};
}

tapir::OrderedJson decode(const Arguments& a) {
  const Device device = find_device(a[1]);
  const auto engine = load_decode_engine(a[2], device);
  const std::vector<std::vector<std::int32_t>> prompts = read_rows(a[3]);
  const std::int64_t vocab = engine->config().vocab_size;
  const auto decoder = engine->rows(static_cast<int>(prompts.size()), /*threads=*/1);
  const auto likeliest = [&](const float* logits) {
    return static_cast<std::int32_t>(std::max_element(logits, logits + vocab) - logits);
  };
  std::vector<std::vector<std::int32_t>> answers;
  std::vector<SlotToken> rows;
  for (const std::vector<std::int32_t>& prompt : prompts) {
    const auto slot = static_cast<int>(rows.size());
    const std::int32_t token = likeliest(decoder->prefill(slot, prompt));
    answers.push_back({token});
    rows.push_back({slot, token, static_cast<std::int32_t>(prompt.size())});
  }
  const int new_tokens = std::stoi(a[4]);
  const auto begin = Clock::now();
  for (int step = 1; step < new_tokens; ++step) {
    const float* logits = decoder->step(rows);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i].token = likeliest(logits + static_cast<std::int64_t>(i) * vocab);
      ++rows[i].position;
      answers[i].push_back(rows[i].token);
    }
  }
  const auto tokens = static_cast<double>(rows.size()) * (new_tokens - 1);
  return {{"tok_s", tokens / seconds_since(begin)},
          {"memory_gb", peak_gb(device)},
          {"tokens", answers}};
}

}  // namespace

int main(int count, char** values) {
  const Arguments arguments(values + 1, values + count);
  const bool trains = arguments.size() == 7 && arguments[0] == "train";
  if (!trains && !(arguments.size() == 5 && arguments[0] == "decode")) {
    std::fputs(
        "usage: gpu_speed train DEVICE MODEL_DIR ROWS_FILE STEPS MICRO_BATCH_TOKENS OPTIONS\n"
        "       gpu_speed decode DEVICE MODEL_DIR ROWS_FILE NEW_TOKENS\n",
        stderr);
    return 2;
  }
  try {
    std::printf("%s\n", (trains ? train(arguments) : decode(arguments)).dump().c_str());
    return 0;
  } catch (const tapir::Error& e) {
    std::fprintf(stderr, "gpu_speed: %s\n%s\n", e.what(), e.hint().c_str());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gpu_speed: %s\n", e.what());
  }
  return 1;
}
