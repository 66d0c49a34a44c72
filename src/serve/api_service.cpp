#include "serve/api_service.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/loopback.h"
#include "base/strings.h"
#include "serve/api_text.h"

namespace tapir::serve {
namespace {

struct Path {
  std::string_view path;
  std::string_view method;
};
constexpr std::array<Path, 5> kPaths = {{{"/v1/chat/completions", "POST"},
                                         {"/v1/completions", "POST"},
                                         {"/v1/models", "GET"},
                                         {"/health", "GET"},
                                         {"/metrics", "GET"}}};
constexpr std::string_view kModels = "/v1/models/";  // and a name

// How often a waiting connection looks whether its client is still there.
constexpr std::chrono::milliseconds kGlance{100};

const Path* find_path(const std::string& path) {
  static constexpr Path kOneModel{kModels, "GET"};
  if (path.starts_with(kModels) && path.size() > kModels.size()) return &kOneModel;
  for (const Path& known : kPaths) {
    if (path == known.path) return &known;
  }
  return nullptr;
}

// Paths as the metrics show them: few, whatever clients ask for.
std::string metrics_path(const std::string& path) {
  const Path* known = find_path(path);
  return known == nullptr ? "other" : std::string(known->path);
}

// The time it takes says nothing about where two keys differ.
bool same_key(std::string_view a, std::string_view b) { return sha256(a) == sha256(b); }

ApiFault fault_of(const llm::ChatReply& reply) {
  using llm::Failure;
  const std::string message =
      reply.error.empty() ? std::string(llm::to_string(reply.failure)) : reply.error;
  switch (reply.failure) {
    case Failure::invalid_request:
      return {400, message, "", reply.error_code};
    case Failure::rate_limited:
      return {429, message, "", "rate_limit_exceeded"};
    case Failure::timeout:
      return {504, message, "", "timeout"};
    case Failure::stopped:
    case Failure::budget:
      return {503, message, "", std::string(llm::to_string(reply.failure))};
    case Failure::server_error:
      return {500, message};
    default:
      return {502, message};
  }
}

// Which time the same is asked, from 0: a client that asks again after an unreadable answer wants
// another one.
int attempt_of(const HttpRequest& request) {
  const std::string text = request.header("tapir-attempt");
  int attempt = 0;
  std::from_chars(text.data(), text.data() + text.size(), attempt);
  return std::clamp(attempt, 0, 1000);
}

// An answer that its endpoint has cut or filtered is an answer to the client.
bool is_answer(const llm::ChatReply& reply) {
  return reply.ok() || reply.failure == llm::Failure::length ||
         reply.failure == llm::Failure::content_filter;
}

}  // namespace

ApiService::ApiService(ServedModels models, ApiOptions options)
    : models_(std::move(models)),
      options_(std::move(options)),
      limits_{options_.max_choices, options_.draw_seeds},
      admission_(options_.parallel, options_.parallel + options_.max_queue) {}

ApiService::~ApiService() {
  close();
  cancel_all();
  while (!admission_.wait_empty(std::chrono::minutes(1))) {
  }
}

void ApiService::close() {
  closed_ = true;
  admission_.close();
}

HttpReply ApiService::failure(int status, const std::string& message) {
  metrics_.count_request("other", status);
  return error_reply(ApiFault(status, message));
}

// ---- before the body ----

std::optional<HttpReply> ApiService::screen(const HttpRequest& head) {
  try {
    check(head);
    return std::nullopt;
  } catch (const ApiFault& fault) {
    metrics_.count_request(metrics_path(head.path), fault.status());
    HttpReply reply = error_reply(fault);
    if (fault.status() == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
    if (fault.status() == 405) {
      reply.headers.emplace_back("Allow", std::string(find_path(head.path)->method));
    }
    return reply;
  }
}

void ApiService::check(const HttpRequest& head) const {
  if (options_.api_key.empty()) {
    check_local(head);
  } else if (head.path != "/health" &&
             !same_key(head.header("authorization"), "Bearer " + options_.api_key)) {
    throw ApiFault(401, "the API key is missing or wrong (Authorization: Bearer ...)", "",
                   "invalid_api_key");
  }
  const Path* path = find_path(head.path);
  if (path == nullptr) {
    throw ApiFault(404, "there is nothing at " + head.path + "; this server has " +
                            "/v1/chat/completions, /v1/completions, /v1/models, /health, /metrics");
  }
  if (head.method == path->method || (head.method == "HEAD" && path->method == "GET")) return;
  throw ApiFault(405, fmt::format("{} wants {}, not {}", head.path, path->method, head.method));
}

// Without a key, a web page that the user has open must not reach the model: neither from its own
// origin, nor under a name that it has made to point here.
void ApiService::check_local(const HttpRequest& head) const {
  const std::string host = head.header("host");
  const std::string origin = head.header("origin");
  if (!host.empty() && !is_loopback(host_of(host))) {
    throw ApiFault(403, "without an API key this server answers to localhost only, not to " + host);
  }
  if (!origin.empty() && !is_loopback(host_of(origin))) {
    throw ApiFault(403, "without an API key this server does not answer to web pages of " + origin);
  }
}

// ---- the answers ----

HttpReply ApiService::answer(const HttpRequest& request, const HttpPeer& peer) {
  HttpReply reply;
  try {
    reply = reply_to(request, peer);
  } catch (const ApiFault& fault) {
    reply = error_reply(fault);
    if (fault.status() == 429 || fault.status() == 503) {
      reply.headers.emplace_back("Retry-After", std::to_string(admission_.retry_after()));
    }
  }
  metrics_.count_request(metrics_path(request.path), reply.status);
  return reply;
}

HttpReply ApiService::reply_to(const HttpRequest& request, const HttpPeer& peer) {
  if (request.path == "/health") return health();
  if (request.path == "/metrics") return metrics();
  if (request.method != "POST") return models(request.path);
  ApiRequest asked = request.path == "/v1/completions"
                         ? read_completion_request(request.body, limits_)
                         : read_chat_request(request.body, limits_);
  asked.attempt = attempt_of(request);
  return complete(asked, peer);
}

HttpReply ApiService::health() const {
  HttpReply reply;
  reply.status = closed_ ? 503 : 200;
  reply.body = to_text({{"status", closed_ ? "stopping" : "ok"}});
  return reply;
}

HttpReply ApiService::metrics() const {
  HttpReply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = metrics_.text({admission_.in_flight(), admission_.limit()});
  return reply;
}

HttpReply ApiService::models(const std::string& path) const {
  const auto as_json = [](const ServedModel& model) {
    return OrderedJson{
        {"id", model.name}, {"object", "model"}, {"created", 0}, {"owned_by", "tapir"}};
  };
  HttpReply reply;
  if (path != "/v1/models") {
    reply.body = to_text(as_json(find_model(path.substr(kModels.size()))));
    return reply;
  }
  OrderedJson all = OrderedJson::array();
  for (const ServedModel& model : models_) all.push_back(as_json(model));
  reply.body = to_text({{"object", "list"}, {"data", all}});
  return reply;
}

const ServedModel& ApiService::find_model(const std::string& name) const {
  std::vector<std::string> names;
  for (const ServedModel& model : models_) {
    if (model.name == name) return model;
    names.push_back(model.name);
  }
  throw ApiFault(404, "there is no model " + name + "; this server has " + join(names, ", "),
                 "model", "model_not_found");
}

HttpReply ApiService::complete(const ApiRequest& request, const HttpPeer& peer) {
  if (request.model.empty()) throw ApiFault(400, "model is missing", "model");
  const ServedModel& served = find_model(request.model);
  const auto call = std::make_shared<Call>(request, make_head(request, served.name), peer);
  admit(call->choices);  // from here on, every choice leaves by its reply
  call->feed.submit(served.model, request, [this](const llm::ChatReply& reply) {
    metrics_.count_answer(reply);
    admission_.leave(reply.seconds);
  });
  return request.stream ? stream(call) : whole(*call);
}

void ApiService::admit(std::size_t answers) {
  if (answers > admission_.limit()) {
    throw ApiFault(400,
                   fmt::format("n: {} answers, this server holds at most {} at once", answers,
                               admission_.limit()),
                   "n");
  }
  switch (admission_.enter(answers)) {
    case Admission::Verdict::admitted:
      return;
    case Admission::Verdict::full:
      throw ApiFault(429, "the queue is full; try again later", "", "rate_limit_exceeded");
    case Admission::Verdict::closed:
      throw ApiFault(503, "the server is stopping", "", "stopping");
  }
}

// Waits for it. Nothing: the client is gone. ApiFault when there is no time left, however much of
// an answer still comes; one that has come whole is given out.
std::optional<AnswerEvent> ApiService::next_event(Call& call) const {
  while (true) {
    std::optional<AnswerEvent> event = call.feed.next(kGlance);
    if (event && event->reply) return event;
    if (cancelled_) throw ApiFault(503, "the server is stopping", "", "stopping");
    if (Clock::now() - call.start > options_.answer_timeout) {
      throw ApiFault(504, "the answer took too long", "", "timeout");
    }
    if (event) return event;
    if (call.peer.gone()) return std::nullopt;
  }
}

HttpReply ApiService::whole(Call& call) const {
  std::vector<llm::ChatReply> replies(call.choices);
  for (std::size_t missing = replies.size(); missing > 0;) {
    std::optional<AnswerEvent> event = next_event(call);
    if (!event) throw ApiFault(499, "the client has gone");  // nobody reads it
    if (!event->reply) continue;
    if (!is_answer(*event->reply)) throw fault_of(*event->reply);
    replies[event->choice] = std::move(*event->reply);
    --missing;
  }
  HttpReply reply;
  reply.body = to_text(whole_reply(call.head, replies, call.prompts));
  return reply;
}

HttpReply ApiService::stream(std::shared_ptr<Call> call) {
  // What cannot be answered at all still gets a status of its own.
  std::optional<AnswerEvent> first = next_event(*call);
  if (!first) throw ApiFault(499, "the client has gone");
  if (first->reply && !is_answer(*first->reply)) throw fault_of(*first->reply);
  const std::chrono::duration<double> waited = Clock::now() - call->start;
  metrics_.count_first_token(waited.count());
  HttpReply reply;
  reply.content_type = "text/event-stream; charset=utf-8";
  reply.headers.emplace_back("Cache-Control", "no-cache");
  reply.headers.emplace_back("X-Accel-Buffering", "no");  // proxies pass events on at once
  reply.stream = [this, call = std::move(call),
                  first = std::move(*first)](const BodyWriter& write) {
    write_stream(*call, first, write);
    call->feed.cancel();
  };
  return reply;
}

namespace {

// The events of one stream; keeps what the later ones need.
class StreamWriter {
 public:
  StreamWriter(const ReplyHead& head, std::size_t choices, const BodyWriter& write)
      : head_(head), write_(write), begun_(choices), shown_(choices), replies_(choices) {}

  // False: the client is gone.
  bool add(AnswerEvent event) {
    const std::size_t i = event.choice;
    if (head_.chat && !begun_[i]) {
      begun_[i] = true;
      if (!send(first_chunk(head_, i))) return false;
    }
    if (!event.reply) return show(i, event.delta);
    // A model that does not show its answers while it makes them.
    if (shown_[i] == 0 && !event.reply->text.empty() && !show(i, all_of(*event.reply))) {
      return false;
    }
    replies_[i] = std::move(*event.reply);
    ++ended_;
    return send(last_chunk(head_, i, replies_[i].finish_reason));
  }

  bool complete() const { return ended_ == replies_.size(); }

  void end(std::size_t prompts) {
    if (head_.include_usage && !send(usage_chunk(head_, total_usage(replies_, prompts)))) return;
    write_(kLastEvent);
  }

 private:
  static llm::ChatDelta all_of(const llm::ChatReply& reply) {
    return {reply.text, reply.top_logprobs, reply.logprobs};
  }
  bool show(std::size_t choice, const llm::ChatDelta& delta) {
    const std::size_t before = shown_[choice];
    shown_[choice] += delta.text.size();
    return send(delta_chunk(head_, choice, delta, before));
  }
  bool send(const OrderedJson& chunk) { return write_(to_event(chunk)); }

  const ReplyHead& head_;
  const BodyWriter& write_;
  std::vector<bool> begun_;
  std::vector<std::size_t> shown_;  // bytes of text
  std::vector<llm::ChatReply> replies_;
  std::size_t ended_ = 0;
};

}  // namespace

void ApiService::write_stream(Call& call, AnswerEvent first, const BodyWriter& write) {
  StreamWriter writer(call.head, call.choices, write);
  std::optional<AnswerEvent> event = std::move(first);
  try {
    while (true) {
      if (event->reply && !is_answer(*event->reply)) throw fault_of(*event->reply);
      if (!writer.add(std::move(*event))) return;
      if (writer.complete()) break;
      event = next_event(call);
      if (!event) return;
    }
  } catch (const ApiFault& fault) {
    write(to_event(error_body(fault)));
    return;
  }
  writer.end(call.prompts);
}

}  // namespace tapir::serve
