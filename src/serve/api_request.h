// What a client of the OpenAI API asks for, read from its JSON.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "llm/chat_model.h"

namespace tapir::serve {

struct RequestLimits {
  int max_choices = 128;   // n times the number of prompts
  bool draw_seeds = true;  // for requests without one
};

struct ApiRequest {
  bool chat = true;   // else a text completion
  std::string model;  // as the client names it
  // One request for every choice, in order; without row_id.
  std::vector<llm::ChatRequest> choices;
  std::size_t prompts = 1;  // every one has the same number of choices
  bool stream = false;
  bool include_usage = false;  // a last event with the usage
  bool logprobs = false;
};

// POST /v1/chat/completions and /v1/completions. ApiFault{400} names the first field that is wrong,
// not known, or not supported. Without max_tokens a chat answer may fill the context, a completion
// has 16 tokens; without a temperature it is 1; without a seed a random one
// is drawn where the limits say so.
ApiRequest read_chat_request(std::string_view body, const RequestLimits& limits);
ApiRequest read_completion_request(std::string_view body, const RequestLimits& limits);

}  // namespace tapir::serve
