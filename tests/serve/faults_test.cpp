#include "serve/faults.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "raw_client.h"
#include "serve/server.h"
#include "typewriter_model.h"

namespace tapir::serve {
namespace {

using tapir::testing::get;
using tapir::testing::post;
using tapir::testing::RawClient;
using tapir::testing::RawReply;
using tapir::testing::talk;
using tapir::testing::TypewriterModel;
using ::testing::HasSubstr;

class Faulty : public ::testing::Test {
 protected:
  void start(Fault fault, double share = 1) {
    FaultOptions faults;
    faults.share(fault) = share;
    start(faults);
  }
  void start(const FaultOptions& faults) {
    ServeOptions options;
    options.faults = faults;
    server_ = std::make_unique<Server>(ServedModels{{"m", model_}}, options);
  }
  RawReply ask(const std::string& text, const std::string& headers = "") {
    const Json body = {{"model", "m"}, {"messages", {{{"role", "user"}, {"content", text}}}}};
    return talk(server_->port(), post("/v1/chat/completions", body.dump(), headers));
  }
  std::string metrics() { return talk(server_->port(), get("/metrics")).body; }

  TypewriterModel model_;
  std::unique_ptr<Server> server_;
};

TEST_F(Faulty, ThrottlesWithAWait) {
  FaultOptions faults;
  faults.share(Fault::throttle) = 1;
  faults.retry_after = 0.25;
  start(faults);
  const RawReply reply = ask("a");
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(reply.headers.at("retry-after"), "1");
  EXPECT_EQ(reply.headers.at("retry-after-ms"), "250");
  EXPECT_THAT(metrics(), HasSubstr("tapir_faults_total{kind=\"throttle\"} 1\n"));
  EXPECT_EQ(model_.asked().size(), 0U);
}

TEST_F(Faulty, Breaks) {
  start(Fault::error);
  std::set<int> seen;
  for (int i = 0; i < 40; ++i) seen.insert(ask("a").status);
  EXPECT_EQ(seen, (std::set<int>{500, 502, 503}));
}

TEST_F(Faulty, CutsConnections) {
  start(Fault::cut);
  int silent = 0;
  for (int i = 0; i < 40; ++i) {
    const Json body = {{"model", "m"}, {"messages", {{{"role", "user"}, {"content", "a b c"}}}}};
    RawClient client(server_->port());
    client.send(post("/v1/chat/completions", body.dump()));
    EXPECT_TRUE(client.closed_by_server());
    silent += client.received().empty() ? 1 : 0;
    EXPECT_FALSE(client.received().ends_with("}}")) << "it came whole";
  }
  EXPECT_GT(silent, 4);
  EXPECT_LT(silent, 36);
}

TEST_F(Faulty, HalvesJson) {
  start(Fault::half);
  const RawReply reply = ask("a");
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.json().is_discarded());
}

TEST_F(Faulty, CutsAnswersAndSaysSo) {
  start(Fault::length);
  const Json choice = ask("one two").json()["choices"][0];
  EXPECT_EQ(choice["message"]["content"], "one");
  EXPECT_EQ(choice["finish_reason"], "length");
}

TEST_F(Faulty, GarblesOneModelOnly) {
  FaultOptions faults;
  faults.share(Fault::garble) = 1;
  start(faults);
  EXPECT_EQ(ask("one two").json()["choices"][0]["message"]["content"], "one two");
  faults.garbled_model = "m";
  start(faults);
  const Json choice = ask("one two").json()["choices"][0];
  EXPECT_EQ(choice["message"]["content"], "one");
  EXPECT_EQ(choice["finish_reason"], "stop");
}

TEST_F(Faulty, IsSlowAndWhole) {
  FaultOptions faults;
  faults.share(Fault::slow) = 1;
  faults.slow_by = std::chrono::milliseconds(80);
  start(faults);
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(ask("one two").json()["choices"][0]["message"]["content"], "one two");
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(70));
}

// The faults of a request are the same whoever asks in between.
TEST_F(Faulty, DrawsByRequestAndItsNumberNotByOrder) {
  const auto statuses = [&](const std::vector<std::string>& texts) {
    start(Fault::throttle, 0.5);
    std::map<std::string, std::vector<int>> seen;
    for (const std::string& text : texts) seen[text].push_back(ask(text).status);
    return seen;
  };
  std::vector<std::string> texts;
  for (int i = 0; i < 60; ++i) texts.push_back(std::to_string(i % 12));
  const auto forward = statuses(texts);
  std::reverse(texts.begin(), texts.end());
  EXPECT_EQ(statuses(texts), forward);
  std::size_t refused = 0;
  for (const auto& [text, all] : forward) refused += std::count(all.begin(), all.end(), 429);
  EXPECT_GT(refused, 15U);
  EXPECT_LT(refused, 45U);
  EXPECT_THAT(metrics(), HasSubstr("tapir_sends_total 60\n"));
  EXPECT_THAT(metrics(), HasSubstr("tapir_distinct_requests 12\n"));
}

TEST_F(Faulty, AnotherAttemptIsAnotherRequest) {
  start(Fault::throttle, 0);
  ask("a");
  ask("a", "Tapir-Attempt: 1\r\n");
  EXPECT_THAT(metrics(), HasSubstr("tapir_distinct_requests 2\n"));
}

TEST_F(Faulty, SharesAreChecked) {
  for (const double share : {-0.1, 1.1}) EXPECT_THROW(start(Fault::cut, share), Error);
  FaultOptions faults;
  faults.share(Fault::cut) = faults.share(Fault::half) = 0.6;
  EXPECT_THROW(start(faults), Error);
}

}  // namespace
}  // namespace tapir::serve
