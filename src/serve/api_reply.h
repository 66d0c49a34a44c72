// Answers in the form of the OpenAI API.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "llm/chat_model.h"
#include "serve/api_request.h"

namespace tapir::serve {

// What all objects of one reply have in common.
struct ReplyHead {
  bool chat = true;
  std::string id;            // "chatcmpl-..."
  std::int64_t created = 0;  // seconds since 1970
  std::string model;
  bool logprobs = false;
  bool include_usage = false;
};
// A new id, the time of now.
ReplyHead make_head(const ApiRequest& request, const std::string& served_model);

// replies: of all choices, in order. `prompts`: of how many the choices are the answers.
OrderedJson whole_reply(const ReplyHead& head, const std::vector<llm::ChatReply>& replies,
                        std::size_t prompts);

// ---- a stream ----
// text_offset: bytes of the choice's text before this piece.
OrderedJson first_chunk(const ReplyHead& head, std::size_t choice);  // of a chat: the role
OrderedJson delta_chunk(const ReplyHead& head, std::size_t choice, const llm::ChatDelta& delta,
                        std::size_t text_offset);
OrderedJson last_chunk(const ReplyHead& head, std::size_t choice, FinishReason reason);
OrderedJson usage_chunk(const ReplyHead& head, const llm::Usage& usage);

// Prompts are counted once, however many answers they have.
llm::Usage total_usage(const std::vector<llm::ChatReply>& replies, std::size_t prompts);

}  // namespace tapir::serve
