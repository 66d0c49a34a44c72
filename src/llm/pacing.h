// When the next request may leave for one endpoint: its limits per minute, set or learnt from what
// it says in its headers. Times come from the caller, so tests need not wait.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace tapir::llm {

using SteadyTime = std::chrono::steady_clock::time_point;
using HeaderLookup = std::function<std::string(const std::string& lower_case_name)>;

// x-ratelimit-{limit,remaining,reset}-{requests,tokens}; what is not there is not set.
struct RateHeader {
  std::optional<double> limit;
  std::optional<double> remaining;
  std::optional<double> reset_seconds;
};
struct RateHeaders {
  RateHeader requests;
  RateHeader tokens;
};
RateHeaders read_rate_headers(const HeaderLookup& header);

// "1s", "6m0s", "20ms", "1h2m3.5s", or plain seconds. Nothing when it is none of them.
std::optional<double> read_duration(std::string_view text);

// Seconds that retry-after-ms or Retry-After (seconds, or a date) ask to wait from `now` on; 0 when
// there is neither, or the date is past. At most a day.
double read_retry_after(const HeaderLookup& header, std::chrono::system_clock::time_point now);

// One limit: so much a minute, spent evenly with a margin of 2 %, so that neither a sliding nor a
// fixed minute of the server's sees more than its limit.
class MinuteBucket {
 public:
  explicit MinuteBucket(double per_minute) { set_limit(per_minute); }

  // 0: no limit.
  void set_limit(double per_minute);
  double limit() const { return per_minute_; }
  // The moment from which on `amount` may be taken: now, when it is there already. An amount above
  // two seconds' worth waits for these only, and leaves a debt.
  SteadyTime ready(SteadyTime now, double amount) const;
  void take(SteadyTime now, double amount);  // negative: gives back
  // The server says that no more than this is left.
  void at_most(SteadyTime now, double remaining);

 private:
  double level_at(SteadyTime now) const;

  double per_minute_ = 0;
  double per_second_ = 0;
  double capacity_ = 0;
  double level_ = 0;
  SteadyTime last_{};
};

class Pacer {
 public:
  // Per minute; 0: none is set. A limit that headers tell holds as well: the smaller one counts.
  Pacer(double requests_per_minute, double tokens_per_minute);

  SteadyTime ready(SteadyTime now, double tokens) const;
  void take(SteadyTime now, double tokens);
  // A reply says what the request really took.
  void settle(SteadyTime now, double expected_tokens, double actual_tokens);
  void learn(SteadyTime now, const RateHeaders& headers);

 private:
  struct Limit {
    explicit Limit(double per_minute) : set(per_minute), bucket(per_minute) {}
    void learn(SteadyTime now, const RateHeader& header, SteadyTime& closed_until);
    double set;
    MinuteBucket bucket;
  };
  Limit requests_;
  Limit tokens_;
  SteadyTime closed_until_{};
};

}  // namespace tapir::llm
