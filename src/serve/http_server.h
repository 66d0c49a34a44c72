// HTTP/1.1 over TCP: connections, limits and time-outs. The HTTP library stays in its .cpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "serve/http.h"

namespace tapir::serve {

struct HttpOptions {
  std::string host = "127.0.0.1";
  int port = 0;  // 0: any that is free
  std::size_t max_body_bytes = 8UL << 20;
  std::size_t max_head_bytes = 32UL << 10;
  std::size_t max_connections = 512;                  // above it: 503 at once
  std::chrono::milliseconds idle_timeout{60'000};     // of a connection between requests
  std::chrono::milliseconds request_timeout{30'000};  // until a request has arrived whole
  std::chrono::milliseconds stall_timeout{30'000};    // of a client that does not read its reply
};

// Serves from its constructor to stop(). A request that cannot be served gets a reply that says why
// (HttpHandler::failure): 400 not HTTP, 408 too slow, 411 a body of unknown length, 413 too large,
// 415 a compressed body. Bodies are read for POST only.
class HttpServer {
 public:
  // `handler` must outlive it. Error{usage} when it cannot listen there.
  HttpServer(const HttpOptions& options, HttpHandler& handler);
  ~HttpServer();  // stop()
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;
  // Takes no more connections and requests; replies in work are written to their end, unless that
  // takes longer than a few seconds: then they are cut. May be called again.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tapir::serve
