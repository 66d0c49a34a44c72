// A model that is asked by files of the Batch API instead of the network: overnight and cheaper.
#pragma once

#include <atomic>
#include <cstdint>

#include "llm/chat_model.h"
#include "llm/completion_thread.h"
#include "llm/openai_model.h"

namespace tapir::llm {

// Asks nobody: every request ends as Failure::waiting with the body to send as its text. Under
// CachedModel these become rows of the store; the files are made from them (llm/batch_lines.h), and
// once a reply has taken a row's place the request is answered like any other. Thread-safe;
// submit() never blocks.
class BatchModel final : public ChatModel {
 public:
  explicit BatchModel(OpenAiOptions options);

  // That of an OpenAiModel: replies are good for both.
  const ModelIdentity& identity() const override { return identity_; }
  void submit(ChatRequest request, Completion done, std::stop_token stop) override;
  std::int64_t waiting() const { return waiting_; }  // requests since it was made

 private:
  const OpenAiOptions options_;
  const ModelIdentity identity_;
  std::atomic<std::int64_t> waiting_{0};
  CompletionThread thread_;  // last: its end completes what was submitted
};

}  // namespace tapir::llm
