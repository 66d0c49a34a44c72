#include "llm/pacing.h"

#include <map>

#include <gmock/gmock.h>

namespace tapir::llm {
namespace {

using std::chrono::seconds;
using ::testing::DoubleNear;
using ::testing::Optional;

HeaderLookup headers(std::map<std::string, std::string> known) {
  return [known](const std::string& name) {
    const auto found = known.find(name);
    return found == known.end() ? std::string() : found->second;
  };
}

double seconds_between(SteadyTime a, SteadyTime b) {
  return std::chrono::duration<double>(b - a).count();
}

TEST(Durations, AreReadInEveryForm) {
  EXPECT_THAT(read_duration("1s"), Optional(1.0));
  EXPECT_THAT(read_duration("6m0s"), Optional(360.0));
  EXPECT_THAT(read_duration("20ms"), Optional(0.02));
  EXPECT_THAT(read_duration("1h2m3.5s"), Optional(3723.5));
  EXPECT_THAT(read_duration(" 12 "), Optional(12.0));
  for (const char* text : {"", "s", "1x", "-1s", "1s2", "soon", "1..2s", "nan"})
    EXPECT_EQ(read_duration(text), std::nullopt) << text;
}

TEST(RetryAfter, IsSecondsMillisecondsOrADate) {
  using namespace std::chrono;
  const auto now = sys_days(2015y / October / 21) + 7h + 27min + 30s;
  const auto read = [&](std::map<std::string, std::string> known) {
    return read_retry_after(headers(std::move(known)), now);
  };
  EXPECT_EQ(read({{"retry-after", "7"}}), 7);
  EXPECT_EQ(read({{"retry-after-ms", "250"}, {"retry-after", "1"}}), 0.25);
  EXPECT_EQ(read({{"retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"}}), 30);
  EXPECT_EQ(read({{"retry-after", "Wed, 21 Oct 2015 07:27:00 GMT"}}), 0);
  EXPECT_EQ(read({{"retry-after", "99999999"}}), 86'400);
  for (const char* text : {"", "-1", "soon", "Wed, 99 Oct 2015 07:28:00 GMT", "a b c d e f",
                           "Wed, 21 tOb 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28 GMT"})
    EXPECT_EQ(read({{"retry-after", text}}), 0) << text;
}

TEST(MinuteBucket, SpreadsEvenly) {
  const SteadyTime start{seconds(1000)};
  MinuteBucket bucket(600);  // ten a second
  SteadyTime now = start;
  int taken = 0;
  while (now < start + seconds(60)) {
    now = bucket.ready(now, 1);
    bucket.take(now, 1);
    ++taken;
  }
  EXPECT_GE(taken, 588);
  EXPECT_LE(taken, 588 + 20 + 1);  // 98 %, and two seconds' worth at the start
}

TEST(MinuteBucket, MoreThanABurstLeavesADebt) {
  const SteadyTime start{seconds(1000)};
  MinuteBucket bucket(6000);
  bucket.take(start, 5000);
  EXPECT_THAT(seconds_between(start, bucket.ready(start, 1)), DoubleNear((5001 - 196) / 98.0, 0.1));
  bucket.take(start, -5000);  // it was less after all
  EXPECT_EQ(bucket.ready(start, 100), start);
}

TEST(MinuteBucket, NoLimitIsNoWait) {
  const SteadyTime now{seconds(1)};
  MinuteBucket bucket(0);
  bucket.take(now, 1e9);
  EXPECT_EQ(bucket.ready(now, 1e9), now);
}

TEST(Pacer, LearnsLimitsAndWhatIsLeft) {
  const SteadyTime now{seconds(1000)};
  Pacer pacer(0, 0);
  EXPECT_EQ(pacer.ready(now, 1e6), now);
  pacer.learn(now, read_rate_headers(headers({{"x-ratelimit-limit-requests", "60"},
                                              {"x-ratelimit-remaining-requests", "0"},
                                              {"x-ratelimit-reset-requests", "1s"}})));
  EXPECT_THAT(seconds_between(now, pacer.ready(now, 1)), DoubleNear(1 / 0.98, 0.01));
}

TEST(Pacer, TheSmallerOfSetAndLearntCounts) {
  const SteadyTime now{seconds(1000)};
  const auto wait_after_ten = [&](double set, const char* learnt) {
    Pacer pacer(set, 0);
    pacer.learn(now, read_rate_headers(headers({{"x-ratelimit-limit-requests", learnt}})));
    for (int i = 0; i < 100; ++i) pacer.take(now, 0);
    return seconds_between(now, pacer.ready(now, 0));
  };
  EXPECT_GT(wait_after_ten(60, "600"), 90);
  EXPECT_GT(wait_after_ten(600, "60"), 90);
  EXPECT_LT(wait_after_ten(6000, "6000"), 2);
}

// Groq and free tiers count requests a day under the same names.
TEST(Pacer, ALimitPerDayIsNotSpreadButItsEndCounts) {
  const SteadyTime now{seconds(1000)};
  Pacer pacer(0, 0);
  const auto learn = [&](const char* remaining) {
    pacer.learn(now, read_rate_headers(headers({{"x-ratelimit-limit-requests", "200"},
                                                {"x-ratelimit-remaining-requests", remaining},
                                                {"x-ratelimit-reset-requests", "7h12m"}})));
  };
  learn("150");
  EXPECT_EQ(pacer.ready(now, 1), now);
  learn("0");
  EXPECT_EQ(seconds_between(now, pacer.ready(now, 1)), 7 * 3600 + 12 * 60);
}

}  // namespace
}  // namespace tapir::llm
