// An OpenAI-compatible server over any ChatModel: POST /v1/chat/completions and /v1/completions
// (whole or as server-sent events), GET /v1/models, /health and /metrics (Prometheus).
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "llm/chat_model.h"
#include "serve/api_service.h"
#include "serve/http_server.h"

namespace tapir::serve {

struct ServeOptions {
  HttpOptions http;
  ApiOptions api;
};

// Serves from its constructor to stop(). A client that hangs up takes its answers out of the model.
class Server {
 public:
  // `model` must outlive it. Error{usage}: an address that others can reach without an API key; a
  // port that is taken; a limit of 0.
  Server(llm::ChatModel& model, const ServeOptions& options);
  ~Server();  // stop at once
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const { return http_->port(); }
  std::string url() const;  // "http://127.0.0.1:8000"
  // New requests get 503 from now on; answers in work may end, until `longest` has passed.
  void stop(std::chrono::milliseconds longest);

 private:
  const ServeOptions options_;
  std::unique_ptr<ApiService> service_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace tapir::serve
