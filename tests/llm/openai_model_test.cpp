// The client against a server that does everything wrong.
#include "llm/openai_model.h"

#include <condition_variable>
#include <mutex>

#include <gmock/gmock.h>

#include "base/error.h"
#include "llm/openai_api.h"
#include "llm_test_tools.h"
#include "stub_server.h"

namespace tapir::llm {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using testing::answer_json;
using testing::error_json;
using ::testing::HasSubstr;
using testing::http_reply;
using ::testing::Not;
using testing::StubReply;
using testing::StubRequest;
using testing::StubServer;

OpenAiTransport to(const std::vector<std::string>& urls) {
  OpenAiTransport transport;
  for (const std::string& url : urls)
    transport.endpoints.push_back({url, Secret("sk-planted"), {}});
  transport.pool.first_patience = milliseconds(300);
  return transport;
}
OpenAiTransport to(const StubServer& server) { return to(std::vector{server.url()}); }

// One request to a server that always replies so.
ChatReply reply_to_one(const StubReply& always, const HttpDeadlines& deadlines = {}) {
  StubServer server([&](const StubRequest&) { return always; });
  OpenAiTransport transport = to(server);
  transport.deadlines = deadlines;
  OpenAiModel model({.model = "m"}, transport);
  return ask(model, request("question"));
}

TEST(OpenAiModel, AsksAndAnswers) {
  StubRequest seen;
  StubServer server([&](const StubRequest& got) {
    seen = got;
    return http_reply(200, answer_json("an answer"));
  });
  OpenAiModel model({.model = "the-model"}, to(server));
  ChatRequest question = request("a question");
  question.attempt = 2;
  question.sampling.temperature = 0.5;
  question.sampling.max_tokens = 9;
  const ChatReply reply = ask(model, question);
  EXPECT_TRUE(reply.ok()) << reply.error;
  EXPECT_EQ(reply.text, "an answer");
  EXPECT_EQ(reply.row_id, question.row_id);
  EXPECT_EQ(reply.key, reply_key(model.identity(), question));
  EXPECT_EQ(reply.usage.prompt_tokens, 7);
  EXPECT_EQ(reply.usage.completion_tokens, 3);
  EXPECT_EQ(reply.attempts_charged, 1);
  EXPECT_GT(reply.seconds, 0);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.path, "/v1/chat/completions");
  EXPECT_EQ(seen.headers["authorization"], "Bearer sk-planted");
  EXPECT_EQ(seen.headers["tapir-attempt"], "2");
  EXPECT_EQ(seen.json()["model"], "the-model");
  EXPECT_EQ(seen.json()["messages"][0]["content"], "a question");
}

TEST(OpenAiModel, KeepsConnectionsAndManyInFlight) {
  constexpr int kCrowd = 61;
  std::mutex mutex;
  std::condition_variable came;
  int there = 0;
  // The first wait for each other: how many are in flight is then the client's doing alone.
  StubServer server([&](const StubRequest& got) {
    std::unique_lock lock(mutex);
    ++there;
    came.notify_all();
    came.wait_for(lock, std::chrono::seconds(10), [&] { return there >= kCrowd; });
    lock.unlock();
    const std::string text = got.json()["messages"][0]["content"];
    StubReply reply = http_reply(200, answer_json("to " + text));
    reply.wait = milliseconds(20);
    return reply;
  });
  OpenAiTransport transport = to(server);
  transport.pool.first_window = 100;
  OpenAiModel model({.model = "m"}, transport);
  Replies replies;
  for (const ChatRequest& one : requests(600)) replies.submit(model, one);
  for (const ChatReply& reply : replies.wait(600)) {
    ASSERT_TRUE(reply.ok()) << reply.error;
    EXPECT_EQ(reply.text, "to " + reply.row_id.substr(4));
  }
  EXPECT_GE(server.most_at_once(), kCrowd);
  EXPECT_LT(server.connections(), 300);
}

StubReply breaks_off(const std::string& bytes) {
  StubReply reply;
  reply.bytes = bytes;
  reply.close = true;
  return reply;
}

struct Case {
  StubReply reply;
  Failure failure;
  std::string words;
};

TEST(OpenAiModel, EveryOutcomeHasItsKind) {
  const std::string answer = answer_json("whole");
  const std::vector<Case> cases = {
      {http_reply(429, error_json("slow down")), Failure::rate_limited, "slow down"},
      {http_reply(429, error_json("no money", "insufficient_quota")), Failure::unauthorized,
       "no money"},
      {http_reply(500, error_json("broken")), Failure::server_error, "status 500: broken"},
      {http_reply(502, "<html><body>Bad gateway</body></html>"), Failure::server_error, "HTML"},
      {http_reply(401, error_json("wrong key")), Failure::unauthorized, "status 401: wrong key"},
      {http_reply(403, error_json("your input was flagged")), Failure::content_filter, "flagged"},
      {http_reply(404, "<html>nothing</html>"), Failure::unavailable, "/v1"},
      {http_reply(302, "", "Location: http://elsewhere/\r\n"), Failure::unavailable, "redirects"},
      {http_reply(400, error_json("This model's maximum context length is 8 tokens")),
       Failure::invalid_request, "maximum context length"},
      {http_reply(422, error_json("what is this")), Failure::invalid_request, "what is this"},
      {http_reply(200, answer_json("cu", "length")), Failure::length, "max_tokens"},
      {http_reply(200, answer_json("", "content_filter")), Failure::content_filter, "filter"},
      {http_reply(200, "<!DOCTYPE html><p>Log in"), Failure::malformed, "HTML"},
      {http_reply(200, answer.substr(0, answer.size() / 2)), Failure::malformed, "JSON"},
      {http_reply(200, R"({"choices": []})"), Failure::malformed, "choices"},
      {http_reply(200, ""), Failure::malformed, ""},
      {breaks_off("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"choices\""),
       Failure::connection, "127.0.0.1"},
      {breaks_off(""), Failure::connection, "127.0.0.1"},
      {breaks_off("what?\r\n\r\n"), Failure::connection, "127.0.0.1"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.reply.bytes);
    const ChatReply reply = reply_to_one(one.reply);
    EXPECT_EQ(to_string(reply.failure), to_string(one.failure));
    EXPECT_THAT(reply.error, HasSubstr(one.words));
    EXPECT_EQ(reply.attempts_charged, 1);
  }
}

TEST(OpenAiModel, ACutAnswerKeepsItsTextAndIsNoAnswer) {
  const ChatReply reply = reply_to_one(http_reply(200, answer_json("The first ha", "length")));
  EXPECT_EQ(reply.failure, Failure::length);
  EXPECT_EQ(reply.text, "The first ha");
  EXPECT_EQ(reply.usage.completion_tokens, 3);
}

TEST(OpenAiModel, DeadlinesEndWhatHangs) {
  HttpDeadlines deadlines;
  deadlines.first_byte = milliseconds(200);
  const auto start = std::chrono::steady_clock::now();
  const ChatReply silent = reply_to_one({"", milliseconds(60'000), false}, deadlines);
  EXPECT_EQ(silent.failure, Failure::timeout);
  EXPECT_THAT(silent.error, HasSubstr("no byte"));
  deadlines.total = milliseconds(300);
  const ChatReply half = reply_to_one(
      {"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{", milliseconds(0), false}, deadlines);
  EXPECT_EQ(half.failure, Failure::timeout);
  EXPECT_THAT(half.error, HasSubstr("not complete"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(OpenAiModel, TheWaitThatIsAskedForIsToldOn) {
  EXPECT_EQ(reply_to_one(http_reply(429, error_json("x"), "Retry-After: 7\r\n")).retry_after, 7);
  EXPECT_EQ(reply_to_one(http_reply(503, error_json("x"), "retry-after-ms: 250\r\n")).retry_after,
            0.25);
}

TEST(OpenAiModel, AWrongModelNameSaysWhichThereAre) {
  StubServer server([](const StubRequest& got) {
    if (got.path == "/v1/models")
      return http_reply(200, R"({"data": [{"id": "large"}, {"id": "small"}]})");
    return http_reply(404, error_json("The model `m` does not exist", "model_not_found"));
  });
  OpenAiModel model({.model = "m"}, to(server));
  const ChatReply reply = ask(model, request("question"));
  EXPECT_EQ(reply.failure, Failure::unavailable);
  EXPECT_THAT(reply.error, AllOf(HasSubstr("does not exist"), HasSubstr("offers large, small")));
  // From then on nobody is asked.
  const int before = server.requests();
  const ChatReply next = ask(model, request("next"));
  EXPECT_EQ(next.failure, Failure::unavailable);
  EXPECT_EQ(next.attempts_charged, 0);
  EXPECT_EQ(server.requests(), before);
  EXPECT_THAT(model.trouble(), HasSubstr("offers large, small"));
}

TEST(OpenAiModel, AKeyIsSeenNowhere) {
  StubServer server([](const StubRequest& got) {
    const std::string echo = "you sent " + got.headers.at("authorization");
    if (got.number % 2 == 0) return http_reply(200, answer_json(echo));
    return http_reply(401, error_json(echo));
  });
  OpenAiTransport transport = to(server);
  std::string told;  // read when the reply has come
  transport.notice = [&](const std::string& line) { told += line; };
  OpenAiModel model({.model = "m"}, transport);
  for (const char* text : {"first", "second"}) {
    const ChatReply reply = ask(model, request(text));
    EXPECT_THAT(told, Not(HasSubstr("sk-planted")));
    EXPECT_THAT(reply.error + reply.text + model.trouble(), Not(HasSubstr("sk-planted")));
    EXPECT_THAT(reply.error + reply.text, HasSubstr("[key]"));
  }
  EXPECT_THAT(told, HasSubstr("not asked any more"));
}

TEST(OpenAiModel, NobodyThereIsSaidSoon) {
  int free_port = 0;
  {
    StubServer gone([](const StubRequest&) { return StubReply{}; });
    free_port = gone.port();
  }
  OpenAiModel model({.model = "m"},
                    to(std::vector{"http://127.0.0.1:" + std::to_string(free_port) + "/v1"}));
  const ChatReply first = ask(model, request("question"));
  EXPECT_EQ(first.failure, Failure::connection);
  EXPECT_EQ(first.attempts_charged, 0);
  std::this_thread::sleep_for(milliseconds(400));
  const ChatReply later = ask(model, request("later"));
  EXPECT_EQ(later.failure, Failure::unavailable);
  EXPECT_THAT(later.error, HasSubstr(std::to_string(free_port)));
}

TEST(OpenAiModel, ADeadEndpointIsLeftForALivingOne) {
  int free_port = 0;
  {
    StubServer gone([](const StubRequest&) { return StubReply{}; });
    free_port = gone.port();
  }
  StubServer server([](const StubRequest&) { return http_reply(200, answer_json("yes")); });
  StubServer refusing([](const StubRequest&) { return http_reply(401, error_json("no")); });
  OpenAiModel model({.model = "m"}, to(std::vector{"http://127.0.0.1:" + std::to_string(free_port),
                                                   refusing.url(), server.url()}));
  Replies replies;
  for (const ChatRequest& one : requests(100)) replies.submit(model, one);
  for (const ChatReply& reply : replies.wait(100)) EXPECT_TRUE(reply.ok()) << reply.error;
  EXPECT_EQ(server.requests(), 100);
  EXPECT_LT(refusing.requests(), 40);
}

TEST(OpenAiModel, ADeadEndpointBesideASlowOneIsNoOutage) {
  int free_port = 0;
  {
    StubServer gone([](const StubRequest&) { return StubReply{}; });
    free_port = gone.port();
  }
  StubServer slow([](const StubRequest&) {
    StubReply reply = http_reply(200, answer_json("yes"));
    reply.wait = milliseconds(700);  // longer than the first patience
    return reply;
  });
  OpenAiTransport transport =
      to(std::vector{"http://127.0.0.1:" + std::to_string(free_port) + "/v1", slow.url()});
  transport.pool.first_window = 2;
  OpenAiModel model({.model = "m"}, transport);
  Replies replies;
  for (const ChatRequest& one : requests(8)) replies.submit(model, one);
  for (const ChatReply& reply : replies.wait(8)) EXPECT_TRUE(reply.ok()) << reply.error;
}

// What one endpoint refuses is not put to the same one again.
TEST(OpenAiModel, ARefusalOfTheOnlyEndpointIsNotAskedAgain) {
  StubServer server([](const StubRequest& got) {
    if (got.number % 2 == 1) return http_reply(200, answer_json("yes"));
    return http_reply(403, error_json("not for you"));
  });
  OpenAiModel model({.model = "m"}, to(server));
  for (int i = 0; i < 6; ++i) {
    EXPECT_TRUE(ask(model, request(numbered("good ", i))).ok());
    EXPECT_EQ(ask(model, request(numbered("bad ", i))).failure, Failure::unauthorized);
  }
  EXPECT_EQ(server.requests(), 12);
}

// A run that stands still says why.
TEST(OpenAiModel, TellsWhyItWaits) {
  StubServer server([](const StubRequest& got) {
    if (got.number == 1) return http_reply(200, answer_json("yes"));
    if (got.number < 5) return http_reply(500, error_json("out of order"));
    if (got.number == 5) return http_reply(200, answer_json("yes"));
    return http_reply(429, error_json("enough for today"), "Retry-After: 7500\r\n");
  });
  std::mutex mutex;
  std::vector<std::string> told;
  OpenAiTransport transport = to(server);
  transport.pool.trouble_in_row = 3;
  transport.pool.first_aside = milliseconds(1);
  transport.notice = [&](const std::string& line) {
    const std::lock_guard lock(mutex);
    told.push_back(line);
  };
  OpenAiModel model({.model = "m"}, transport);
  for (int i = 0; i < 6; ++i) ask(model, request(numbered("q", i)));
  const std::lock_guard lock(mutex);
  ASSERT_THAT(told, ::testing::SizeIs(3));
  EXPECT_THAT(told[0],
              AllOf(HasSubstr(server.url()), HasSubstr("set aside"), HasSubstr("out of order")));
  EXPECT_THAT(told[1], HasSubstr("works again"));
  EXPECT_THAT(told[2], AllOf(HasSubstr("wait 2 h 4 min"), HasSubstr("enough for today")));
}

// A judge that thinks aloud for all of its max_tokens is not paid 52,000 times for nothing.
TEST(OpenAiModel, WhatAlwaysFailsForGoodIsNotPaidForLong) {
  StubServer server(
      [](const StubRequest&) { return http_reply(200, answer_json("hm", "length")); });
  OpenAiTransport transport = to(server);
  transport.first_failures = 5;
  transport.pool.most_in_flight = 2;
  OpenAiModel model({.model = "m"}, transport);
  Replies replies;
  for (const ChatRequest& one : requests(50)) replies.submit(model, one);
  int cut = 0;
  for (const ChatReply& reply : replies.wait(50)) {
    cut += reply.failure == Failure::length ? 1 : 0;
    if (reply.failure == Failure::length) continue;
    EXPECT_EQ(reply.failure, Failure::unavailable);
    EXPECT_EQ(reply.attempts_charged, 0);
    EXPECT_THAT(reply.error, AllOf(HasSubstr("first 5 requests"), HasSubstr("raise max_tokens")));
  }
  EXPECT_LE(cut, 7);
  EXPECT_EQ(server.requests(), cut);
  EXPECT_THAT(model.trouble(), HasSubstr("max_tokens"));
}

TEST(OpenAiModel, CutsThatAreWantedAreNoReasonToStop) {
  StubServer server([](const StubRequest&) { return http_reply(200, answer_json("m", "length")); });
  OpenAiTransport transport = to(server);
  transport.first_failures = 5;
  OpenAiModel model({.model = "m"}, transport);
  Replies replies;
  for (ChatRequest& one : requests(20)) {
    one.cut_is_answer = true;
    replies.submit(model, one);
  }
  for (const ChatReply& reply : replies.wait(20)) EXPECT_EQ(reply.failure, Failure::length);
  EXPECT_EQ(server.requests(), 20);
}

TEST(OpenAiModel, OneAnswerShowsThatFailuresAreTheRequestsOwn) {
  StubServer server([](const StubRequest& got) {
    return http_reply(200, answer_json("x", got.number == 3 ? "stop" : "content_filter"));
  });
  for (const bool earlier : {false, true}) {
    OpenAiTransport transport = to(server);
    transport.first_failures = 5;
    transport.pool.most_in_flight = 1;
    if (earlier) transport.answered_stages = {"test"};
    OpenAiModel model({.model = "m"}, transport);
    Replies replies;
    for (const ChatRequest& one : requests(20)) replies.submit(model, one);
    for (const ChatReply& reply : replies.wait(20))
      EXPECT_NE(reply.failure, Failure::unavailable) << reply.error;
  }
  EXPECT_EQ(server.requests(), 40);
}

TEST(OpenAiModel, AStopEndsWhatWaitsAndDrainsWhatIsSent) {
  std::stop_source stop;
  StubServer server([&](const StubRequest& got) {
    while (!stop.stop_requested()) std::this_thread::sleep_for(milliseconds(1));
    StubReply reply = http_reply(200, answer_json("late"));
    reply.wait = milliseconds(got.number == 1 ? 300 : 60'000);
    return reply;
  });
  OpenAiTransport transport = to(server);
  transport.pool.most_in_flight = 2;
  transport.drain = milliseconds(1'500);
  OpenAiModel model({.model = "m"}, transport);
  Replies replies;
  for (const ChatRequest& one : requests(5)) replies.submit(model, one, stop.get_token());
  while (server.requests() < 2) std::this_thread::sleep_for(milliseconds(2));
  stop.request_stop();
  int answered = 0, charged = 0;
  for (const ChatReply& reply : replies.wait(5)) {
    answered += reply.ok() ? 1 : 0;
    charged += reply.attempts_charged;
    if (!reply.ok()) {
      EXPECT_EQ(reply.failure, Failure::stopped);
    }
  }
  EXPECT_EQ(answered, 1);
  EXPECT_EQ(charged, 2);
  EXPECT_EQ(server.requests(), 2);
}

// A kept connection that closes as a request goes out: nothing is sent twice behind our back.
TEST(OpenAiModel, NothingIsSentTwiceUnasked) {
  std::map<std::string, int> seen;
  std::mutex mutex;
  StubServer server([&](const StubRequest& got) {
    const std::lock_guard lock(mutex);
    ++seen[got.body];
    return got.number % 3 == 0 ? breaks_off("") : http_reply(200, answer_json("yes"));
  });
  OpenAiModel model({.model = "m"}, to(server));
  int cut = 0;
  for (const ChatRequest& one : requests(30)) cut += ask(model, one).ok() ? 0 : 1;
  EXPECT_EQ(cut, 10);
  EXPECT_EQ(server.requests(), 30);
  const std::lock_guard lock(mutex);
  for (const auto& [body, times] : seen) EXPECT_EQ(times, 1);
}

TEST(OpenAiModel, AddressesWithSecretsAreRefusedUnseen) {
  for (const char* url :
       {"http://user:hunter2@host/v1", "https://host/v1?key=hunter2", "https://host/v1#hunter2"}) {
    try {
      check_base_url(url, "judge.endpoints[0].base_url");
      ADD_FAILURE() << url;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::usage);
      EXPECT_THAT(e.what(), AllOf(HasSubstr("judge.endpoints[0]"), Not(HasSubstr("hunter2"))));
    }
  }
  for (const char* url : {"", "host/v1", "ftp://host", "http://", "http:///v1", "http://a b"})
    EXPECT_THROW(check_base_url(url, "x"), Error) << url;
  EXPECT_EQ(check_base_url("https://Host:1/v1//", "x"), "https://Host:1/v1");
}

}  // namespace
}  // namespace tapir::llm
