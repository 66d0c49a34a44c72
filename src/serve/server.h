// An OpenAI-compatible server over ChatModels: POST /v1/chat/completions and /v1/completions
// (whole or as server-sent events), GET /v1/models, /health and /metrics (Prometheus).
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "serve/api_service.h"
#include "serve/faults.h"
#include "serve/http_server.h"

namespace tapir::serve {

struct ServeOptions {
  HttpOptions http;
  ApiOptions api;
  // Set, even to no faults: requests are counted one by one, in memory that grows with them.
  std::optional<FaultOptions> faults;
};

// Serves from its constructor to stop(). A client that hangs up takes its answers out of the model.
class Server {
 public:
  // The models must outlive it. Error{usage}: an address that others can reach without an API key;
  // a port that is taken; a limit of 0; shares of faults above 1.
  Server(ServedModels models, const ServeOptions& options);
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
  std::unique_ptr<FaultyService> faulty_;  // when there are faults
  std::unique_ptr<HttpServer> http_;
};

}  // namespace tapir::serve
