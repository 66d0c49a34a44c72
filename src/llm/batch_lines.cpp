#include "llm/batch_lines.h"

#include <exception>
#include <optional>

#include "base/json.h"
#include "llm/openai_api.h"

namespace tapir::llm {
namespace {

constexpr int kGivenUp = 500;  // status of a request that the batch did not answer

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json* member(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return !object.is_object() || found == object.end() || found->is_null() ? nullptr : &*found;
}

// As an endpoint would send it: {"error": {...}}.
std::string error_body(const Json* error) {
  if (error == nullptr) return {};
  return dumped(error->is_object() && error->contains("error") ? *error : Json{{"error", *error}});
}

// 200 where it is not told.
int status_of(const Json& response) {
  const Json* status = member(response, "status_code");
  if (status == nullptr) return 200;
  if (!status->is_number_integer()) return 0;
  const auto value = status->get<std::int64_t>();
  return value >= 100 && value < 600 ? static_cast<int>(value) : 0;
}

// vLLM leaves the body of a failed request out and says under "error" why.
std::string body_of(const Json& response, const Json* error) {
  const Json* body = member(response, "body");
  if (body == nullptr) return error_body(error);
  return body->is_string() ? body->get<std::string>() : dumped(*body);
}

std::optional<Json> object_in(std::string_view line) {
  try {
    Json json = parse_json(line, "line");
    if (json.is_object()) return json;
  } catch (const std::exception&) {
    // Told as a problem of the line.
  }
  return std::nullopt;
}

}  // namespace

std::string batch_line(std::string_view custom_id, std::string_view body) {
  const OrderedJson fields = parse_ordered_json(body, "body of a batch's request");
  const char* url = fields.contains("messages") ? "/v1/chat/completions" : "/v1/completions";
  const OrderedJson line = {
      {"custom_id", custom_id}, {"method", "POST"}, {"url", url}, {"body", fields}};
  return line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

BatchLine read_batch_line(std::string_view line) {
  BatchLine read;
  const std::optional<Json> json = object_in(line);
  if (!json) {
    read.problem = "no whole JSON object; was the file cut?";
    return read;
  }
  const Json* id = member(*json, "custom_id");
  if (id == nullptr || !id->is_string() || id->get<std::string>().empty()) {
    read.problem = "no custom_id";
    return read;
  }
  read.custom_id = id->get<std::string>();
  const Json* response = member(*json, "response");
  const Json* error = member(*json, "error");
  if (response != nullptr && response->is_object()) {
    read.reply = read_api_reply(status_of(*response), body_of(*response, error), /*logprobs=*/true);
  } else if (error != nullptr) {
    read.reply = read_api_reply(kGivenUp, error_body(error), /*logprobs=*/false);
    read.reply.attempts_charged = 0;
  } else {
    read.problem = "neither a response nor an error";
  }
  return read;
}

}  // namespace tapir::llm
