// A model that answers from what was recorded: the answers a data file brings, or those of a test.
#pragma once

#include <map>
#include <string>

#include "llm/chat_model.h"
#include "llm/completion_thread.h"

namespace tapir::llm {

enum class RecordedBy { prompt, row_id };  // prompt: the text of the last message

// A request without a recorded answer ends as Failure::invalid_request. Costs nothing; the identity
// holds a digest of all answers. Thread-safe; submit() never blocks.
class RecordedModel final : public ChatModel {
 public:
  RecordedModel(std::map<std::string, std::string> answers, RecordedBy by,
                std::string name = "recorded");

  const ModelIdentity& identity() const override { return identity_; }
  void submit(ChatRequest request, Completion done, std::stop_token stop) override;

 private:
  ChatReply answer(const ChatRequest& request) const;

  const std::map<std::string, std::string> answers_;
  const RecordedBy by_;
  ModelIdentity identity_;
  CompletionThread thread_;  // last: its end completes what was submitted
};

}  // namespace tapir::llm
