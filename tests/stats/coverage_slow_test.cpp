// How often intervals hold the truth, on simulated data: 95 % intervals in 93-97 % of the trials.
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "stats/estimates.h"
#include "stats/resampling.h"

namespace tapir::stats {
namespace {

constexpr int kTrials = 4000;  // the share's own standard error is 0.35 %

struct Sample {
  std::vector<double> values;
  std::vector<std::int64_t> labels;
};

// Share of the trials whose interval holds `truth`.
template <typename Draw, typename MakeInterval>
double coverage(double truth, const Draw& draw, const MakeInterval& interval) {
  int covered = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    RandomStream stream(5, "coverage", std::to_string(trial));
    const Sample sample = draw(stream);
    covered += interval(sample, stream).contains(truth) ? 1 : 0;
  }
  return static_cast<double>(covered) / kTrials;
}

template <typename Draw>
void expect_covered(const std::string& what, double truth, const Draw& draw) {
  const double bootstrap = coverage(truth, draw, [](const Sample& sample, RandomStream& stream) {
    return bootstrap_clustered_mean(sample.values, sample.labels, stream, {.resamples = 1000});
  });
  const double clustered = coverage(truth, draw, [](const Sample& sample, RandomStream&) {
    return interval_of(estimate_clustered_mean(sample.values, sample.labels));
  });
  std::printf("%s: bootstrap %.2f %%, standard error %.2f %%\n", what.c_str(), 100 * bootstrap,
              100 * clustered);
  for (const double share : {bootstrap, clustered}) {
    EXPECT_GE(share, 0.93) << what;
    EXPECT_LE(share, 0.97) << what;
  }
}

Sample singles(std::size_t items, RandomStream& stream, double (*value)(RandomStream&)) {
  Sample sample;
  for (std::size_t i = 0; i < items; ++i) {
    sample.values.push_back(value(stream));
    sample.labels.push_back(static_cast<std::int64_t>(i));
  }
  return sample;
}

TEST(Coverage, DifferencesThatAreNormal) {
  expect_covered("normal, 80 items", 0.3, [](RandomStream& stream) {
    return singles(80, stream, [](RandomStream& s) { return 0.3 + s.normal(); });
  });
}

TEST(Coverage, DifferencesThatAreSkewed) {
  expect_covered("exponential, 200 items", 1, [](RandomStream& stream) {
    return singles(200, stream, [](RandomStream& s) { return -std::log(1 - s.uniform()); });
  });
}

TEST(Coverage, RightOrWrong) {
  expect_covered("shares of 0.7, 200 items", 0.7, [](RandomStream& stream) {
    return singles(200, stream, [](RandomStream& s) { return s.chance(0.7) ? 1.0 : 0.0; });
  });
}

// Two turns of 80 questions: the turns of a question go together.
TEST(Coverage, TurnsOfQuestions) {
  expect_covered("two turns of 80 questions", 7, [](RandomStream& stream) {
    Sample sample;
    for (std::int64_t question = 0; question < 80; ++question) {
      const double effect = stream.normal();
      for (int turn = 0; turn < 2; ++turn) {
        sample.values.push_back(7 + effect + 0.5 * stream.normal());
        sample.labels.push_back(question);
      }
    }
    return sample;
  });
}

}  // namespace
}  // namespace tapir::stats
