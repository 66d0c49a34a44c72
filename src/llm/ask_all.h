// The only loop that stages use to ask a model about many rows.
#pragma once

#include <cstddef>
#include <optional>
#include <stop_token>

#include "llm/chat_model.h"

namespace tapir::llm {

// Gives requests one by one; nothing when there are no more for now. After a reply was taken in by
// the sink the source is asked again (so a sink can queue a second order or a repair). Called on
// the caller's thread only.
class RequestSource {
 public:
  virtual ~RequestSource() = default;
  virtual std::optional<ChatRequest> next() = 0;
};

// Takes replies in any order, on the caller's thread only.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  virtual void take(ChatReply reply) = 0;
};

// Speed only: changes no result.
struct AskOptions {
  std::size_t max_in_flight = 256;
};

// Returns when the source is dry and every reply was taken in. After stop nothing new is asked for;
// replies to what was admitted are still taken in. Exceptions of source or sink stop the loop, wait
// for what is in flight, and are rethrown. Thread: the caller's.
void ask_all(ChatModel& model, RequestSource& source, ReplySink& sink, const AskOptions& options,
             std::stop_token stop);

}  // namespace tapir::llm
