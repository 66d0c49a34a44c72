// The API over loopback, with a model that is easy to hold.
#include "serve/server.h"

#include <future>
#include <mutex>
#include <set>

#include <gmock/gmock.h>

#include "base/error.h"
#include "error_of.h"
#include "raw_client.h"
#include "typewriter_model.h"

namespace tapir::serve {
namespace {

using testing::get;
using ::testing::HasSubstr;
using testing::post;
using testing::RawClient;
using testing::RawReply;
using testing::talk;
using testing::TypewriterModel;
using namespace std::chrono_literals;

Json chat(const std::string& text, const Json& more = Json::object()) {
  Json body = {{"model", "m"}, {"messages", {{{"role", "user"}, {"content", text}}}}};
  body.update(more);
  return body;
}

// What takes a model with a pause of 5 ms some ten seconds to say.
std::string many_words() {
  std::string words;
  for (int i = 0; i < 2000; ++i) words += i == 0 ? "word" : " word";
  return words;
}

// The text of a streamed chat.
std::string streamed_text(const RawReply& reply) {
  std::string text;
  for (const std::string& event : reply.events()) {
    if (event != "[DONE]") text += Json::parse(event)["choices"][0]["delta"].value("content", "");
  }
  return text;
}

class Api : public ::testing::Test {
 protected:
  Api() {
    options_.api.parallel = 2;
    options_.api.max_queue = 2;
  }
  void start() { server_ = std::make_unique<Server>(ServedModels{{"m", model_}}, options_); }
  RawReply ask(const Json& body, const std::string& headers = "") {
    return talk(server_->port(), post("/v1/chat/completions", body.dump(), headers));
  }
  void wait_for_waiting(std::size_t count) {
    for (int i = 0; i < 5000 && model_.waiting() != count; ++i) std::this_thread::sleep_for(1ms);
    ASSERT_EQ(model_.waiting(), count);
  }
  std::string metrics() { return talk(server_->port(), get("/metrics")).body; }

  TypewriterModel model_;
  ServeOptions options_;
  std::unique_ptr<Server> server_;
};

TEST_F(Api, AnswersAChat) {
  start();
  const RawReply reply = ask(chat("one two three"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers.at("content-type"), "application/json");
  const Json json = reply.json();
  EXPECT_EQ(json["object"], "chat.completion");
  EXPECT_THAT(json["id"].get<std::string>(), ::testing::StartsWith("chatcmpl-"));
  EXPECT_EQ(json["model"], "m");
  ASSERT_EQ(json["choices"].size(), 1U);
  const Json& choice = json["choices"][0];
  EXPECT_EQ(choice["message"],
            Json({{"role", "assistant"}, {"content", "one two three"}, {"refusal", nullptr}}));
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(choice["logprobs"], nullptr);
  EXPECT_EQ(json["usage"],
            Json({{"prompt_tokens", 7}, {"completion_tokens", 3}, {"total_tokens", 10}}));
}

TEST_F(Api, StreamsAChat) {
  start();
  const RawReply reply =
      ask(chat("one two", {{"stream", true}, {"stream_options", {{"include_usage", true}}}}));
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.headers.at("content-type"), HasSubstr("text/event-stream"));
  const std::vector<std::string> events = reply.events();
  ASSERT_GE(events.size(), 4U);
  EXPECT_EQ(events.back(), "[DONE]");
  std::string text;
  std::string finish;
  for (std::size_t i = 0; i + 2 < events.size(); ++i) {
    const Json chunk = Json::parse(events[i]);
    EXPECT_EQ(chunk["object"], "chat.completion.chunk");
    EXPECT_TRUE(chunk.at("usage").is_null());
    const Json& choice = chunk["choices"][0];
    EXPECT_EQ(choice["delta"].contains("role"), i == 0);
    text += choice["delta"].value("content", "");
    if (!choice["finish_reason"].is_null()) finish = choice["finish_reason"];
  }
  EXPECT_EQ(text, "one two");
  EXPECT_EQ(finish, "stop");
  const Json last = Json::parse(events[events.size() - 2]);
  EXPECT_EQ(last["choices"], Json::array());
  EXPECT_EQ(last["usage"]["total_tokens"], 9);
}

TEST_F(Api, SeveralChoicesAndPrompts) {
  start();
  const Json chats = ask(chat("x y", {{"n", 3}})).json();
  ASSERT_EQ(chats["choices"].size(), 3U);
  EXPECT_EQ(chats["choices"][2]["index"], 2);
  EXPECT_EQ(chats["usage"]["prompt_tokens"], 7);
  EXPECT_EQ(chats["usage"]["completion_tokens"], 6);
  const Json body = {{"model", "m"}, {"prompt", {"a", "b c"}}, {"n", 2}};
  const Json texts = talk(server_->port(), post("/v1/completions", body.dump())).json();
  EXPECT_EQ(texts["object"], "text_completion");
  ASSERT_EQ(texts["choices"].size(), 4U);
  EXPECT_EQ(texts["choices"][1]["text"], "a");
  EXPECT_EQ(texts["choices"][3]["text"], "b c");
  EXPECT_EQ(texts["usage"]["prompt_tokens"], 14);
  // So that each is encoded once.
  const auto prompts = model_.prompts();
  ASSERT_EQ(prompts.size(), 7U);
  EXPECT_EQ(prompts[0], prompts[2]);
  EXPECT_EQ(prompts[3], prompts[4]);
  EXPECT_EQ(prompts[5], prompts[6]);
  EXPECT_EQ(std::set(prompts.begin(), prompts.end()).size(), 3U);
  Json streamed = body;
  streamed["stream"] = true;
  std::map<int, std::string> by_choice;
  for (const std::string& event :
       talk(server_->port(), post("/v1/completions", streamed.dump())).events()) {
    if (event == "[DONE]") continue;
    const Json choice = Json::parse(event)["choices"][0];
    by_choice[choice["index"].get<int>()] += choice["text"].get<std::string>();
  }
  EXPECT_EQ(by_choice, (std::map<int, std::string>{{0, "a"}, {1, "a"}, {2, "b c"}, {3, "b c"}}));
}

TEST_F(Api, Logprobs) {
  TypewriterModel model([](const llm::ChatRequest& request) {
    llm::ChatReply reply = TypewriterModel::echo(request);
    reply.logprobs = {{"one", -0.5}, {"\xe2\x82", -std::numeric_limits<double>::infinity()}};
    reply.top_logprobs = {{{"one", -0.5}, {"two", -1.5}}, {}};
    return reply;
  });
  server_ = std::make_unique<Server>(ServedModels{{"m", model}}, options_);
  const Json more = {{"logprobs", true}, {"top_logprobs", 2}};
  const Json content = ask(chat("one two", more)).json()["choices"][0]["logprobs"]["content"];
  ASSERT_EQ(content.size(), 2U);
  EXPECT_EQ(content[0]["token"], "one");
  EXPECT_EQ(content[0]["logprob"], -0.5);
  EXPECT_EQ(content[0]["bytes"], Json({111, 110, 101}));
  EXPECT_EQ(content[0]["top_logprobs"][1]["token"], "two");
  EXPECT_EQ(content[1]["token"], "\xef\xbf\xbd");
  EXPECT_EQ(content[1]["bytes"], Json({0xe2, 0x82}));
  EXPECT_EQ(content[1]["logprob"], -9999.0);
  Json streamed = chat("one two", more);
  streamed["stream"] = true;
  std::size_t tokens = 0;
  for (const std::string& event : ask(streamed).events()) {
    if (event == "[DONE]") continue;
    const Json logprobs = Json::parse(event)["choices"][0]["logprobs"];
    if (!logprobs.is_null()) tokens += logprobs["content"].size();
  }
  EXPECT_EQ(tokens, 2U);
  const Json body = {{"model", "m"}, {"prompt", "one two"}, {"logprobs", 2}};
  const Json old =
      talk(server_->port(), post("/v1/completions", body.dump())).json()["choices"][0]["logprobs"];
  EXPECT_EQ(old["tokens"][0], "one");
  EXPECT_EQ(old["token_logprobs"][0], -0.5);
  EXPECT_EQ(old["top_logprobs"][0], Json({{"one", -0.5}, {"two", -1.5}}));
  EXPECT_EQ(old["text_offset"], Json({0, 3}));
  server_.reset();
}

TEST_F(Api, ListsItsModel) {
  start();
  const Json list = talk(server_->port(), get("/v1/models")).json();
  EXPECT_EQ(list["object"], "list");
  EXPECT_EQ(list["data"][0]["id"], "m");
  EXPECT_EQ(talk(server_->port(), get("/v1/models/m")).json()["id"], "m");
  const RawReply none = talk(server_->port(), get("/v1/models/other"));
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(none.json()["error"]["code"], "model_not_found");
  EXPECT_EQ(talk(server_->port(), get("/health")).json()["status"], "ok");
}

TEST_F(Api, ErrorsAreThoseOfTheApi) {
  start();
  const RawReply unknown = ask(chat("x", {{"model", "gpt"}}));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.json()["error"]["code"], "model_not_found");
  const RawReply wrong = ask(chat("x", {{"temperature", 3}}));
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(wrong.json()["error"]["type"], "invalid_request_error");
  EXPECT_EQ(wrong.json()["error"]["param"], "temperature");
  EXPECT_EQ(wrong.json()["error"]["code"], nullptr);
  EXPECT_EQ(talk(server_->port(), post("/v1/chat/completions", "no JSON")).status, 400);
  EXPECT_EQ(talk(server_->port(), get("/v2")).status, 404);
  EXPECT_EQ(talk(server_->port(), post("/v1/embeddings", "{}")).status, 404);
  const RawReply method = talk(server_->port(), get("/v1/chat/completions"));
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.headers.at("allow"), "POST");
  EXPECT_EQ(ask(chat("x", {{"n", 5}})).status, 400) << "more than fit at once";
}

TEST_F(Api, FailuresOfTheModelHaveAStatus) {
  std::mutex mutex;
  llm::ChatReply reply;
  TypewriterModel model([&](const llm::ChatRequest&) {
    const std::lock_guard lock(mutex);
    return reply;
  });
  server_ = std::make_unique<Server>(ServedModels{{"m", model}}, options_);
  for (const auto& [failure, status] :
       std::vector<std::pair<llm::Failure, int>>{{llm::Failure::invalid_request, 400},
                                                 {llm::Failure::server_error, 500},
                                                 {llm::Failure::timeout, 504},
                                                 {llm::Failure::connection, 502},
                                                 {llm::Failure::rate_limited, 429}}) {
    {
      const std::lock_guard lock(mutex);
      reply.failure = failure;
      reply.error = "because";
      reply.error_code = failure == llm::Failure::invalid_request ? "context_length_exceeded" : "";
    }
    for (const bool stream : {false, true}) {
      const RawReply got = ask(chat("x", {{"stream", stream}}));
      EXPECT_EQ(got.status, status);
      EXPECT_EQ(got.error(), "because");
      EXPECT_EQ(got.json()["error"]["code"] == "context_length_exceeded", status == 400);
    }
  }
  server_.reset();
}

TEST_F(Api, AFullQueueGets429) {
  model_.hold();
  start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<RawClient>(server_->port()));
    clients.back()->send(post("/v1/chat/completions", chat("x").dump()));
  }
  wait_for_waiting(4);
  const RawReply refused = ask(chat("y"));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.json()["error"]["type"], "rate_limit_error");
  EXPECT_GE(std::stoi(refused.headers.at("retry-after")), 1);
  EXPECT_THAT(metrics(), HasSubstr("tapir_answers_in_flight 4"));
  model_.release();
  for (auto& client : clients) EXPECT_EQ(client->read_reply().status, 200);
  EXPECT_EQ(ask(chat("y")).status, 200);
}

// Takes one request, then none until it is told to.
class BrokenModel final : public llm::ChatModel {
 public:
  const llm::ModelIdentity& identity() const override { return inner_.identity(); }
  void submit(llm::ChatRequest request, llm::Completion done, std::stop_token stop) override {
    if (broken_ && request.attempt > 0) throw std::bad_alloc();
    inner_.submit(std::move(request), std::move(done), std::move(stop));
  }
  void mend() { broken_ = false; }

 private:
  TypewriterModel inner_;
  std::atomic<bool> broken_{true};
};

TEST_F(Api, ChoicesThatCannotBeSubmittedLeaveTheQueue) {
  BrokenModel model;
  server_ = std::make_unique<Server>(ServedModels{{"m", model}}, options_);
  EXPECT_EQ(ask(chat("x", {{"n", 4}})).status, 500);
  const auto empty = [&] {
    return metrics().find("tapir_answers_in_flight 0\n") != std::string::npos;
  };
  for (int i = 0; i < 5000 && !empty(); ++i) std::this_thread::sleep_for(1ms);
  model.mend();
  EXPECT_EQ(ask(chat("x", {{"n", 4}})).status, 200);
  server_.reset();  // waits for all that is in the model
}

TEST_F(Api, AClientThatHangsUpCancelsItsAnswer) {
  for (const bool stream : {false, true}) {
    model_.hold();
    start();
    RawClient client(server_->port());
    client.send(post("/v1/chat/completions", chat("a b c", {{"stream", stream}}).dump()));
    wait_for_waiting(1);
    const std::size_t before = model_.cancelled();
    client.hang_up();
    for (int i = 0; i < 5000 && model_.cancelled() == before; ++i) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(model_.cancelled(), before + 1);
    EXPECT_THAT(metrics(), HasSubstr("tapir_answers_in_flight 0"));
  }
}

TEST_F(Api, HangingUpInTheMiddleOfAStreamCancels) {
  model_.pause = 10ms;
  start();
  RawClient client(server_->port());
  std::string words = "w";
  for (int i = 0; i < 1000; ++i) words += " w";
  client.send(post("/v1/chat/completions", chat(words, {{"stream", true}}).dump()));
  while (client.received().find("content\":\" w\"") == std::string::npos) {
    ASSERT_TRUE(client.receive());
  }
  client.hang_up();
  for (int i = 0; i < 5000 && model_.cancelled() == 0; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(model_.cancelled(), 1U);
}

TEST_F(Api, AnAnswerThatTakesTooLongEnds) {
  model_.hold();
  options_.api.answer_timeout = 150ms;
  start();
  const RawReply late = ask(chat("x"));
  EXPECT_EQ(late.status, 504);
  EXPECT_EQ(late.json()["error"]["code"], "timeout");
}

// Words come faster than a connection looks for what else there is.
TEST_F(Api, AStreamWithoutAPauseEndsWhenItTakesTooLong) {
  model_.pause = 5ms;
  options_.api.answer_timeout = 200ms;
  start();
  const RawReply reply = ask(chat(many_words(), {{"stream", true}}));
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.events().back(), HasSubstr("took too long"));
}

TEST_F(Api, AStreamWithoutAPauseEndsWithAnErrorWhenTheServerStops) {
  model_.pause = 5ms;
  start();
  RawClient stream(server_->port());
  stream.send(post("/v1/chat/completions", chat(many_words(), {{"stream", true}}).dump()));
  while (stream.received().find("data: ") == std::string::npos) ASSERT_TRUE(stream.receive());
  server_->stop(50ms);
  EXPECT_THAT(stream.read_reply().events().back(), HasSubstr("the server is stopping"));
}

TEST_F(Api, WantsItsKey) {
  options_.api.api_key = "secret";
  options_.http.host = "0.0.0.0";
  start();
  EXPECT_EQ(ask(chat("x")).status, 401);
  EXPECT_EQ(ask(chat("x"), "Authorization: Bearer secre\r\n").status, 401);
  EXPECT_EQ(ask(chat("x"), "Authorization: secret\r\n").json()["error"]["code"], "invalid_api_key");
  EXPECT_EQ(ask(chat("x"), "Authorization: Bearer secret\r\n").status, 200);
  EXPECT_EQ(talk(server_->port(), get("/metrics")).status, 401);
  EXPECT_EQ(talk(server_->port(), get("/health")).status, 200);
  EXPECT_EQ(model_.asked().size(), 1U);
}

TEST_F(Api, WithoutAKeyOnlyThisMachineIsServed) {
  options_.http.host = "0.0.0.0";
  const Error e = testing::error_of([&] { start(); });
  EXPECT_EQ(e.kind(), ErrorKind::usage);
  EXPECT_THAT(e.hint(), HasSubstr("--api-key-env"));
  options_.http.host = "localhost";
  start();
  EXPECT_EQ(ask(chat("x")).status, 200);
  EXPECT_EQ(ask(chat("x"), "Origin: http://localhost:3000\r\n").status, 200);
  EXPECT_EQ(ask(chat("x"), "Origin: https://evil.example\r\n").status, 403);
  EXPECT_EQ(talk(server_->port(), "GET /v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n").status,
            403);
}

TEST_F(Api, StopsWhenItsAnswersAreDone) {
  model_.hold();
  start();
  const int port = server_->port();
  RawClient client(port);
  client.send(post("/v1/chat/completions", chat("last words", {{"stream", true}}).dump()));
  wait_for_waiting(1);
  const auto stopped = std::async(std::launch::async, [&] { server_->stop(20s); });
  while (talk(port, get("/health")).status != 503) std::this_thread::sleep_for(5ms);
  const RawReply refused = ask(chat("new"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.headers.contains("retry-after"));
  model_.release();
  const RawReply last = client.read_reply();
  EXPECT_EQ(last.events().back(), "[DONE]");
  stopped.wait();
  EXPECT_FALSE(RawClient(port).connected());
}

TEST_F(Api, AnswersInWorkEndWithAnErrorWhenStoppingTakesTooLong) {
  model_.hold();
  start();
  RawClient whole(server_->port());
  RawClient stream(server_->port());
  whole.send(post("/v1/chat/completions", chat("x").dump()));
  stream.send(post("/v1/chat/completions", chat("x", {{"stream", true}}).dump()));
  wait_for_waiting(2);
  server_->stop(50ms);
  EXPECT_EQ(whole.read_reply().status, 503);
  EXPECT_EQ(stream.read_reply().status, 503);
}

TEST_F(Api, CountsWhatItDoes) {
  start();
  ask(chat("one two"));
  ask(chat("x", {{"temperature", 3}}));
  ask(chat("x", {{"stream", true}}));
  talk(server_->port(), get("/nowhere"));
  const std::string text = metrics();
  for (const char* line :
       {"tapir_requests_total{path=\"/v1/chat/completions\",status=\"200\"} 2\n",
        "tapir_requests_total{path=\"/v1/chat/completions\",status=\"400\"} 1\n",
        "tapir_requests_total{path=\"other\",status=\"404\"} 1\n",
        "tapir_answers_total{ended=\"stop\"} 2\n", "tapir_prompt_tokens_total 14\n",
        "tapir_completion_tokens_total 3\n", "tapir_answers_limit 4\n",
        "tapir_answer_seconds_count 2\n", "tapir_first_token_seconds_bucket{le=\"+Inf\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

// Any model: one that cannot show its answers streams them whole.
class PlainModel final : public llm::ChatModel {
 public:
  const llm::ModelIdentity& identity() const override { return inner_.identity(); }
  void submit(llm::ChatRequest request, llm::Completion done, std::stop_token stop) override {
    inner_.submit(std::move(request), std::move(done), std::move(stop));
  }

 private:
  TypewriterModel inner_;
};

TEST_F(Api, ServesModelsThatCannotStream) {
  PlainModel model;
  server_ = std::make_unique<Server>(ServedModels{{"m", model}}, options_);
  EXPECT_EQ(ask(chat("a b")).json()["choices"][0]["message"]["content"], "a b");
  const RawReply stream = ask(chat("a b", {{"stream", true}}));
  EXPECT_THAT(stream.body, HasSubstr("\"content\":\"a b\""));
  EXPECT_EQ(stream.events().back(), "[DONE]");
  server_.reset();
}

TEST_F(Api, ServesSeveralModels) {
  TypewriterModel loud([](const llm::ChatRequest& request) {
    llm::ChatReply reply = TypewriterModel::echo(request);
    reply.text += "!";
    return reply;
  });
  server_ = std::make_unique<Server>(ServedModels{{"m", model_}, {"loud", loud}}, options_);
  EXPECT_EQ(ask(chat("a")).json()["choices"][0]["message"]["content"], "a");
  EXPECT_EQ(ask(chat("a", {{"model", "loud"}})).json()["choices"][0]["message"]["content"], "a!");
  const Json models = talk(server_->port(), get("/v1/models")).json()["data"];
  ASSERT_EQ(models.size(), 2U);
  EXPECT_EQ(models[1]["id"], "loud");
  EXPECT_EQ(talk(server_->port(), get("/v1/models/loud")).status, 200);
  EXPECT_THAT(ask(chat("a", {{"model", "x"}})).error(), HasSubstr("m, loud"));
}

TEST_F(Api, TheAttemptComesInAHeader) {
  options_.api.draw_seeds = false;
  start();
  ask(chat("a"), "Tapir-Attempt: 2\r\n");
  ask(chat("b"));
  ask(chat("c"), "Tapir-Attempt: many\r\n");
  const auto asked = model_.asked();
  ASSERT_EQ(asked.size(), 3U);
  EXPECT_EQ(asked[0].attempt, 2);
  EXPECT_EQ(asked[1].attempt, 0);
  EXPECT_EQ(asked[2].attempt, 0);
  EXPECT_EQ(asked[0].sampling.seed, std::nullopt);
}

TEST_F(Api, ManyClientsAtOnce) {
  options_.api.max_queue = 200;
  start();
  std::vector<std::future<RawReply>> replies;
  for (int i = 0; i < 100; ++i) {
    replies.push_back(std::async(std::launch::async, [&, i] {
      return ask(chat("client " + std::to_string(i), {{"stream", i % 2 == 0}}));
    }));
  }
  for (int i = 0; i < 100; ++i) {
    const RawReply reply = replies[static_cast<std::size_t>(i)].get();
    EXPECT_EQ(reply.status, 200);
    const std::string text =
        i % 2 == 0 ? streamed_text(reply)
                   : reply.json()["choices"][0]["message"]["content"].get<std::string>();
    EXPECT_EQ(text, "client " + std::to_string(i));
  }
}

}  // namespace
}  // namespace tapir::serve
