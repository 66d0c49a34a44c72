// Which of a role's endpoints gets the next request: limits per minute, a window of requests in
// flight that grows and halves (AIMD), waits that an endpoint asked for, and dead endpoints that
// are set aside and probed. Times come from the caller. Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "llm/pacing.h"

namespace tapir::llm {

// What a reply, or its lack, says about the endpoint.
enum class EndpointSign {
  answered,     // whatever the answer: the endpoint works
  throttled,    // 429, or 503 with Retry-After: too much is asked of it
  trouble,      // 5xx, cut, late, malformed
  unreachable,  // no connection
  refuses,      // key, model, address or certificate: hardly any request will get through
};

struct EndpointReport {
  EndpointSign sign = EndpointSign::answered;
  SteadyTime sent{};
  double expected_tokens = 0;
  std::optional<double> actual_tokens;  // prompt and completion, when the reply tells
  double retry_after = 0;               // seconds
  RateHeaders rates;
};

// Speed only.
struct PoolOptions {
  std::size_t most_in_flight = 256;  // of one endpoint
  std::size_t first_window = 16;
  int unreachable_in_row = 3;  // then it is set aside
  int trouble_in_row = 10;     // then too
  int refusals_in_row = 5;     // then it is not asked any more; once, when it has never answered
  std::chrono::milliseconds first_aside{1'000};  // doubles while the probes fail
  std::chrono::milliseconds longest_aside{30'000};
  // When no endpoint works for so long, there is none: shorter while none has ever answered.
  std::chrono::milliseconds patience{120'000};
  std::chrono::milliseconds first_patience{5'000};
};

class EndpointPool {
 public:
  struct Limits {
    double requests_per_minute = 0;  // 0: none but what headers tell
    double tokens_per_minute = 0;
  };
  EndpointPool(const std::vector<Limits>& endpoints, const PoolOptions& options);

  // The endpoint for a request that will take about so many tokens; it counts as sent. Nothing: it
  // has to wait, until wake_at() or a report. Of several with room, the one that has the fewest
  // tokens to go: long requests and slow servers get fewer.
  std::optional<std::size_t> take(SteadyTime now, double tokens);
  // When take() may succeed without a further report; nothing: only after one.
  std::optional<SteadyTime> wake_at(SteadyTime now, double tokens) const;
  void report(std::size_t endpoint, SteadyTime now, const EndpointReport& report);

  // No endpoint will take anything until something is mended.
  bool all_refuse() const;
  // None has worked for longer than the patience, and nothing is on its way that could still be
  // answered: the first answers of a model may take long.
  bool out_of_patience(SteadyTime now) const;
  // Another endpoint than this one is likely to work.
  bool has_other(std::size_t endpoint, SteadyTime now) const;
  // Another endpoint than this one takes requests, now or later.
  bool has_willing_other(std::size_t endpoint) const;
  std::size_t in_flight() const;
  // For telling whoever watches.
  struct State {
    bool refuses = false;      // it is not asked any more
    bool is_aside = false;     // but for probes
    SteadyTime waits_until{};  // by its own limits and wishes; at most now: it does not
  };
  State state(std::size_t endpoint, SteadyTime now) const;
  double window(std::size_t endpoint) const { return endpoints_[endpoint].window; }

 private:
  struct Endpoint {
    explicit Endpoint(const Limits& limits)
        : pacer(limits.requests_per_minute, limits.tokens_per_minute) {}
    Pacer pacer;
    double window = 1;
    bool slow_start = true;  // until the first sign of too much: the window doubles
    std::size_t in_flight = 0;
    double outstanding_tokens = 0;  // that they are expected to take
    SteadyTime paused_until{};
    SteadyTime last_shrink{};
    int unreachable = 0, trouble = 0, refusals = 0;  // in a row
    bool answered = false;                           // ever
    bool refuses = false;
    bool is_aside = false;
    SteadyTime aside_until{};
    std::chrono::milliseconds aside_for{0};
  };

  std::optional<SteadyTime> ready(const Endpoint& endpoint, SteadyTime now, double tokens) const;
  void shrink(Endpoint& endpoint, SteadyTime now, SteadyTime sent) const;
  void grow(Endpoint& endpoint) const;
  void set_aside(Endpoint& endpoint, SteadyTime now) const;
  void works(Endpoint& endpoint);
  void judge(Endpoint& endpoint, SteadyTime now, const EndpointReport& report);
  bool none_works() const;
  bool none_was_reached() const;
  bool may_still_answer() const;

  const PoolOptions options_;
  std::vector<Endpoint> endpoints_;
  bool ever_answered_ = false;
  // Since when every endpoint is aside or refuses; or could not be reached at first contact.
  std::optional<SteadyTime> dead_since_;
};

}  // namespace tapir::llm
