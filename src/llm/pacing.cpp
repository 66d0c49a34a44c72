#include "llm/pacing.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <string_view>
#include <utility>

#include "base/strings.h"

namespace tapir::llm {
namespace {

constexpr double kShareUsed = 0.98;
constexpr double kBurstSeconds = 2;
constexpr double kLongestWait = 86'400;
// A limit that is full again later than this is not one per minute: only its end counts.
constexpr double kMinute = 61;

using Seconds = std::chrono::duration<double>;

std::chrono::steady_clock::duration ticks(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(Seconds(seconds));
}

std::optional<double> read_number(std::string_view text) {
  text = trim(text);
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
  return whole && std::isfinite(value) && value >= 0 ? std::optional(value) : std::nullopt;
}

RateHeader read_rate_header(const HeaderLookup& header, const std::string& what) {
  return {read_number(header("x-ratelimit-limit-" + what)),
          read_number(header("x-ratelimit-remaining-" + what)),
          read_duration(header("x-ratelimit-reset-" + what))};
}

// "Wed, 21 Oct 2015 07:28:00 GMT"
std::optional<std::chrono::system_clock::time_point> read_date(const std::string& text) {
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const std::vector<std::string> parts = split_whitespace(text);
  if (parts.size() != 6) return std::nullopt;
  const std::size_t month = kMonths.find(parts[2]);
  const std::vector<std::string> clock = split(parts[4], ':');
  if (month == std::string_view::npos || parts[2].size() != 3 || clock.size() != 3) return {};
  const auto day = read_number(parts[1]), year = read_number(parts[3]);
  const auto hour = read_number(clock[0]), minute = read_number(clock[1]),
             second = read_number(clock[2]);
  if (!day || !year || !hour || !minute || !second || *year > 9999) return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year(static_cast<int>(*year)),
      std::chrono::month(static_cast<unsigned>(month / 3 + 1)),
      std::chrono::day(static_cast<unsigned>(std::min(*day, 99.0)))};
  if (!date.ok() || *hour > 24 || *minute > 60 || *second > 61) return std::nullopt;
  return std::chrono::sys_days(date) +
         std::chrono::seconds(static_cast<int>(3600 * *hour + 60 * *minute + *second));
}

}  // namespace

RateHeaders read_rate_headers(const HeaderLookup& header) {
  return {read_rate_header(header, "requests"), read_rate_header(header, "tokens")};
}

std::optional<double> read_duration(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 5> kUnits = {
      {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86'400}}};
  text = trim(text);
  if (const auto plain = read_number(text)) return plain;
  double seconds = 0;
  bool any = false;
  while (!text.empty()) {
    const std::size_t digits = text.find_first_not_of("0123456789.");
    if (digits == std::string_view::npos) return std::nullopt;
    const auto value = read_number(text.substr(0, digits));
    if (!value) return std::nullopt;
    text.remove_prefix(digits);
    const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const auto& known) {
      return text.starts_with(known.first);
    });
    if (unit == kUnits.end()) return std::nullopt;
    text.remove_prefix(unit->first.size());
    seconds += *value * unit->second;
    any = true;
  }
  return any ? std::optional(seconds) : std::nullopt;
}

double read_retry_after(const HeaderLookup& header, std::chrono::system_clock::time_point now) {
  double seconds = 0;
  const std::string text = header("retry-after");
  if (const auto milliseconds = read_number(header("retry-after-ms"))) {
    seconds = *milliseconds / 1000;
  } else if (const auto plain = read_number(text)) {
    seconds = *plain;
  } else if (const auto date = read_date(text)) {
    seconds = Seconds(*date - now).count();
  }
  return std::clamp(seconds, 0.0, kLongestWait);
}

void MinuteBucket::set_limit(double per_minute) {
  if (per_minute == per_minute_) return;
  per_minute_ = per_minute;
  per_second_ = kShareUsed * per_minute / 60;
  capacity_ = std::max(1.0, kBurstSeconds * per_second_);
  level_ = std::min(level_, capacity_);
}

double MinuteBucket::level_at(SteadyTime now) const {
  const double passed = std::max(0.0, Seconds(now - last_).count());
  return std::min(capacity_, level_ + passed * per_second_);
}

SteadyTime MinuteBucket::ready(SteadyTime now, double amount) const {
  if (per_minute_ <= 0) return now;
  const double missing = std::min(amount, capacity_) - level_at(now);
  if (missing <= 1e-9) return now;
  return now + ticks(missing / per_second_) + std::chrono::microseconds(1);
}

void MinuteBucket::take(SteadyTime now, double amount) {
  if (per_minute_ <= 0) return;
  level_ = std::min(capacity_, level_at(now) - amount);
  last_ = std::max(last_, now);
}

void MinuteBucket::at_most(SteadyTime now, double remaining) {
  if (per_minute_ <= 0 || remaining >= level_at(now)) return;
  level_ = remaining;
  last_ = std::max(last_, now);
}

Pacer::Pacer(double requests_per_minute, double tokens_per_minute)
    : requests_(requests_per_minute), tokens_(tokens_per_minute) {}

SteadyTime Pacer::ready(SteadyTime now, double tokens) const {
  return std::max(
      {closed_until_, requests_.bucket.ready(now, 1), tokens_.bucket.ready(now, tokens)});
}

void Pacer::take(SteadyTime now, double tokens) {
  requests_.bucket.take(now, 1);
  tokens_.bucket.take(now, tokens);
}

void Pacer::settle(SteadyTime now, double expected_tokens, double actual_tokens) {
  tokens_.bucket.take(now, actual_tokens - expected_tokens);
}

void Pacer::learn(SteadyTime now, const RateHeaders& headers) {
  requests_.learn(now, headers.requests, closed_until_);
  tokens_.learn(now, headers.tokens, closed_until_);
}

void Pacer::Limit::learn(SteadyTime now, const RateHeader& header, SteadyTime& closed_until) {
  const bool per_minute = header.reset_seconds.value_or(0) <= kMinute;
  if (header.limit && *header.limit > 0 && per_minute) {
    bucket.set_limit(set > 0 ? std::min(set, *header.limit) : *header.limit);
  }
  if (!header.remaining) return;
  if (per_minute) {
    bucket.at_most(now, *header.remaining);
  } else if (*header.remaining < 1) {
    closed_until =
        std::max(closed_until, now + ticks(std::min(*header.reset_seconds, kLongestWait)));
  }
}

}  // namespace tapir::llm
