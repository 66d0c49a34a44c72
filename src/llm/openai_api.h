// The OpenAI API as texts: bodies of requests, and what replies mean. Pure functions; the readers
// take any bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "llm/chat_model.h"

namespace tapir::llm {

// What a request is sent as.
struct ApiCall {
  std::string path;  // "/chat/completions", or "/completions" for a raw prompt; after the base URL
  std::string body;  // JSON
};
// extra_body: a JSON object that is merged into the body (RFC 7386: null takes a field out), or
// empty. Temperature and max_tokens are always there, of the rest what is not at its default.
ApiCall api_call(std::string_view model, const ChatRequest& request, std::string_view extra_body);

// Error{usage} naming `where`: extra_body is no JSON object, or sets what the program itself has to
// (model, messages, prompt, stream, n).
void check_extra_body(std::string_view extra_body, const std::string& where);

// An answer of the endpoint to a request: text and usage, or a failure with the endpoint's words
// (shortened to 500 bytes) and, where it has one, its code. Context overflow is invalid_request
// with the error_code "context_length_exceeded", a model that the endpoint does not have
// unavailable with "model_not_found". A cut or filtered answer is a failure that keeps its text and
// usage. Sets attempts_charged to 1; neither ids nor times.
ChatReply read_api_reply(int status, std::string_view body, bool logprobs);

// Ids of a GET /models; empty when it is none.
std::vector<std::string> read_model_names(std::string_view body);

// "; the endpoint offers a, b", or nothing when there are none.
std::string offered_models(const std::vector<std::string>& names);

inline constexpr std::string_view kContextOverflow = "context_length_exceeded";
inline constexpr std::string_view kNoSuchModel = "model_not_found";

}  // namespace tapir::llm
