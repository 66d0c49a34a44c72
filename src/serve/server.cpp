#include "serve/server.h"

#include <thread>

#include <fmt/format.h>

#include "base/error.h"
#include "base/loopback.h"

namespace tapir::serve {
namespace {

void check(const ServeOptions& options) {
  if (options.api.parallel < 1 || options.http.max_connections < 1) {
    throw Error(ErrorKind::usage, "parallel and max_connections must be 1 or more");
  }
  if (!options.api.api_key.empty() || is_loopback(options.http.host)) return;
  throw Error(
      ErrorKind::usage,
      "host " + options.http.host + " can be reached by other machines, and no API key is set",
      "name an environment variable that holds a key with --api-key-env, or stay on 127.0.0.1");
}

}  // namespace

Server::Server(ServedModels models, const ServeOptions& options) : options_(options) {
  check(options_);
  service_ = std::make_unique<ApiService>(std::move(models), options_.api);
  HttpHandler* handler = service_.get();
  if (options_.faults) {
    faulty_ = std::make_unique<FaultyService>(*service_, *options_.faults);
    handler = faulty_.get();
  }
  http_ = std::make_unique<HttpServer>(options_.http, *handler);
}

Server::~Server() { stop(std::chrono::milliseconds(0)); }

std::string Server::url() const {
  const bool ipv6 = options_.http.host.find(':') != std::string::npos;
  const std::string host = ipv6 ? "[" + options_.http.host + "]" : options_.http.host;
  return fmt::format("http://{}:{}", host, port());
}

void Server::stop(std::chrono::milliseconds longest) {
  service_->close();
  if (!service_->wait_empty(longest)) service_->cancel_all();
  http_->stop();
}

}  // namespace tapir::serve
