#include "llm/cached.h"

#include <exception>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/json.h"

namespace tapir::llm {
namespace {

constexpr std::string_view kOk = "ok";
constexpr std::string_view kUnknown = "unknown";  // sent, and nobody knows what became of it

// Would the same request fail the same way again? Only then is the failure of an earlier sitting an
// answer.
bool is_remembered(Failure failure) {
  return failure == Failure::length || failure == Failure::content_filter ||
         failure == Failure::invalid_request;
}

std::string logprobs_to_json(const ChatReply& reply) {
  if (reply.top_logprobs.empty()) return {};
  Json positions = Json::array();
  for (const auto& ranks : reply.top_logprobs) {
    Json position = Json::array();
    for (const TokenLogprob& token : ranks)
      position.push_back(Json::array({token.token, token.logprob}));
    positions.push_back(std::move(position));
  }
  return positions.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::vector<TokenLogprob>> logprobs_from_json(const std::string& text,
                                                          const std::string& where) {
  std::vector<std::vector<TokenLogprob>> positions;
  if (text.empty()) return positions;
  using Pairs = std::vector<std::pair<std::string, double>>;
  for (const Json& position : parse_json(text, where)) {
    std::vector<TokenLogprob>& ranks = positions.emplace_back();
    for (const auto& [token, logprob] : position.get<Pairs>()) ranks.push_back({token, logprob});
  }
  return positions;
}

ChatReply reply_of(const store::ReplyRecord& record, Failure failure) {
  ChatReply reply;
  reply.key = record.key;
  reply.failure = failure;
  reply.error = record.error;
  reply.text = record.text;
  reply.finish_reason = record.finish_reason;
  reply.usage = {record.prompt_tokens, record.cached_prompt_tokens, record.completion_tokens};
  reply.top_logprobs =
      logprobs_from_json(record.top_logprobs, "reply " + record.key + " of the run store");
  reply.from_cache = true;
  return reply;
}

ChatReply not_durable(const std::string& key, const std::exception& reason) {
  ChatReply reply;
  reply.key = key;
  reply.failure = Failure::stopped;
  reply.error = reason.what();
  return reply;
}

}  // namespace

store::ReplyRecord record_of(const ChatReply& reply) {
  store::ReplyRecord record;
  record.key = reply.key;
  record.status = reply.ok() ? kOk : to_string(reply.failure);
  record.text = reply.text;
  record.error = reply.error;
  record.finish_reason = reply.finish_reason;
  record.prompt_tokens = reply.usage.prompt_tokens;
  record.cached_prompt_tokens = reply.usage.cached_prompt_tokens;
  record.completion_tokens = reply.usage.completion_tokens;
  record.usd = reply.usd;
  record.seconds = reply.seconds;
  record.sends = reply.attempts_charged;
  record.top_logprobs = logprobs_to_json(reply);
  return record;
}

CachedModel::CachedModel(ChatModel& inner, store::RunStore& store, std::string role,
                         const CacheOptions& options)
    : inner_(inner), store_(store), role_(std::move(role)), options_(options) {}

CachedModel::~CachedModel() { in_flight_.wait(); }

void CachedModel::submit(ChatRequest request, Completion done, std::stop_token stop) {
  const std::string key = reply_key(inner_.identity(), request);
  Waiter waiter{request.row_id, std::move(done), std::move(stop)};
  in_flight_.enter();
  FlightPointer flight;
  {
    const std::lock_guard lock(mutex_);
    FlightPointer& known = flights_[key];
    if (known) {
      known->waiters.push_back(std::move(waiter));
      return;
    }
    known = std::make_shared<Flight>(Flight{std::move(request), {}});
    known->waiters.push_back(std::move(waiter));
    flight = known;
  }
  if (!answer_from_store(flight, key)) send(flight, key);
}

bool CachedModel::answer_from_store(const FlightPointer& flight, const std::string& key) {
  try {
    const std::optional<store::ReplyRecord> record = store_.reply(key);
    if (!record) return false;
    if (record->status == kOk) {
      complete_later({flight, reply_of(*record, Failure::none)});
      return true;
    }
    const std::optional<Failure> failure = parse_failure(record->status);
    if (!failure || !is_remembered(*failure)) return false;
    complete_later({flight, reply_of(*record, *failure)});
  } catch (const std::exception& e) {
    complete_later({flight, not_durable(key, e)});
  }
  return true;
}

void CachedModel::send(const FlightPointer& flight, const std::string& key) {
  // Only this thread is in charge of the flight until its reply comes; others add waiters, under
  // the lock.
  const std::stop_token stop = [&] {
    const std::lock_guard lock(mutex_);
    return flight->waiters.front().stop;
  }();
  if (options_.book_before_send) {
    store::ReplyRecord booking = record_of(flight->request, {});
    booking.key = key;
    booking.status = kUnknown;
    booking.sends = 1;
    try {
      store_.put_reply(booking);
    } catch (const std::exception& e) {
      return complete_later({flight, not_durable(key, e)});
    }
  }
  try {
    inner_.submit(
        flight->request,
        [this, flight, key](ChatReply reply) {
          reply.key = key;
          keep(flight, std::move(reply));
        },
        stop);
  } catch (...) {
    abandon(flight, key);
    throw;
  }
}

// submit() of the inner model threw: its caller gets the exception, those who joined it a transient
// failure.
void CachedModel::abandon(const FlightPointer& flight, const std::string& key) {
  {
    const std::lock_guard lock(mutex_);
    flight->waiters.erase(flight->waiters.begin());
  }
  in_flight_.leave();
  complete_later(
      {flight, not_durable(key, Error(ErrorKind::bug, "the request that was waited for threw"))});
}

void CachedModel::keep(const FlightPointer& flight, ChatReply reply) {
  const bool nothing_sent = reply.attempts_charged == 0 && !options_.book_before_send &&
                            (reply.failure == Failure::stopped || reply.failure == Failure::budget);
  if (nothing_sent) return settle({flight, std::move(reply)});
  const store::ReplyRecord record = record_of(flight->request, reply);
  const auto outcome = std::make_shared<Outcome>(Outcome{flight, std::move(reply)});
  try {
    store_.put_reply_then(record, [this, outcome] {
      try {
        store_.throw_if_failed();
      } catch (const std::exception& e) {
        outcome->reply = not_durable(outcome->reply.key, e);
      }
      settle(*outcome);
    });
  } catch (const std::exception& e) {
    settle({flight, not_durable(record.key, e)});
  }
}

void CachedModel::settle(const Outcome& outcome) {
  std::vector<Waiter> waiters;
  {
    const std::lock_guard lock(mutex_);
    flights_.erase(outcome.reply.key);
    waiters = std::move(outcome.flight->waiters);
  }
  const bool owner_stopped = outcome.reply.failure == Failure::stopped && !waiters.empty() &&
                             waiters.front().stop.stop_requested();
  bool first = true;
  for (const Waiter& waiter : waiters) {
    if (owner_stopped && !waiter.stop.stop_requested()) {
      // The one who sent was stopped, this one was not.
      thread_.post(
          [this, request = outcome.flight->request, waiter] { submit_again(request, waiter); });
      continue;
    }
    ChatReply reply = outcome.reply;
    reply.row_id = waiter.row_id;
    if (!first) {
      reply.from_cache = true;
      reply.usd = 0;
      reply.seconds = 0;
      reply.attempts_charged = 0;
    }
    first = false;
    waiter.done(std::move(reply));
    in_flight_.leave();
  }
}

void CachedModel::complete_later(Outcome outcome) {
  thread_.post([this, outcome = std::move(outcome)] { settle(outcome); });
}

void CachedModel::submit_again(const ChatRequest& request, const Waiter& waiter) {
  ChatRequest again = request;
  again.row_id = waiter.row_id;
  try {
    submit(std::move(again), waiter.done, waiter.stop);
  } catch (const std::exception& e) {
    ChatReply reply = not_durable(reply_key(inner_.identity(), request), e);
    reply.row_id = waiter.row_id;
    waiter.done(std::move(reply));
  }
  in_flight_.leave();
}

store::ReplyRecord CachedModel::record_of(const ChatRequest& request,
                                          const ChatReply& reply) const {
  store::ReplyRecord record = llm::record_of(reply);
  record.row_id = request.row_id;
  record.stage = request.stage;
  record.role = role_;
  record.model = inner_.identity().model;
  record.sends -= options_.book_before_send ? 1 : 0;  // one is booked already
  return record;
}

}  // namespace tapir::llm
