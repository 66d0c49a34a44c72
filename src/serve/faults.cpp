#include "serve/faults.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "serve/api_fault.h"
#include "serve/api_text.h"

namespace tapir::serve {
namespace {

constexpr std::size_t kPieces = 8;  // of a slow reply

bool asks_for_answers(const HttpRequest& request) {
  return request.path == "/v1/chat/completions" || request.path == "/v1/completions";
}

HttpReply throttled(double retry_after) {
  HttpReply reply = error_reply(
      ApiFault(429, "too many requests (a fault on purpose)", "", "rate_limit_exceeded"));
  reply.headers.emplace_back("Retry-After", fmt::format("{:.0f}", std::ceil(retry_after)));
  reply.headers.emplace_back("retry-after-ms", fmt::format("{:.0f}", 1000 * retry_after));
  return reply;
}

HttpReply broken(RandomStream& stream) {
  switch (stream.below(3)) {
    case 0:
      return error_reply(ApiFault(500, "internal error (a fault on purpose)"));
    case 1:
      return error_reply(ApiFault(503, "overloaded (a fault on purpose)"));
    default: {
      HttpReply reply;
      reply.status = 502;
      reply.content_type = "text/html";
      reply.body = "<html><head><title>502 Bad Gateway</title></head></html>";
      return reply;
    }
  }
}

// Closed before its first byte, or somewhere inside.
HttpReply cut(const HttpReply& whole, RandomStream& stream) {
  const std::string bytes =
      fmt::format("HTTP/1.1 {} OK\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n{}",
                  whole.status, whole.content_type, whole.body.size(), whole.body);
  HttpReply reply;
  reply.raw = stream.chance(0.3) ? std::string() : bytes.substr(0, stream.below(bytes.size()));
  return reply;
}

// The first half of every answer.
HttpReply halve_answers(HttpReply reply, bool say_so) {
  OrderedJson json = parse_ordered_json(reply.body, "an own reply");
  for (OrderedJson& choice : json["choices"]) {
    OrderedJson& text = choice.contains("message") ? choice["message"]["content"] : choice["text"];
    const std::string whole = text.get<std::string>();
    text = whole.substr(0, whole.size() / 2);
    if (say_so) choice["finish_reason"] = "length";
  }
  reply.body = to_text(json);
  return reply;
}

bool is_of_model(const HttpRequest& request, const std::string& name) {
  const Json json = Json::parse(request.body, nullptr, /*allow_exceptions=*/false);
  return json.is_object() && json.value("model", Json()) == name;
}

}  // namespace

FaultyService::FaultyService(HttpHandler& inner, FaultOptions options)
    : inner_(inner), options_(std::move(options)) {
  double sum = 0;
  for (const double share : options_.shares) {
    if (!(share >= 0 && share <= 1))
      throw Error(ErrorKind::usage, "a share of faults is from 0 to 1");
    sum += share;
  }
  if (sum > 1 + 1e-9) throw Error(ErrorKind::usage, "the shares of faults sum to more than 1");
}

FaultyService::Draw FaultyService::draw(const HttpRequest& request) {
  const std::string id = short_id({request.path, request.header("tapir-attempt"), request.body});
  std::uint64_t before = 0;
  {
    const std::lock_guard lock(mutex_);
    before = sends_[id]++;
    ++all_sends_;
  }
  Draw drawn{{}, RandomStream(options_.seed, "fault " + std::to_string(before), id)};
  double at = drawn.stream.uniform();
  for (std::size_t i = 0; i < options_.shares.size() && !drawn.fault; ++i) {
    at -= options_.shares[i];
    if (at < 0) drawn.fault = static_cast<Fault>(i);
  }
  const bool nothing_to_garble =
      drawn.fault == Fault::garble && !is_of_model(request, options_.garbled_model);
  if (nothing_to_garble) drawn.fault.reset();
  return drawn;
}

HttpReply FaultyService::answer(const HttpRequest& request, const HttpPeer& peer) {
  if (!asks_for_answers(request)) {
    HttpReply reply = inner_.answer(request, peer);
    if (request.path == "/metrics" && reply.status == 200) reply.body += metrics();
    return reply;
  }
  Draw drawn = draw(request);
  if (!drawn.fault) return inner_.answer(request, peer);
  {
    const std::lock_guard lock(mutex_);
    ++counts_[static_cast<std::size_t>(*drawn.fault)];
  }
  return faulty(drawn, request, peer);
}

HttpReply FaultyService::faulty(Draw& drawn, const HttpRequest& request, const HttpPeer& peer) {
  if (drawn.fault == Fault::throttle) return throttled(options_.retry_after);
  if (drawn.fault == Fault::error) return broken(drawn.stream);
  HttpReply reply = inner_.answer(request, peer);
  if (reply.status != 200 || reply.stream) return reply;
  switch (*drawn.fault) {
    case Fault::cut:
      return cut(reply, drawn.stream);
    case Fault::slow:
      return slowly(std::move(reply));
    case Fault::half:
      reply.body.resize(reply.body.size() / 2);
      return reply;
    case Fault::length:
      return halve_answers(std::move(reply), /*say_so=*/true);
    default:
      return halve_answers(std::move(reply), /*say_so=*/false);
  }
}

HttpReply FaultyService::slowly(HttpReply reply) const {
  const auto body = std::make_shared<const std::string>(std::move(reply.body));
  reply.body.clear();
  reply.stream = [body, pause = options_.slow_by / kPieces](const BodyWriter& write) {
    const std::size_t piece = body->size() / kPieces + 1;
    for (std::size_t at = 0; at < body->size(); at += piece) {
      std::this_thread::sleep_for(pause);
      if (!write(std::string_view(*body).substr(at, piece))) return;
    }
  };
  return reply;
}

std::string FaultyService::metrics() const {
  const std::lock_guard lock(mutex_);
  std::string out = fmt::format(
      "# HELP tapir_sends_total Requests for answers that came.\n# TYPE tapir_sends_total counter\n"
      "tapir_sends_total {}\n"
      "# HELP tapir_distinct_requests Different ones among them.\n"
      "# TYPE tapir_distinct_requests gauge\ntapir_distinct_requests {}\n"
      "# HELP tapir_faults_total Faults on purpose by kind.\n# TYPE tapir_faults_total counter\n",
      all_sends_, sends_.size());
  for (std::size_t i = 0; i < kFaultNames.size(); ++i) {
    out += fmt::format("tapir_faults_total{{kind=\"{}\"}} {}\n", kFaultNames[i], counts_[i]);
  }
  return out;
}

}  // namespace tapir::serve
