// What a client of the OpenAI API asks for, read from its JSON.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "llm/chat_model.h"

namespace tapir::serve {

struct ApiRequest {
  bool chat = true;   // else a text completion
  std::string model;  // as the client names it
  // What is asked, `n` times each; without row_id. Kept once: a prompt may be megabytes.
  std::vector<llm::ChatRequest> prompts;
  std::size_t n = 1;
  bool stream = false;
  bool include_usage = false;  // a last event with the usage
  bool logprobs = false;

  std::size_t choices() const { return prompts.size() * n; }
  // The request of a choice, in order; the attempt tells equal ones apart.
  llm::ChatRequest choice(std::size_t index) const;
};

// POST /v1/chat/completions and /v1/completions. ApiFault{400} names the first field that is wrong,
// not known, or not supported. Without max_tokens a chat answer may fill the context, a completion
// has 16 tokens; without a temperature it is 1; without a seed a random one is drawn, unless
// draw_seeds is false. max_choices: n times the number of prompts.
ApiRequest read_chat_request(std::string_view body, int max_choices, bool draw_seeds = true);
ApiRequest read_completion_request(std::string_view body, int max_choices, bool draw_seeds = true);

}  // namespace tapir::serve
