#include "student/running_batch.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "student/decode_kernels.h"

namespace tapir::student {

RunningBatch::RunningBatch(std::shared_ptr<const DecodeEngine> engine,
                           std::vector<std::int32_t> stop_tokens, int slots, int threads)
    : engine_(std::move(engine)),
      stop_tokens_(std::move(stop_tokens)),
      decoder_(engine_->rows(slots, threads)),
      rows_(static_cast<std::size_t>(slots)) {}

std::optional<int> RunningBatch::free_slot() const {
  for (int slot = 0; slot < slots(); ++slot) {
    if (!at(slot).running) return slot;
  }
  return std::nullopt;
}

RowToken RunningBatch::join(int slot, const RowStart& start) {
  Row& row = rows_[static_cast<std::size_t>(slot)];
  const auto tokens = static_cast<std::int64_t>(start.prompt.size());
  const std::int64_t room = engine_->config().max_position_embeddings - tokens;
  check(!row.running && tokens > 0 && room > 0, "a free slot, and a prompt with room to answer");
  row.sampler.emplace(start.sampling, decode_kernels(kernels()));
  row.random = RandomStream(start.sampling.seed, "generate", start.id);
  row.prompt_tokens = tokens;
  row.limit = std::min<std::int64_t>(start.sampling.max_new_tokens, room);
  row.answer.clear();
  const float* logits = decoder_->prefill(slot, start.prompt);
  row.running = true;
  ++running_;
  return take(slot, logits);
}

std::span<const RowToken> RunningBatch::step() {
  stepped_.clear();
  tokens_.clear();
  for (int slot = 0; slot < slots(); ++slot) {
    Row& row = rows_[static_cast<std::size_t>(slot)];
    if (!row.running) continue;
    const auto newest = row.prompt_tokens + static_cast<std::int64_t>(row.answer.size()) - 1;
    stepped_.push_back({slot, row.answer.back(), static_cast<std::int32_t>(newest)});
  }
  if (stepped_.empty()) return {};
  const float* logits = decoder_->step(stepped_);
  for (const SlotToken& row : stepped_) {
    tokens_.push_back(take(row.slot, logits));
    logits += engine_->config().vocab_size;
  }
  return tokens_;
}

RowToken RunningBatch::take(int slot, const float* logits) {
  Row& row = rows_[static_cast<std::size_t>(slot)];
  const std::span<const float> all(logits, static_cast<std::size_t>(engine_->config().vocab_size));
  const std::int32_t token = row.sampler->choose(all, row.random);
  row.answer.push_back(token);
  RowState state = RowState::running;
  if (std::find(stop_tokens_.begin(), stop_tokens_.end(), token) != stop_tokens_.end()) {
    state = RowState::ended;
  } else if (static_cast<std::int64_t>(row.answer.size()) >= row.limit) {
    state = RowState::cut;
  }
  if (state != RowState::running) leave(slot);
  return {slot, token, all, state};
}

void RunningBatch::leave(int slot) {
  running_ -= std::exchange(rows_[static_cast<std::size_t>(slot)].running, false) ? 1 : 0;
}

}  // namespace tapir::student
