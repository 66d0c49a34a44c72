// Endpoints in simulated time.
#include "llm/endpoint_pool.h"

#include <deque>
#include <queue>

#include <gmock/gmock.h>

namespace tapir::llm {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const SteadyTime kStart{seconds(10'000)};

EndpointReport report(EndpointSign sign, SteadyTime sent = kStart) {
  EndpointReport made;
  made.sign = sign;
  made.sent = sent;
  return made;
}

// A server with limits per minute that it counts in a sliding window, as strictly as one can.
class SimulatedServer {
 public:
  SimulatedServer(double requests, double tokens, bool tells)
      : max_requests_(requests), max_tokens_(tokens), tells_(tells) {}

  // What a request that arrives now gets.
  EndpointReport arrive(SteadyTime now, double tokens) {
    while (!window_.empty() && window_.front().first <= now - seconds(60)) {
      used_ -= window_.front().second;
      window_.pop_front();
    }
    EndpointReport said = report(EndpointSign::answered, now);
    if (static_cast<double>(window_.size()) + 1 > max_requests_ || used_ + tokens > max_tokens_) {
      ++refused;
      said.sign = EndpointSign::throttled;
      said.retry_after = 1;
    } else {
      ++served;
      served_tokens += tokens;
      used_ += tokens;
      window_.emplace_back(now, tokens);
      said.actual_tokens = tokens;
    }
    if (tells_) {
      said.rates.requests = {max_requests_, max_requests_ - static_cast<double>(window_.size()), 1};
      said.rates.tokens = {max_tokens_, max_tokens_ - used_, 1};
    }
    return said;
  }

  int served = 0, refused = 0;
  double served_tokens = 0;

 private:
  const double max_requests_, max_tokens_;
  const bool tells_;
  double used_ = 0;
  std::deque<std::pair<SteadyTime, double>> window_;
};

struct Traffic {
  double expected_tokens = 300;
  double mean_tokens = 300;
  seconds length{600};
  milliseconds latency{2'000};
};

// Always more to ask than may be asked.
void drive(EndpointPool& pool, SimulatedServer& server, const Traffic& traffic) {
  struct Reply {
    SteadyTime at;
    EndpointReport report;
    bool operator<(const Reply& other) const { return at > other.at; }
  };
  std::priority_queue<Reply> replies;
  SteadyTime now = kStart;
  int number = 0;
  while (now < kStart + traffic.length) {
    while (pool.take(now, traffic.expected_tokens)) {
      const double share = 0.5 + (number++ % 11) / 10.0;  // 0.5 to 1.5 of the mean
      EndpointReport said = server.arrive(now, traffic.mean_tokens * share);
      said.expected_tokens = traffic.expected_tokens;
      replies.push({now + traffic.latency, said});
    }
    auto next = pool.wake_at(now, traffic.expected_tokens).value_or(SteadyTime::max());
    if (!replies.empty()) next = std::min(next, replies.top().at);
    now = std::max(next, now + std::chrono::microseconds(1));
    while (!replies.empty() && replies.top().at <= now) {
      pool.report(0, now, replies.top().report);
      replies.pop();
    }
  }
}

// 500 requests and 200,000 tokens a minute, ten minutes long: more than 95 % used, few refusals.
TEST(EndpointPool, UsesRequestLimitsThatWereSet) {
  EndpointPool pool({{500, 200'000}}, {});
  SimulatedServer server(500, 200'000, /*tells=*/false);
  drive(pool, server, {});
  EXPECT_GT(server.served, 0.95 * 5000);
  EXPECT_LE(server.refused, 20);
}

TEST(EndpointPool, UsesTokenLimitsThatWereSet) {
  EndpointPool pool({{500, 200'000}}, {});
  SimulatedServer server(500, 200'000, /*tells=*/false);
  drive(pool, server, {.expected_tokens = 700, .mean_tokens = 900});
  EXPECT_GT(server.served_tokens, 0.95 * 2'000'000);
  EXPECT_LE(server.refused, 20);
}

TEST(EndpointPool, LearnsLimitsFromHeaders) {
  for (const double tokens : {300.0, 900.0}) {
    EndpointPool pool({{0, 0}}, {});
    SimulatedServer server(500, 200'000, /*tells=*/true);
    drive(pool, server, {.expected_tokens = tokens, .mean_tokens = tokens});
    const double used = std::max(server.served / 5000.0, server.served_tokens / 2'000'000);
    EXPECT_GT(used, 0.95) << tokens;
    EXPECT_LE(server.refused, 50) << tokens;
  }
}

TEST(EndpointPool, TheWindowGrowsAndHalvesOncePerFlight) {
  EndpointPool pool({{}}, {.most_in_flight = 64, .first_window = 8});
  const auto fill = [&] {
    int sent = 0;
    while (pool.take(kStart, 1)) ++sent;
    return sent;
  };
  EXPECT_EQ(fill(), 8);
  for (int i = 0; i < 8; ++i) pool.report(0, kStart, report(EndpointSign::answered));
  EXPECT_EQ(fill(), 16);  // doubled
  const SteadyTime later = kStart + seconds(1);
  for (int i = 0; i < 16; ++i) pool.report(0, later, report(EndpointSign::throttled, kStart));
  EXPECT_EQ(pool.window(0), 8);  // sixteen refusals of one flight count once
  EXPECT_EQ(pool.take(later, 1), 0U);
  pool.report(0, later, report(EndpointSign::answered, later));
  EXPECT_NEAR(pool.window(0), 8.125, 1e-9);  // from now on one more for every window answered
}

TEST(EndpointPool, ARequestedWaitIsKept) {
  EndpointPool pool({{}}, {});
  ASSERT_TRUE(pool.take(kStart, 1));
  EndpointReport said = report(EndpointSign::throttled);
  said.retry_after = 7;
  pool.report(0, kStart, said);
  EXPECT_FALSE(pool.take(kStart + seconds(6), 1));
  EXPECT_EQ(pool.wake_at(kStart, 1), kStart + seconds(7));
  EXPECT_TRUE(pool.take(kStart + seconds(7), 1));
}

TEST(EndpointPool, ADeadEndpointIsSetAsideAndProbed) {
  EndpointPool pool({{}, {}}, {.first_aside = milliseconds(1'000)});
  // Both answer, then the first one dies.
  for (int i = 0; i < 3; ++i) {
    const auto taken = pool.take(kStart, 1);
    ASSERT_TRUE(taken);
    pool.report(*taken, kStart, report(EndpointSign::answered));
  }
  const auto take_of_first = [&](SteadyTime now) {
    bool first = false;
    std::vector<std::size_t> others;
    for (int i = 0; i < 4; ++i) {
      const auto taken = pool.take(now, 1);
      if (taken == 0U) {
        first = true;
        pool.report(0, now, report(EndpointSign::unreachable, now));
      } else if (taken) {
        others.push_back(*taken);
      }
    }
    for (const std::size_t i : others) pool.report(i, now, report(EndpointSign::answered, now));
    return first;
  };
  EXPECT_TRUE(take_of_first(kStart));
  EXPECT_FALSE(take_of_first(kStart + milliseconds(900)));   // aside
  EXPECT_TRUE(take_of_first(kStart + milliseconds(1'100)));  // the probe fails: twice as long
  EXPECT_FALSE(take_of_first(kStart + milliseconds(2'900)));
  const SteadyTime back = kStart + milliseconds(3'200);
  ASSERT_EQ(pool.take(back, 1), 0U);
  EXPECT_NE(pool.take(back, 1), 0U);  // one probe at a time
  pool.report(1, back, report(EndpointSign::answered, back));
  pool.report(0, back, report(EndpointSign::answered, back));
  EXPECT_EQ(pool.take(back, 1), 0U);
  EXPECT_EQ(pool.take(back, 1), 1U);
}

TEST(EndpointPool, PatienceEndsWhenNoneWorks) {
  EndpointPool pool({{}}, {.patience = seconds(120), .first_patience = seconds(5)});
  const auto fail = [&](SteadyTime now) {
    if (pool.take(now, 1)) pool.report(0, now, report(EndpointSign::unreachable, now));
  };
  fail(kStart);
  EXPECT_FALSE(pool.out_of_patience(kStart + seconds(4)));
  EXPECT_TRUE(pool.out_of_patience(kStart + seconds(6)));  // it has never answered
  ASSERT_TRUE(pool.take(kStart + seconds(6), 1));
  pool.report(0, kStart + seconds(6), report(EndpointSign::answered));
  SteadyTime now = kStart + seconds(6);
  for (; now < kStart + seconds(100); now += seconds(1)) fail(now);
  EXPECT_FALSE(pool.out_of_patience(now));
  EXPECT_TRUE(pool.out_of_patience(now + seconds(60)));
}

// A large model's first answers take longer than the first patience.
TEST(EndpointPool, SlowFirstAnswersAreNoOutage) {
  const PoolOptions options{.patience = seconds(120), .first_patience = seconds(5)};
  EndpointPool two({{}, {}}, options);
  ASSERT_EQ(two.take(kStart, 1), 0U);
  ASSERT_EQ(two.take(kStart, 1), 1U);
  two.report(0, kStart, report(EndpointSign::unreachable));
  EXPECT_FALSE(two.out_of_patience(kStart + seconds(60))) << "the second one is at work";

  EndpointPool one({{}}, options);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(one.take(kStart, 1));
  one.report(0, kStart, report(EndpointSign::unreachable));
  EXPECT_FALSE(one.out_of_patience(kStart + seconds(60))) << "two more are on their way";
  one.report(0, kStart + seconds(60), report(EndpointSign::unreachable));
  one.report(0, kStart + seconds(60), report(EndpointSign::unreachable));
  EXPECT_TRUE(one.out_of_patience(kStart + seconds(61)));
}

// Probes of dead endpoints do not keep the hope alive.
TEST(EndpointPool, AProbeOnItsWayIsNoSignOfLife) {
  EndpointPool pool({{}, {}}, {.patience = seconds(120), .first_patience = seconds(5)});
  for (int i = 0; i < 6; ++i) {
    const auto taken = pool.take(kStart, 1);
    ASSERT_TRUE(taken);
    pool.report(*taken, kStart, report(EndpointSign::unreachable));
  }
  ASSERT_TRUE(pool.take(kStart + seconds(6), 1));
  EXPECT_TRUE(pool.out_of_patience(kStart + seconds(6)));
}

TEST(EndpointPool, SingleTroublesAreNotDeath) {
  EndpointPool pool({{}}, {});
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(pool.take(kStart, 1)) << i;
    pool.report(0, kStart, report(i % 3 == 0 ? EndpointSign::answered : EndpointSign::trouble));
  }
}

TEST(EndpointPool, ARefusalCountsAtOnceOnlyFromAStranger) {
  EndpointPool fresh({{}, {}}, {});
  ASSERT_EQ(fresh.take(kStart, 1), 0U);
  fresh.report(0, kStart, report(EndpointSign::refuses));
  EXPECT_FALSE(fresh.all_refuse());
  EXPECT_EQ(fresh.take(kStart, 1), 1U);
  fresh.report(1, kStart, report(EndpointSign::refuses));
  EXPECT_TRUE(fresh.all_refuse());
  EXPECT_FALSE(fresh.take(kStart, 1));

  EndpointPool known({{}}, {.refusals_in_row = 5});
  ASSERT_TRUE(known.take(kStart, 1));
  known.report(0, kStart, report(EndpointSign::answered));
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(known.all_refuse());
    ASSERT_TRUE(known.take(kStart, 1));
    known.report(0, kStart, report(EndpointSign::refuses));
  }
  EXPECT_TRUE(known.all_refuse());
}

// A few long requests weigh as much as many short ones.
TEST(EndpointPool, SharesTokensOutRatherThanRequests) {
  EndpointPool pool({{}, {}}, {});
  const auto done = [&](std::size_t endpoint, double tokens) {
    EndpointReport said = report(EndpointSign::answered);
    said.expected_tokens = tokens;
    pool.report(endpoint, kStart, said);
  };
  ASSERT_EQ(pool.take(kStart, 1000), 0U);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(pool.take(kStart, 100), 1U) << i;
  EXPECT_EQ(pool.take(kStart, 100), 0U);  // alike in tokens: it has fewer requests
  EXPECT_EQ(pool.take(kStart, 100), 1U);
  done(0, 1000);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(pool.take(kStart, 100), 0U) << i;
  done(1, 100);
  EXPECT_EQ(pool.take(kStart, 5), 1U);
}

}  // namespace
}  // namespace tapir::llm
