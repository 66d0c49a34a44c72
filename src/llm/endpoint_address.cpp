#include "llm/endpoint_address.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "llm/openai_api.h"

namespace tapir::llm {

std::string check_base_url(const std::string& base_url, const std::string& where) {
  const std::string hint = "for example http://localhost:8000/v1";
  const std::string lower = lower_ascii(base_url);
  const std::size_t scheme = lower.starts_with("http://")    ? 7
                             : lower.starts_with("https://") ? 8
                                                             : 0;
  const std::size_t path = scheme == 0 ? 0 : base_url.find('/', scheme);
  const std::string authority =
      base_url.substr(scheme, path == std::string::npos ? path : path - scheme);
  // Without repeating it: it may hold a key.
  if (authority.find('@') != std::string::npos || base_url.find('?') != std::string::npos ||
      base_url.find('#') != std::string::npos) {
    throw Error(ErrorKind::usage,
                where + ": expected an address alone, found one with credentials or a query",
                "keys come from the environment: name the variable with api_key_env");
  }
  const auto is_plain = [](char c) { return c > ' ' && c < 127; };
  if (scheme == 0 || authority.empty() ||
      !std::all_of(base_url.begin(), base_url.end(), is_plain)) {
    throw Error(ErrorKind::usage, where + ": expected an http or https address", hint);
  }
  std::string checked = base_url;
  while (checked.ends_with('/')) checked.pop_back();
  return checked;
}

HttpCall http_call(const EndpointAddress& address, const std::string& path,
                   const HttpDeadlines& deadlines) {
  HttpCall call;
  call.post = false;
  call.url = address.base_url + path;
  call.deadlines = deadlines;
  if (!address.api_key.empty())
    call.headers.push_back("Authorization: Bearer " + address.api_key.reveal());
  return call;
}

EndpointLook look_at_endpoint(const EndpointAddress& address, const HttpDeadlines& deadlines) {
  HttpLoop loop;
  HttpOutcome outcome;
  loop.start(http_call(address, "/models", deadlines),
             [&](HttpOutcome done) { outcome = std::move(done); });
  while (loop.in_flight() > 0) loop.run_once(std::chrono::seconds(1));
  EndpointLook look;
  look.seconds = outcome.seconds;
  if (outcome.end != HttpEnd::complete) {
    look.error = outcome.error;
  } else if (outcome.status == 200) {
    look.models = read_model_names(outcome.body);
  } else if (outcome.status != 404 && outcome.status != 405) {  // some have no such list
    look.error = read_api_reply(outcome.status, outcome.body, /*logprobs=*/false).error;
  }
  look.error = address.api_key.scrubbed(std::move(look.error));
  return look;
}

}  // namespace tapir::llm
