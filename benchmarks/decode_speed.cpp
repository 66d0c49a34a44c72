// Our side of benchmarks/decode_bench.py: greedy decoding of rows of tokens, without texts.
//   decode_speed MODEL_DIR TOKENS_FILE ROWS LENGTH NEW_TOKENS THREADS [bf16]
// TOKENS_FILE: ROWS x LENGTH int32 ids, the prompts. All rows are decoded together by one worker
// with THREADS threads; bf16: products on bf16 units. Prints one JSON object: tok_s (new tokens per
// second, prompts read within that time), step_tok_s (without the prompts), load_s, cpu_s (of all
// threads), and the new tokens.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "student/decode.h"
#include "student/load_weights.h"

namespace {

using namespace tapir::student;
using tapir::seconds_since;
using Clock = std::chrono::steady_clock;
using Tokens = std::vector<std::int32_t>;

std::vector<Tokens> read_prompts(const std::string& path, std::size_t rows, std::size_t length) {
  const std::string bytes = tapir::read_file(path);
  std::vector<Tokens> prompts(rows, Tokens(length));
  for (std::size_t i = 0; i < rows; ++i) {
    std::memcpy(prompts[i].data(), bytes.data() + i * length * sizeof(std::int32_t),
                length * sizeof(std::int32_t));
  }
  return prompts;
}

// Rows in work: their caches, and the tokens they got.
struct Decoding {
  Decoding(DecodeWorker& decode_worker, const DecodeWeights& decode_weights,
           const std::vector<Tokens>& all_prompts)
      : worker(decode_worker), weights(decode_weights), prompts(all_prompts) {
    for (std::size_t i = 0; i < prompts.size(); ++i)
      caches.emplace_back(weights.config, weights.decode);
    tokens.resize(prompts.size());
  }
  std::int32_t best(const float* logits) const {
    return static_cast<std::int32_t>(weights.decode.argmax(logits, weights.config.vocab_size));
  }
  void prefill() {
    for (std::size_t i = 0; i < prompts.size(); ++i)
      tokens[i] = {best(worker.prefill(prompts[i], caches[i]))};
  }
  void step() {
    std::vector<DecodeRow> rows;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      const auto position = prompts[i].size() + tokens[i].size() - 1;
      rows.push_back({&caches[i], tokens[i].back(), static_cast<std::int32_t>(position)});
    }
    const float* logits = worker.step(rows);
    for (Tokens& row : tokens) {
      row.push_back(best(logits));
      logits += weights.config.vocab_size;
    }
  }

  DecodeWorker& worker;
  const DecodeWeights& weights;
  const std::vector<Tokens>& prompts;
  std::vector<KvCache> caches;
  std::vector<Tokens> tokens;  // new, of each row
};

int run(const std::vector<std::string>& arguments) {
  const auto loading = Clock::now();
  const auto weights = load_decode_weights(arguments[0], arguments.size() == 7);
  const double load_s = seconds_since(loading);
  const std::size_t rows = std::stoul(arguments[2]);
  const std::vector<Tokens> prompts = read_prompts(arguments[1], rows, std::stoul(arguments[3]));
  const int wanted = std::stoi(arguments[4]);
  DecodeWorker worker(weights, std::stoi(arguments[5]));
  Decoding warm_up(worker, *weights, prompts);
  warm_up.prefill();
  warm_up.step();

  Decoding decoding(worker, *weights, prompts);
  const auto begin = Clock::now();
  const std::clock_t cpu = std::clock();
  decoding.prefill();
  const double prefill_s = seconds_since(begin);
  for (int i = 1; i < wanted; ++i) decoding.step();
  const double seconds = seconds_since(begin);
  const auto count = static_cast<double>(rows);
  const tapir::OrderedJson result = {
      {"tok_s", count * wanted / seconds},
      {"step_tok_s", count * (wanted - 1) / (seconds - prefill_s)},
      {"load_s", load_s},
      {"cpu_s", static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC},
      {"tokens", decoding.tokens}};
  std::puts(result.dump().c_str());
  return 0;
}

}  // namespace

int main(int count, char** values) {
  if (count != 7 && (count != 8 || std::string(values[7]) != "bf16")) {
    std::fputs("usage: decode_speed MODEL_DIR TOKENS_FILE ROWS LENGTH NEW_TOKENS THREADS [bf16]\n",
               stderr);
    return 2;
  }
  try {
    return run({values + 1, values + count});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "decode_speed: %s\n", e.what());
    return 1;
  }
}
