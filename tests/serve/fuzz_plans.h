// Damaged bodies and damaged requests: a reply or a closed connection, and the server lives on.
#pragma once

#include <memory>

#include <gtest/gtest.h>

#include "fuzzing.h"
#include "raw_client.h"
#include "serve/api_fault.h"
#include "serve/api_request.h"
#include "serve/server.h"
#include "typewriter_model.h"

namespace tapir::serve {

inline const std::vector<std::string>& bodies() {
  static const std::vector<std::string> all = {
      R"({"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],"n":2,)"
      R"("temperature":0.5,"top_p":0.9,"top_k":5,"max_tokens":9,"stop":["a","b"],"seed":7,"logprobs":true,)"
      R"("top_logprobs":3,"stream":true,"stream_options":{"include_usage":true},"logit_bias":{}})",
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}],"name":"x"}],)"
      R"("response_format":{"type":"text"},"tools":[],"tool_choice":"none","user":"u"})",
      R"({"model":"m","prompt":["a","b"],"max_tokens":3,"logprobs":2,"echo":false,"best_of":1})"};
  return all;
}

inline testing::FuzzPlan body_plan() {
  return {.name = "HTTP body",
          .corpus = bodies(),
          .mutate = testing::mutate_json_text,
          .run = [](const std::string& input) {
            for (const auto read : {read_chat_request, read_completion_request}) {
              try {
                const ApiRequest request = read(input, 128, /*draw_seeds=*/true);
                EXPECT_GE(request.choices(), 1U);
                EXPECT_LE(request.choices(), 128U);
              } catch (const ApiFault& fault) {
                EXPECT_EQ(fault.status(), 400);
                EXPECT_TRUE(is_valid_utf8(error_reply(fault).body));
              }
            }
          }};
}

class FuzzedServer {
 public:
  FuzzedServer() {
    ServeOptions options;
    options.http.request_timeout = std::chrono::milliseconds(300);
    options.http.idle_timeout = std::chrono::milliseconds(300);
    server_ = std::make_unique<Server>(ServedModels{{"m", model_}}, options);
    port_ = server_->port();
  }
  // The bytes as a client sends them who then waits for a reply.
  void send(const std::string& bytes) {
    testing::RawClient client(port_);
    client.send(bytes);
    const int status = client.read_reply().status;
    EXPECT_TRUE(status == 0 || (status >= 200 && status < 600)) << status;
    if (++sent_ % 50 == 0) {
      EXPECT_EQ(testing::talk(port_, testing::get("/health")).status, 200);
    }
  }

 private:
  testing::TypewriterModel model_;
  std::unique_ptr<Server> server_;
  int port_ = 0;
  int sent_ = 0;
};

inline testing::FuzzPlan request_plan() {
  const auto server = std::make_shared<FuzzedServer>();
  std::vector<std::string> requests = {
      testing::get("/v1/models"), testing::get("/metrics", "Range: bytes=0-1,5-\r\n"),
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\n{\"mod\r\n3\r\nel\"\r\n0\r\n\r\n"};
  for (const std::string& body : bodies()) {
    requests.push_back(testing::post("/v1/chat/completions", body, "Connection: close\r\n"));
  }
  return {.name = "HTTP request", .corpus = requests, .run = [server](const std::string& input) {
            server->send(input);
          }};
}

}  // namespace tapir::serve
