// The client as the pipeline uses it, all wrappers around it and every reply durable in a store,
// against one endpoint.
//   client_speed URL STORE REQUESTS IN_FLIGHT
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <sys/resource.h>

#include "llm/ask_all.h"
#include "llm/budget.h"
#include "llm/cached.h"
#include "llm/limits.h"
#include "llm/openai_model.h"
#include "llm/retry.h"

namespace {

using namespace tapir;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

long resident_kb() {
  std::ifstream in("/proc/self/status");
  std::string word;
  while (in >> word) {
    if (word != "VmRSS:") continue;
    long kb = 0;
    in >> kb;
    return kb;
  }
  return 0;
}

class Source final : public llm::RequestSource {
 public:
  explicit Source(int count) : count_(count) {}
  std::optional<llm::ChatRequest> next() override {
    if (given_ == count_) return std::nullopt;
    llm::ChatRequest request;
    request.row_id = std::to_string(given_++);
    request.stage = "bench";
    request.messages = {{Role::user, padding_ + request.row_id}};
    return request;
  }

 private:
  const std::string padding_ = std::string(1500, 'p');
  const int count_;
  int given_ = 0;
};

class Sink final : public llm::ReplySink {
 public:
  explicit Sink(int count) : count_(count) {}
  void take(llm::ChatReply reply) override {
    ok += reply.ok() ? 1 : 0;
    if (++taken_ % std::max(1, count_ / kLooks) == 0) megabytes.push_back(resident_kb() / 1024);
  }
  int ok = 0;
  std::vector<long> megabytes;  // after every tenth of the requests

 private:
  static constexpr int kLooks = 10;
  const int count_;
  int taken_ = 0;
};

std::string list(const std::vector<long>& numbers) {
  std::string text;
  for (const long number : numbers) text += (text.empty() ? "" : ", ") + std::to_string(number);
  return "[" + text + "]";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const int count = std::atoi(argv[3]);
  const auto in_flight = static_cast<std::size_t>(std::atoi(argv[4]));
  llm::OpenAiTransport transport;
  transport.endpoints.push_back({llm::check_base_url(argv[1], "URL"), Secret("none"), {}});
  transport.pool.most_in_flight = in_flight;
  const auto store = store::RunStore::open(argv[2], store::OpenMode::create);
  llm::OpenAiModel endpoint({.model = "stub"}, transport);
  llm::LimitedModel limited(endpoint, {in_flight});
  llm::Budget budget({.max_usd = 1e6});
  llm::BudgetedModel budgeted(limited, budget, {.input = 1, .output = 2});
  llm::RetryModel retried(budgeted);
  llm::CachedModel model(retried, *store, "teacher", {.book_before_send = true});
  Source source(count);
  Sink sink(count);
  const double cpu = cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  llm::ask_all(model, source, sink, {.max_in_flight = 2 * in_flight}, {});
  store->flush();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf(
      "{\"requests\": %d, \"ok\": %d, \"seconds\": %.3f, \"cpu_ms_each\": %.4f, \"mb\": %s}\n",
      count, sink.ok, seconds.count(), 1000 * (cpu_seconds() - cpu) / count,
      list(sink.megabytes).c_str());
  return sink.ok == count ? 0 : 1;
}
