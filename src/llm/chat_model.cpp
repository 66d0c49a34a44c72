#include "llm/chat_model.h"

#include <array>
#include <charconv>
#include <utility>

#include "base/hash.h"

namespace tapir::llm {
namespace {

constexpr std::array<std::pair<Failure, std::string_view>, 14> kFailures = {{
    {Failure::none, "none"},
    {Failure::rate_limited, "rate_limited"},
    {Failure::server_error, "server_error"},
    {Failure::connection, "connection"},
    {Failure::timeout, "timeout"},
    {Failure::malformed, "malformed"},
    {Failure::stopped, "stopped"},
    {Failure::unauthorized, "unauthorized"},
    {Failure::unavailable, "unavailable"},
    {Failure::budget, "budget"},
    {Failure::waiting, "waiting"},
    {Failure::length, "length"},
    {Failure::content_filter, "content_filter"},
    {Failure::invalid_request, "invalid_request"},
}};

// Fields one behind the other, each preceded by its length, so that no two requests give the same
// text.
class KeyText {
 public:
  void add(std::string_view field) {
    text_ += std::to_string(field.size());
    text_ += ':';
    text_ += field;
  }
  void add(double value) {
    std::array<char, 32>
        digits{};  // the shortest text that reads back as the same number, in any locale
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    add(std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
  }
  void add_integer(std::int64_t value) { add(std::to_string(value)); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

std::string_view to_string(Failure failure) {
  for (const auto& [known, name] : kFailures) {
    if (known == failure) return name;
  }
  return "none";
}

std::optional<Failure> parse_failure(std::string_view name) {
  for (const auto& [failure, known] : kFailures) {
    if (known == name) return failure;
  }
  return std::nullopt;
}

bool is_transient(Failure failure) {
  switch (failure) {
    case Failure::none:
    case Failure::length:
    case Failure::content_filter:
    case Failure::invalid_request:
      return false;
    default:
      return true;
  }
}

bool is_worth_retrying(Failure failure) {
  switch (failure) {
    case Failure::rate_limited:
    case Failure::server_error:
    case Failure::connection:
    case Failure::timeout:
    case Failure::malformed:
      return true;
    default:
      return false;
  }
}

std::string reply_key(const ModelIdentity& identity, const ChatRequest& request) {
  KeyText key;
  key.add("reply 1");  // of the layout below
  key.add(identity.kind);
  key.add(identity.model);
  key.add(identity.settings);
  key.add_integer(request.attempt);
  const Sampling& sampling = request.sampling;
  key.add(sampling.temperature);
  key.add(sampling.top_p);
  key.add_integer(sampling.max_tokens);
  key.add(sampling.seed ? std::to_string(*sampling.seed) : std::string("none"));
  key.add_integer(static_cast<std::int64_t>(sampling.stop.size()));
  for (const std::string& stop : sampling.stop) key.add(stop);
  key.add_integer(sampling.logprobs ? sampling.top_logprobs : -1);
  key.add_integer(sampling.json_mode ? 1 : 0);
  for (const Message& message : request.messages) {
    key.add(to_string(message.role));
    key.add(message.content);
  }
  // What came later enters only where it is used, so that older replies are still found.
  if (sampling.top_k != 0) {
    key.add("top_k");
    key.add_integer(sampling.top_k);
  }
  if (request.messages.empty()) {
    key.add("prompt");
    key.add(request.prompt);
  }
  return sha256_hex(key.text()).substr(0, 32);
}

}  // namespace tapir::llm
