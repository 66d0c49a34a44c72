#include "llm/endpoint_pool.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace tapir::llm {

EndpointPool::EndpointPool(const std::vector<Limits>& endpoints, const PoolOptions& options)
    : options_(options) {
  check(!endpoints.empty() && options.most_in_flight > 0, "a pool has endpoints and room");
  for (const Limits& limits : endpoints) {
    endpoints_.emplace_back(limits);
    endpoints_.back().window =
        static_cast<double>(std::min(options.first_window, options.most_in_flight));
  }
}

// When the endpoint may take a request; nothing: only after a report.
std::optional<SteadyTime> EndpointPool::ready(const Endpoint& endpoint, SteadyTime now,
                                              double tokens) const {
  if (endpoint.refuses) return std::nullopt;
  // One probe at a time.
  const double room = endpoint.is_aside ? 1 : endpoint.window;
  if (static_cast<double>(endpoint.in_flight) + 1 > room) return std::nullopt;
  SteadyTime moment = std::max(endpoint.pacer.ready(now, tokens), endpoint.paused_until);
  if (endpoint.is_aside) moment = std::max(moment, endpoint.aside_until);
  return std::max(moment, now);
}

std::optional<std::size_t> EndpointPool::take(SteadyTime now, double tokens) {
  std::optional<std::size_t> best;
  const auto load = [&](std::size_t i) {
    const Endpoint& endpoint = endpoints_[i];
    return std::pair(endpoint.outstanding_tokens,
                     static_cast<double>(endpoint.in_flight) / endpoint.window);
  };
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    const auto moment = ready(endpoints_[i], now, tokens);
    if (!moment || *moment > now) continue;
    if (!best || load(i) < load(*best)) best = i;
  }
  if (!best) return std::nullopt;
  ++endpoints_[*best].in_flight;
  endpoints_[*best].outstanding_tokens += tokens;
  endpoints_[*best].pacer.take(now, tokens);
  return best;
}

std::optional<SteadyTime> EndpointPool::wake_at(SteadyTime now, double tokens) const {
  std::optional<SteadyTime> soonest;
  for (const Endpoint& endpoint : endpoints_) {
    const auto moment = ready(endpoint, now, tokens);
    if (moment && (!soonest || *moment < *soonest)) soonest = moment;
  }
  return soonest;
}

void EndpointPool::report(std::size_t index, SteadyTime now, const EndpointReport& report) {
  Endpoint& endpoint = endpoints_.at(index);
  check(endpoint.in_flight > 0, "a report follows a request");
  --endpoint.in_flight;
  endpoint.outstanding_tokens =
      endpoint.in_flight == 0 ? 0  // no sum of rounding errors
                              : std::max(0.0, endpoint.outstanding_tokens - report.expected_tokens);
  endpoint.pacer.settle(now, report.expected_tokens,
                        report.actual_tokens.value_or(report.expected_tokens));
  endpoint.pacer.learn(now, report.rates);
  if (report.retry_after > 0) {
    const auto wait = std::chrono::duration<double>(report.retry_after);
    endpoint.paused_until =
        std::max(endpoint.paused_until,
                 now + std::chrono::duration_cast<std::chrono::steady_clock::duration>(wait));
  }
  judge(endpoint, now, report);
  if ((none_works() || none_was_reached()) && !dead_since_) dead_since_ = now;
}

void EndpointPool::judge(Endpoint& endpoint, SteadyTime now, const EndpointReport& report) {
  switch (report.sign) {
    case EndpointSign::answered:
      works(endpoint);
      endpoint.answered = ever_answered_ = true;
      endpoint.refusals = 0;
      grow(endpoint);
      return;
    case EndpointSign::throttled:
      works(endpoint);
      shrink(endpoint, now, report.sent);
      return;
    case EndpointSign::trouble:
      endpoint.unreachable = 0;
      if (++endpoint.trouble >= options_.trouble_in_row || endpoint.is_aside)
        set_aside(endpoint, now);
      return;
    case EndpointSign::unreachable:
      if (++endpoint.unreachable >= options_.unreachable_in_row || endpoint.is_aside)
        set_aside(endpoint, now);
      return;
    case EndpointSign::refuses:
      ++endpoint.refusals;
      if (!endpoint.answered || endpoint.refusals >= options_.refusals_in_row)
        endpoint.refuses = true;
      return;
  }
}

void EndpointPool::works(Endpoint& endpoint) {
  endpoint.unreachable = endpoint.trouble = 0;
  endpoint.is_aside = false;
  endpoint.aside_for = std::chrono::milliseconds(0);
  dead_since_.reset();
}

bool EndpointPool::none_works() const {
  return std::all_of(endpoints_.begin(), endpoints_.end(), [](const Endpoint& endpoint) {
    return endpoint.refuses || endpoint.is_aside;
  });
}

// At first contact one failed connection says enough, if there is no endpoint left to try.
bool EndpointPool::none_was_reached() const {
  return !ever_answered_ &&
         std::all_of(endpoints_.begin(), endpoints_.end(), [](const Endpoint& endpoint) {
           return endpoint.refuses || endpoint.unreachable > 0;
         });
}

// Beyond the one probe of an endpoint that is set aside.
bool EndpointPool::may_still_answer() const {
  return std::any_of(endpoints_.begin(), endpoints_.end(), [](const Endpoint& endpoint) {
    return endpoint.in_flight > (endpoint.is_aside ? 1U : 0U);
  });
}

// Once for all requests that were in flight together.
void EndpointPool::shrink(Endpoint& endpoint, SteadyTime now, SteadyTime sent) const {
  endpoint.slow_start = false;
  if (sent < endpoint.last_shrink) return;
  endpoint.last_shrink = now;
  endpoint.window = std::max(1.0, endpoint.window / 2);
}

void EndpointPool::grow(Endpoint& endpoint) const {
  endpoint.window += endpoint.slow_start ? 1 : 1 / endpoint.window;
  endpoint.window = std::min(endpoint.window, static_cast<double>(options_.most_in_flight));
}

void EndpointPool::set_aside(Endpoint& endpoint, SteadyTime now) const {
  if (endpoint.is_aside && now < endpoint.aside_until) return;  // sent before it was set aside
  endpoint.aside_for = endpoint.aside_for.count() == 0
                           ? options_.first_aside
                           : std::min(2 * endpoint.aside_for, options_.longest_aside);
  endpoint.is_aside = true;
  endpoint.aside_until = now + endpoint.aside_for;
}

bool EndpointPool::all_refuse() const {
  return std::all_of(endpoints_.begin(), endpoints_.end(),
                     [](const Endpoint& endpoint) { return endpoint.refuses; });
}

bool EndpointPool::out_of_patience(SteadyTime now) const {
  if (!dead_since_ || may_still_answer()) return false;
  return now - *dead_since_ > (ever_answered_ ? options_.patience : options_.first_patience);
}

bool EndpointPool::has_other(std::size_t index, SteadyTime now) const {
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    const Endpoint& other = endpoints_[i];
    if (i != index && !other.refuses && (!other.is_aside || other.aside_until <= now)) return true;
  }
  return false;
}

bool EndpointPool::has_willing_other(std::size_t index) const {
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    if (i != index && !endpoints_[i].refuses) return true;
  }
  return false;
}

EndpointPool::State EndpointPool::state(std::size_t index, SteadyTime now) const {
  const Endpoint& endpoint = endpoints_.at(index);
  return {endpoint.refuses, endpoint.is_aside,
          std::max(endpoint.paused_until, endpoint.pacer.ready(now, 1))};
}

std::size_t EndpointPool::in_flight() const {
  std::size_t sum = 0;
  for (const Endpoint& endpoint : endpoints_) sum += endpoint.in_flight;
  return sum;
}

}  // namespace tapir::llm
