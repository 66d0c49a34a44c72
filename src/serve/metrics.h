// What the server counts, in Prometheus' text form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "llm/chat_model.h"

namespace tapir::serve {

// Counts of values up to each of some bounds. Not thread-safe.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds)
      : bounds_(std::move(bounds)), counts_(bounds_.size()) {}
  void add(double value);
  std::string text(const std::string& name) const;

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;  // up to the bound, as Prometheus wants it
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

// Thread-safe.
class Metrics {
 public:
  void count_request(const std::string& path, int status);
  void count_answer(const llm::ChatReply& reply);
  void count_first_token(double seconds);

  struct Now {
    std::size_t in_flight;  // answers, waiting and in work
    std::size_t limit;
  };
  std::string text(const Now& now) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::uint64_t> requests_;
  std::map<std::string, std::uint64_t> answers_;  // by how they ended
  std::int64_t prompt_tokens_ = 0;
  std::int64_t completion_tokens_ = 0;
  Histogram answer_seconds_{{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300}};
  Histogram first_token_seconds_{{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}};
};

}  // namespace tapir::serve
