// Training speed of our side of benchmarks/train_bench.py: the optimizer steps of the trainer,
// without files.
//   train_speed MODEL_DIR TOKENS_FILE SEQUENCES LENGTH STEPS LANES PRECISION LOGITS
// TOKENS_FILE: SEQUENCES x LENGTH int32 ids, every one of them learnt, the same batch in every
// step. PRECISION: fp32 or bf16, of the products. LOGITS: rows of logits that exist at a time, 0:
// chosen. Prints one JSON object: tok_s (without the first step), peak_mb (of the process) and the
// loss of every step.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include <sys/resource.h>

#include "base/file.h"
#include "base/json.h"
#include "student/gradients.h"
#include "student/optimizer.h"

namespace {

using namespace tapir::student;

std::vector<EncodedRow> read_rows(const std::string& path, std::size_t count, std::size_t length) {
  const std::string bytes = tapir::read_file(path);
  std::vector<EncodedRow> rows(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<std::int32_t> tokens(length);
    std::memcpy(tokens.data(), bytes.data() + i * length * sizeof(std::int32_t),
                length * sizeof(std::int32_t));
    std::vector<std::uint8_t> loss(length, 1);
    loss[0] = 0;
    rows[i].tokens = std::move(tokens);
    rows[i].loss = std::move(loss);
    rows[i].supervised = static_cast<std::int64_t>(length) - 1;
  }
  return rows;
}

double peak_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

int run(const std::vector<std::string>& arguments) {
  constexpr int kWarmUp = 1;
  const std::size_t count = std::stoul(arguments[2]);
  const std::size_t length = std::stoul(arguments[3]);
  const int steps = std::stoi(arguments[4]);
  const int lanes = std::stoi(arguments[5]);
  const ModelConfig config = read_config(arguments[0]);
  const ParameterLayout layout = make_layout(config);
  TrainingState state;
  state.parameters.resize(static_cast<std::size_t>(layout.size));
  state.moments.clear(layout.size, "float32");
  read_parameters(layout, config, arguments[0], state.parameters.data());
  const std::vector<EncodedRow> rows = read_rows(arguments[1], count, length);
  std::vector<const EncodedRow*> batch;
  for (const EncodedRow& row : rows) batch.push_back(&row);

  TrainOptions options;
  options.weight_decay = 0.01;
  const Optimizer optimizer(layout, options);
  LanePool pool(lanes);
  LaneOptions lane_options;
  lane_options.lanes = lanes;
  lane_options.decoder.bf16 = arguments[6] == "bf16";
  lane_options.decoder.logits_at_once = std::stol(arguments[7]);
  LaneGradients gradients(config, lane_options);
  std::vector<double> losses;
  auto begin = std::chrono::steady_clock::now();
  for (int step = 0; step < kWarmUp + steps; ++step) {
    if (step == kWarmUp) begin = std::chrono::steady_clock::now();
    losses.push_back(gradients.compute(state.parameters.data(), batch, pool).loss);
    const double norm = optimizer.reduce(gradients.gradients(), pool);
    optimizer.apply(gradients.gradients().front(), norm, /*learning_rate=*/1e-3, state, pool);
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const double tokens = static_cast<double>(count * length) * steps;
  const tapir::OrderedJson result = {
      {"tok_s", tokens / seconds}, {"peak_mb", peak_mb()}, {"losses", losses}};
  std::printf("%s\n", result.dump().c_str());
  return 0;
}

}  // namespace

int main(int count, char** values) {
  if (count != 9) {
    std::fputs(
        "usage: train_speed MODEL_DIR TOKENS_FILE SEQUENCES LENGTH STEPS LANES PRECISION LOGITS\n",
        stderr);
    return 2;
  }
  try {
    return run({values + 1, values + count});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "train_speed: %s\n", e.what());
    return 1;
  }
}
