#include "llm/openai_model.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include "llm/openai_api.h"

namespace tapir::llm {
namespace {

using Clock = std::chrono::steady_clock;

// How soon a stop is noticed.
constexpr std::chrono::milliseconds kLookForStop{50};
constexpr std::chrono::milliseconds kIdle{10'000};
constexpr std::chrono::seconds kForModels{10};  // the list that an error shows
constexpr int kRefusalsOfARequest = 3;
constexpr std::chrono::seconds kLongWait{30};  // worth a line
constexpr double kBytesPerToken = 4;

// One request on its way.
struct Item {
  ChatRequest request;
  Completion done;
  std::stop_token stop;
  ApiCall call;
  int sends = 0;      // that the endpoint may have charged
  int refusals = 0;   // by endpoints that refuse everything, or this
  double tokens = 0;  // expected
  SteadyTime sent{};
};
using ItemPointer = std::shared_ptr<Item>;

bool is_refusal(Failure failure) {
  return failure == Failure::unauthorized || failure == Failure::unavailable;
}

// What the endpoint's conduct says about itself.
EndpointSign sign_of(const ChatReply& reply, const HttpOutcome& outcome) {
  if (outcome.end == HttpEnd::not_connected) return EndpointSign::unreachable;
  if (is_refusal(reply.failure)) return EndpointSign::refuses;
  switch (reply.failure) {
    case Failure::rate_limited:
      return EndpointSign::throttled;
    case Failure::server_error:
      return reply.retry_after > 0 ? EndpointSign::throttled : EndpointSign::trouble;
    case Failure::connection:
    case Failure::timeout:
    case Failure::malformed:
      return EndpointSign::trouble;
    default:
      return EndpointSign::answered;
  }
}

// A transfer that ended without a whole reply.
ChatReply failure_of(const HttpOutcome& outcome) {
  ChatReply reply;
  reply.error = outcome.error;
  reply.attempts_charged = outcome.sent ? 1 : 0;
  switch (outcome.end) {
    case HttpEnd::late:
      reply.failure = Failure::timeout;
      break;
    case HttpEnd::bad_certificate:
      reply.failure = Failure::unavailable;
      reply.error = "the certificate is not accepted: " + outcome.error;
      reply.error_code = "bad_certificate";
      break;
    case HttpEnd::cancelled:
      reply.failure = Failure::stopped;
      break;
    case HttpEnd::too_large:
      reply.failure = Failure::malformed;
      break;
    default:
      reply.failure = Failure::connection;
  }
  return reply;
}

// What to do when nothing but this comes.
const char* remedy(Failure failure) {
  switch (failure) {
    case Failure::length:
      return "raise max_tokens, or have the model think less (extra_body)";
    case Failure::content_filter:
      return "the endpoint's filter refuses all of it: another model may not";
    default:
      return "extra_body changes fields of the request, null takes one out";
  }
}

std::string in_words(std::chrono::duration<double> wait) {
  const auto seconds = static_cast<std::int64_t>(wait.count());
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min";
  return std::to_string(seconds / 3600) + " h " + std::to_string(seconds / 60 % 60) + " min";
}

std::vector<EndpointPool::Limits> limits_of(const std::vector<EndpointAddress>& endpoints) {
  std::vector<EndpointPool::Limits> limits;
  for (const EndpointAddress& endpoint : endpoints) limits.push_back(endpoint.limits);
  return limits;
}

}  // namespace

class OpenAiModel::Impl {
 public:
  Impl(OpenAiOptions options, OpenAiTransport transport);
  ~Impl();

  const ModelIdentity& identity() const { return identity_; }
  void submit(ChatRequest request, Completion done, std::stop_token stop);
  std::string trouble() const {
    const std::lock_guard lock(mutex_);
    return trouble_;
  }

 private:
  struct Sent {
    ItemPointer item;
    bool draining = false;
  };
  struct StageStart {
    bool answered = false;  // a request was
    int failed = 0;         // for good, before one was answered
  };

  // All below runs on the I/O thread.
  void loop();
  bool take_in();  // false: the model ends, and nothing is left
  void look_for_stops();
  void dispatch();
  std::chrono::milliseconds next_wait() const;
  void send(const ItemPointer& item, std::size_t endpoint);
  void arrive(const ItemPointer& item, std::size_t endpoint, HttpOutcome outcome);
  EndpointReport report_of(const Item& item, const ChatReply& reply, const HttpOutcome& outcome);
  void ask_for_models(const ItemPointer& item, std::size_t endpoint, ChatReply reply);
  void settle(const ItemPointer& item, std::size_t endpoint, ChatReply reply);
  bool goes_to_another(const Item& item, std::size_t endpoint, const ChatReply& reply) const;
  void look_for_common_failure(const Item& item, const ChatReply& reply);
  void turn_away_all();
  void complete(const Item& item, ChatReply reply);
  void note(const std::string& words);
  void tell(std::size_t endpoint, const EndpointPool::State& before, const ChatReply& reply);

  const ModelIdentity identity_;
  const OpenAiOptions options_;
  const OpenAiTransport transport_;
  HttpLoop http_;
  EndpointPool pool_;
  std::deque<ItemPointer> waiting_;
  std::unordered_map<std::uint64_t, Sent> sent_;  // by id of the transfer
  double completion_tokens_ = 256;                // of an answer: moving average
  Clock::time_point next_look_{};
  std::unordered_map<std::string, StageStart> stages_;
  std::optional<ChatReply> turned_away_;  // why nobody is asked any more
  std::vector<SteadyTime> told_to_wait_;  // by endpoint: the wait that was told last

  mutable std::mutex mutex_;  // of what follows
  std::deque<ItemPointer> inbox_;
  bool closing_ = false;
  std::string trouble_;
  std::thread thread_;  // last: it uses everything above
};

OpenAiModel::Impl::Impl(OpenAiOptions options, OpenAiTransport transport)
    : identity_(identity_of(options)),
      options_(std::move(options)),
      transport_(std::move(transport)),
      pool_(limits_of(transport_.endpoints), transport_.pool),
      told_to_wait_(transport_.endpoints.size()),
      thread_([this] { loop(); }) {}

OpenAiModel::Impl::~Impl() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  http_.wake();
  thread_.join();
}

void OpenAiModel::Impl::submit(ChatRequest request, Completion done, std::stop_token stop) {
  auto item = std::make_shared<Item>();
  item->call = api_call(options_.model, request, options_.extra_body);
  item->request = std::move(request);
  item->done = std::move(done);
  item->stop = std::move(stop);
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = inbox_.empty();
    inbox_.push_back(std::move(item));
  }
  if (first) http_.wake();
}

// ---- the I/O thread ----

void OpenAiModel::Impl::loop() {
  while (take_in()) {
    look_for_stops();
    dispatch();
    http_.run_once(next_wait());
  }
}

bool OpenAiModel::Impl::take_in() {
  const std::lock_guard lock(mutex_);
  std::move(inbox_.begin(), inbox_.end(), std::back_inserter(waiting_));
  inbox_.clear();
  return !closing_ || !waiting_.empty() || http_.in_flight() > 0;
}

void OpenAiModel::Impl::look_for_stops() {
  const auto now = Clock::now();
  if (now < next_look_) return;
  next_look_ = now + kLookForStop;
  std::deque<ItemPointer> waiting;
  waiting.swap(waiting_);
  for (const ItemPointer& item : waiting) {
    if (!item->stop.stop_requested()) {
      waiting_.push_back(item);
      continue;
    }
    ChatReply reply;
    reply.failure = Failure::stopped;
    reply.attempts_charged = item->sends;
    complete(*item, std::move(reply));
  }
  for (auto& [id, sent] : sent_) {
    if (sent.draining || !sent.item->stop.stop_requested()) continue;
    sent.draining = true;
    http_.end_by(id, now + transport_.drain);
  }
}

void OpenAiModel::Impl::dispatch() {
  if (!turned_away_ && pool_.out_of_patience(Clock::now())) {
    turned_away_.emplace();
    turned_away_->failure = Failure::unavailable;
    turned_away_->error = "no endpoint has answered for long; last: " + trouble();
  }
  if (turned_away_) return turn_away_all();
  while (!waiting_.empty()) {
    const ItemPointer& item = waiting_.front();
    item->tokens =
        static_cast<double>(item->call.body.size()) / kBytesPerToken +
        std::min(completion_tokens_, static_cast<double>(item->request.sampling.max_tokens));
    const auto endpoint = pool_.take(Clock::now(), item->tokens);
    if (!endpoint) return;
    const ItemPointer next = item;
    waiting_.pop_front();
    send(next, *endpoint);
  }
}

std::chrono::milliseconds OpenAiModel::Impl::next_wait() const {
  if (waiting_.empty() && sent_.empty()) return kIdle;
  std::chrono::milliseconds wait = kLookForStop;
  if (waiting_.empty()) return wait;
  const auto now = Clock::now();
  const auto moment = pool_.wake_at(now, waiting_.front()->tokens);
  if (!moment) return wait;
  return std::clamp(std::chrono::ceil<std::chrono::milliseconds>(*moment - now),
                    std::chrono::milliseconds(0), wait);
}

void OpenAiModel::Impl::send(const ItemPointer& item, std::size_t endpoint) {
  HttpCall call = http_call(transport_.endpoints[endpoint], item->call.path, transport_.deadlines);
  call.post = true;
  call.headers.push_back("Content-Type: application/json");
  call.headers.push_back("Tapir-Attempt: " + std::to_string(item->request.attempt));
  call.body = item->call.body;
  item->sent = Clock::now();
  const auto id = std::make_shared<std::uint64_t>(0);
  *id = http_.start(std::move(call), [this, item, endpoint, id](HttpOutcome outcome) {
    sent_.erase(*id);
    arrive(item, endpoint, std::move(outcome));
  });
  sent_.emplace(*id, Sent{item});
}

EndpointReport OpenAiModel::Impl::report_of(const Item& item, const ChatReply& reply,
                                            const HttpOutcome& outcome) {
  EndpointReport report;
  report.sign = sign_of(reply, outcome);
  report.sent = item.sent;
  report.expected_tokens = item.tokens;
  report.retry_after = reply.retry_after;
  report.rates = read_rate_headers([&](const std::string& name) { return outcome.header(name); });
  const Usage& usage = reply.usage;
  if (usage.prompt_tokens + usage.completion_tokens > 0) {
    report.actual_tokens = static_cast<double>(usage.prompt_tokens + usage.completion_tokens);
    completion_tokens_ +=
        0.05 * (static_cast<double>(usage.completion_tokens) - completion_tokens_);
  }
  return report;
}

void OpenAiModel::Impl::arrive(const ItemPointer& item, std::size_t endpoint, HttpOutcome outcome) {
  const EndpointAddress& address = transport_.endpoints[endpoint];
  ChatReply reply =
      outcome.end == HttpEnd::complete
          ? read_api_reply(outcome.status, outcome.body, item->request.sampling.logprobs)
          : failure_of(outcome);
  reply.error = address.api_key.scrubbed(std::move(reply.error));
  reply.text = address.api_key.scrubbed(std::move(reply.text));
  reply.seconds = outcome.seconds;
  reply.retry_after =
      read_retry_after([&](const std::string& name) { return outcome.header(name); },
                       std::chrono::system_clock::now());
  const EndpointPool::State before = pool_.state(endpoint, Clock::now());
  pool_.report(endpoint, Clock::now(), report_of(*item, reply, outcome));
  tell(endpoint, before, reply);
  if (reply.error_code == kNoSuchModel) return ask_for_models(item, endpoint, std::move(reply));
  settle(item, endpoint, std::move(reply));
}

// A wrong name: the error says which names there are.
void OpenAiModel::Impl::ask_for_models(const ItemPointer& item, std::size_t endpoint,
                                       ChatReply reply) {
  HttpCall call = http_call(transport_.endpoints[endpoint], "/models", transport_.deadlines);
  call.deadlines.total = kForModels;
  http_.start(std::move(call),
              [this, item, endpoint, told = std::move(reply)](const HttpOutcome& outcome) mutable {
                told.error += offered_models(read_model_names(outcome.body));
                settle(item, endpoint, std::move(told));
              });
}

// To the caller, or to another endpoint when the failure is none of the request's own.
void OpenAiModel::Impl::settle(const ItemPointer& item, std::size_t endpoint, ChatReply reply) {
  if (is_transient(reply.failure) && reply.failure != Failure::stopped) {
    reply.error = transport_.endpoints[endpoint].base_url + ": " + reply.error;
    if (!turned_away_) note(reply.error);
    if (goes_to_another(*item, endpoint, reply)) {
      item->sends += reply.attempts_charged;
      item->refusals += is_refusal(reply.failure) ? 1 : 0;
      return waiting_.push_front(item);
    }
    if (is_refusal(reply.failure) && pool_.all_refuse()) turned_away_ = reply;
  }
  look_for_common_failure(*item, reply);
  complete(*item, std::move(reply));
}

bool OpenAiModel::Impl::goes_to_another(const Item& item, std::size_t endpoint,
                                        const ChatReply& reply) const {
  if (item.stop.stop_requested()) return false;
  if (is_refusal(reply.failure))
    return item.refusals < kRefusalsOfARequest && pool_.has_willing_other(endpoint);
  const bool never_left = reply.failure == Failure::connection && reply.attempts_charged == 0;
  return never_left && pool_.has_other(endpoint, Clock::now());
}

void OpenAiModel::Impl::look_for_common_failure(const Item& item, const ChatReply& reply) {
  const std::string& name = item.request.stage;
  if (turned_away_ || is_transient(reply.failure) || transport_.answered_stages.contains(name))
    return;
  StageStart& stage = stages_[name];
  const bool cut_as_wanted = item.request.cut_is_answer && reply.failure == Failure::length;
  stage.answered = stage.answered || reply.ok() || cut_as_wanted;
  if (stage.answered || transport_.first_failures <= 0) return;
  if (++stage.failed < transport_.first_failures) return;
  turned_away_.emplace();
  turned_away_->failure = Failure::unavailable;
  turned_away_->error = "the first " + std::to_string(stage.failed) +
                        " requests all failed for good, so no more are sent; the last: " +
                        std::string(to_string(reply.failure)) + ": " + reply.error + "; " +
                        remedy(reply.failure);
  note(turned_away_->error);
}

void OpenAiModel::Impl::turn_away_all() {
  for (const ItemPointer& item : std::exchange(waiting_, {})) {
    ChatReply reply = *turned_away_;
    reply.attempts_charged = 0;
    complete(*item, std::move(reply));
  }
}

void OpenAiModel::Impl::complete(const Item& item, ChatReply reply) {
  reply.row_id = item.request.row_id;
  reply.key = reply_key(identity_, item.request);
  reply.attempts_charged += item.sends;
  item.done(std::move(reply));
}

// What explains why it goes slowly, or not at all.
void OpenAiModel::Impl::tell(std::size_t endpoint, const EndpointPool::State& before,
                             const ChatReply& reply) {
  if (!transport_.notice) return;
  const auto now = Clock::now();
  const EndpointPool::State after = pool_.state(endpoint, now);
  const std::string& url = transport_.endpoints[endpoint].base_url;
  const std::string why = reply.error.empty() ? "" : ": " + reply.error;
  if (after.refuses && !before.refuses) {
    transport_.notice(url + ": not asked any more" + why);
  } else if (after.is_aside && !before.is_aside) {
    transport_.notice(url + ": set aside, and tried again now and then" + why);
  } else if (before.is_aside && !after.is_aside) {
    transport_.notice(url + ": works again");
  }
  SteadyTime& told = told_to_wait_[endpoint];
  if (after.waits_until - now < kLongWait || after.waits_until - told < kLongWait) return;
  told = after.waits_until;
  transport_.notice(url + ": asks to wait " + in_words(after.waits_until - now) + why);
}

void OpenAiModel::Impl::note(const std::string& words) {
  const std::lock_guard lock(mutex_);
  trouble_ = words;
}

ModelIdentity identity_of(const OpenAiOptions& options) {
  std::string settings;
  if (!options.revision.empty()) settings += "revision=" + options.revision + " ";
  if (!options.extra_body.empty()) settings += "extra_body=" + options.extra_body;
  return {"openai", options.model, settings};
}

OpenAiModel::OpenAiModel(OpenAiOptions options, OpenAiTransport transport)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(transport))) {}
OpenAiModel::~OpenAiModel() = default;
const ModelIdentity& OpenAiModel::identity() const { return impl_->identity(); }
void OpenAiModel::submit(ChatRequest request, Completion done, std::stop_token stop) {
  impl_->submit(std::move(request), std::move(done), std::move(stop));
}
std::string OpenAiModel::trouble() const { return impl_->trouble(); }

}  // namespace tapir::llm
