// The logits of rows that are decoded side by side, wherever they are computed. No torch here.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "student/config.h"

namespace tapir::student {

struct SlotToken {
  int slot;
  std::int32_t token;     // the newest token of the slot's row, not yet seen
  std::int32_t position;  // of that token
};

// Tokens whose probability is asked for: targets[i] behind tokens[rows[i]].
struct ScoreRequest {
  std::span<const std::int32_t> tokens;
  std::span<const std::int64_t> rows;  // rising
  std::span<const std::int32_t> targets;
};

// The pasts of so many rows, one per slot. Use it from one thread at a time.
class RowDecoder {
 public:
  virtual ~RowDecoder() = default;
  // Forgets what the slot held and takes in a prompt, alone. The logits [vocab] behind its last
  // token; they hold until the next call. REQUIRES: 1 to max_position_embeddings tokens.
  virtual const float* prefill(int slot, std::span<const std::int32_t> prompt) = 0;
  // Takes every row one token further, each in a slot of its own. Logits [rows, vocab]; they hold
  // until the next call.
  virtual const float* step(std::span<const SlotToken> rows) = 0;
  // Log-probability of every target. The slots stay as they are.
  virtual std::vector<float> score(const ScoreRequest& request) = 0;
  // How many of the threads it was made with share out what comes next; it changes no bit.
  virtual void use_threads(int /*threads*/) {}
};

// A student's weights where they are decoded with. Immutable; shared by all workers.
class DecodeEngine {
 public:
  virtual ~DecodeEngine() = default;
  virtual const ModelConfig& config() const = 0;
  virtual std::int64_t parameter_count() const = 0;
  virtual std::int64_t bytes() const = 0;  // of all weights
  // Whether a row's bits depend on itself and the weights alone, not on the number of slots.
  virtual bool independent_rows() const = 0;
  // Workers that pay side by side, at most.
  virtual int most_workers() const = 0;
  // threads: of the CPU, that share out every step; they change no bit. The engine must outlive it.
  virtual std::unique_ptr<RowDecoder> rows(int slots, int threads) const = 0;
};

class DecodeWeights;
// On the CPU by own kernels: the reference. Its rows are independent.
std::shared_ptr<const DecodeEngine> make_cpu_decode_engine(
    std::shared_ptr<const DecodeWeights> weights);

}  // namespace tapir::student
