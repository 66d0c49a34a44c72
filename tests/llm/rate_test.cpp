// Durable replies a second through cache and asking loop, from a model that answers at once. The
// floor only catches a commit per reply; the figures are printed.
#include <chrono>
#include <iostream>

#include <gmock/gmock.h>

#include "llm/ask_all.h"
#include "llm/cached.h"
#include "llm/recorded.h"
#include "test_data.h"

namespace tapir::llm {
namespace {

constexpr int kRequests = 40'000;

class Source : public RequestSource {
 public:
  std::optional<ChatRequest> next() override {
    if (given_ == kRequests) return std::nullopt;
    ChatRequest request;
    request.row_id = std::to_string(given_++);
    request.messages = {{Role::user, padding_ + request.row_id}};
    return request;
  }

 private:
  const std::string padding_ = std::string(1500, 'p');
  int given_ = 0;
};

class Count : public ReplySink {
 public:
  void take(ChatReply reply) override {
    ok += reply.ok() ? 1 : 0;
    cached += reply.from_cache ? 1 : 0;
  }
  int ok = 0;
  int cached = 0;
};

TEST(Rate, DurableRepliesPerSecond) {
  const tapir::testing::TemporaryFolder folder;
  const auto store = store::RunStore::open(folder.path() / "run.db", store::OpenMode::create);
  std::map<std::string, std::string> answers;
  for (int i = 0; i < kRequests; ++i) answers[std::to_string(i)] = std::string(1500, 'a');
  RecordedModel inner(std::move(answers), RecordedBy::row_id);
  CachedModel model(inner, *store, "teacher");
  for (const bool again : {false, true}) {
    Source source;
    Count count;
    const auto start = std::chrono::steady_clock::now();
    ask_all(model, source, count, {.max_in_flight = 256}, {});
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::cout << static_cast<int>(kRequests / seconds.count())
              << (again ? " replies a second from the cache\n" : " durable replies a second\n");
    EXPECT_EQ(count.ok, kRequests);
    EXPECT_EQ(count.cached, again ? kRequests : 0);
    EXPECT_GT(kRequests / seconds.count(), 500);
  }
}

}  // namespace
}  // namespace tapir::llm
