// The rows that one worker decodes side by side: they join and leave between any two tokens. No
// torch here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "student/generate_sample.h"
#include "student/row_decoder.h"
#include "student/student.h"

namespace tapir::student {

enum class RowState {
  running,
  ended,  // by a stop token, which is the last of the answer
  cut,    // at its limit of tokens or at the end of the context
};

struct RowStart {
  std::span<const std::int32_t> prompt;  // not empty, shorter than the context
  SamplingParameters sampling;           // REQUIRES: check_sampling() let it pass
  std::string id;                        // draws come from the stream (seed, "generate", id)
};

// What a row got in one step.
struct RowToken {
  int slot;
  std::int32_t token;
  std::span<const float> logits;  // [vocab] that it was chosen from; hold until the next call
  RowState state;                 // not running: the row has left its slot
};

// Use it from one thread at a time. A row's bits depend on its RowStart and the weights alone:
// neither on the slot, nor on who stands beside it, nor on when it joined (on a GPU: up to the
// rounding of its kernels).
class RunningBatch {
 public:
  // stop_tokens: which end a row. threads: of DecodeWorker.
  RunningBatch(std::shared_ptr<const DecodeEngine> engine, std::vector<std::int32_t> stop_tokens,
               int slots, int threads = 1);

  int slots() const { return static_cast<int>(rows_.size()); }
  int running() const { return running_; }
  std::optional<int> free_slot() const;
  // Prefills the prompt, alone, and chooses the first token. REQUIRES: the slot is free.
  RowToken join(int slot, const RowStart& start);
  // Takes every row one token further; what they got, in the order of slots.
  std::span<const RowToken> step();
  // How many of the threads share out what comes next: 1 to `threads`.
  void use_threads(int threads) { decoder_->use_threads(threads); }
  // The row is no longer wanted.
  void leave(int slot);
  // All tokens so far; after the row has left, until another joins.
  const std::vector<std::int32_t>& answer(int slot) const { return at(slot).answer; }

 private:
  struct Row {
    bool running = false;
    std::optional<TokenSampler> sampler;
    RandomStream random{0, "generate"};
    std::int64_t prompt_tokens = 0;
    std::int64_t limit = 0;            // tokens that may be generated
    std::vector<std::int32_t> answer;  // the newest is not yet in the cache
  };
  const Row& at(int slot) const { return rows_[static_cast<std::size_t>(slot)]; }
  RowToken take(int slot, const float* logits);

  std::shared_ptr<const DecodeEngine> engine_;
  std::vector<std::int32_t> stop_tokens_;
  std::unique_ptr<RowDecoder> decoder_;
  std::vector<Row> rows_;
  int running_ = 0;
  std::vector<SlotToken> stepped_;
  std::vector<RowToken> tokens_;
};

}  // namespace tapir::student
