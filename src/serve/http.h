// Requests and replies of HTTP, free of any HTTP library.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tapir::serve {

struct HttpRequest {
  std::string method;                          // "GET", "HEAD", "POST", ...
  std::string path;                            // without the query
  std::map<std::string, std::string> headers;  // names in lower case; of repeated ones the first
  std::string body;

  // Empty when there is none.
  std::string header(const std::string& lower_case_name) const {
    const auto found = headers.find(lower_case_name);
    return found == headers.end() ? std::string() : found->second;
  }
};

// The one who asked.
class HttpPeer {
 public:
  virtual ~HttpPeer() = default;
  virtual bool gone() const = 0;  // has hung up: nobody reads the reply
};

// False: the client is gone, or does not read.
using BodyWriter = std::function<bool(std::string_view)>;

struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  // Instead of a body: writes all of it, piece by piece, on the connection's thread.
  std::function<void(const BodyWriter&)> stream;
  // Instead of all else: these bytes as they are, and then the connection is closed (a server that
  // breaks off, for tests).
  std::optional<std::string> raw;
};

// Called on the threads of connections, several at a time.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // Before the body is read. A reply ends the request.
  virtual std::optional<HttpReply> screen(const HttpRequest& head) = 0;
  // What it throws becomes a failure of status 500. `peer` holds until the reply has been written.
  virtual HttpReply answer(const HttpRequest& request, const HttpPeer& peer) = 0;
  // Of a request that cannot be read: too large, too slow, not HTTP.
  virtual HttpReply failure(int status, const std::string& message) = 0;
};

}  // namespace tapir::serve
