// The logits of rows that are decoded side by side, wherever they are computed. No torch here.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "student/config.h"

namespace tapir::student {

struct SlotToken {
  int slot;
  std::int32_t token;     // the newest token of the slot's row, not yet seen
  std::int32_t position;  // of that token
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
};

// A student's weights where they are decoded with. Immutable; shared by all workers.
class DecodeEngine {
 public:
  virtual ~DecodeEngine() = default;
  virtual const ModelConfig& config() const = 0;
  // Workers that pay side by side, at most.
  virtual int most_workers() const = 0;
  // The engine must outlive it.
  virtual std::unique_ptr<RowDecoder> rows(int slots) const = 0;
};

}  // namespace tapir::student
