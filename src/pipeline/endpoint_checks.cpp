#include "pipeline/endpoint_checks.h"

#include <algorithm>
#include <future>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/loopback.h"
#include "base/strings.h"
#include "gym/request.h"
#include "llm/openai_api.h"
#include "llm/openai_model.h"
#include "pipeline/role_model.h"

namespace tapir::pipeline {
namespace {

constexpr const char* kAddressHint =
    "is the server running, and is base_url its address (it usually ends in /v1)?";
constexpr const char* kRequestHint =
    "extra_body of the role changes fields of the request, and null takes one out: "
    "{max_tokens: null, max_completion_tokens: 4096}";

Check failed(const std::string& what, const std::string& found, const std::string& hint) {
  return {what, false, found, hint};
}

// By everybody on the way.
bool is_key_readable(const llm::EndpointAddress& address) {
  return !address.api_key.empty() && lower_ascii(address.base_url).starts_with("http:") &&
         !is_loopback(host_of(address.base_url.substr(0, address.base_url.find('/', 7))));
}

Check look(const std::string& what, const llm::EndpointAddress& address, const ModelPart& part) {
  llm::HttpDeadlines deadlines;
  deadlines.first_byte = deadlines.total = std::chrono::seconds(20);
  const llm::EndpointLook seen = llm::look_at_endpoint(address, deadlines);
  const std::string where = address.base_url + ": ";
  if (!seen.error.empty()) return failed(what, where + seen.error, kAddressHint);
  if (seen.models.empty()) return {what, true, where + "reached; it lists no models", ""};
  const auto& names = seen.models;
  if (std::find(names.begin(), names.end(), part.model) == names.end()) {
    return failed(what, where + "it has no model " + part.model + llm::offered_models(seen.models),
                  "name one of them, exactly as it stands there");
  }
  return {what, true,
          fmt::format("{}has {}, {:.2f} s{}", where, part.model, seen.seconds,
                      is_key_readable(address) ? "; the key travels unencrypted: use https" : ""),
          ""};
}

// A few tokens of one endpoint.
Check ask_one(const std::string& what, const llm::OpenAiTransport& transport, std::size_t endpoint,
              const ModelPart& part) {
  llm::OpenAiTransport alone = transport;
  alone.endpoints = {transport.endpoints[endpoint]};
  llm::OpenAiModel model(openai_options(part), std::move(alone));
  llm::ChatRequest request;
  request.row_id = "doctor";
  request.messages = {{Role::user, "What is 2+3? Answer with the number."}};
  request.sampling.max_tokens = 16;
  std::promise<llm::ChatReply> promise;
  model.submit(request, [&](llm::ChatReply reply) { promise.set_value(std::move(reply)); }, {});
  const llm::ChatReply reply = promise.get_future().get();
  // Cut after a few tokens is well enough; so is "that is no question of mine" of the gym's models.
  const bool answers =
      reply.ok() || reply.failure == llm::Failure::length || reply.error_code == gym::kNoGymRequest;
  if (!answers) {
    return failed(what, fmt::format("{}: {}", llm::to_string(reply.failure), reply.error),
                  reply.failure == llm::Failure::invalid_request ? kRequestHint : kAddressHint);
  }
  const std::string tokens =
      reply.ok() ? fmt::format(", {} tokens", reply.usage.completion_tokens) : std::string();
  return {what, true, fmt::format("answers in {:.2f} s{}", reply.seconds, tokens), ""};
}

}  // namespace

std::vector<Check> check_endpoints(const Recipe& recipe, bool ask) {
  std::vector<Check> checks;
  for (const auto& [role, part] :
       {std::pair{"teacher", &recipe.teacher}, std::pair{"judge", &recipe.judge},
        std::pair{"auditor", &recipe.auditor}}) {
    if (part->kind != "openai" || part->mode == "batch") continue;
    llm::OpenAiTransport transport;
    try {
      transport = transport_of(*part, role);
    } catch (const Error& e) {
      checks.push_back(failed(role, e.what(), e.hint()));
      continue;
    }
    for (std::size_t i = 0; i < transport.endpoints.size(); ++i) {
      const std::string what = fmt::format("{} [{}]", role, i);
      checks.push_back(look(what, transport.endpoints[i], *part));
      if (ask && checks.back().ok) checks.push_back(ask_one(what, transport, i, *part));
    }
  }
  return checks;
}

}  // namespace tapir::pipeline
