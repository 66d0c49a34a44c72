// HTTP transfers, hundreds at a time, on the thread of whoever runs the loop: libcurl's multi
// interface over epoll. HTTP/2 where a TLS server offers it; connections are kept and used again.
// libcurl stays in the .cpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tapir::llm {

struct HttpDeadlines {
  std::chrono::milliseconds connect{10'000};      // name, TCP and TLS
  std::chrono::milliseconds first_byte{300'000};  // of the reply, from the start
  std::chrono::milliseconds total{600'000};       // from the start to the reply's last byte
};

struct HttpCall {
  bool post = true;                  // else GET
  std::string url;                   // http or https, without credentials
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
  HttpDeadlines deadlines;
};

enum class HttpEnd {
  complete,         // status, headers and the whole body are there
  not_connected,    // refused, no such host, no connection in time: nothing was sent
  bad_certificate,  // the server cannot prove who it is: nothing was sent
  cut,              // closed or reset before the reply was whole
  late,             // the first-byte or total deadline passed
  too_large,        // a body above 64 MiB
  cancelled,
};

struct HttpOutcome {
  HttpEnd end = HttpEnd::complete;
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string error;  // in words, when it is not complete
  bool sent = false;  // the request, or a part of it, has left this machine
  double seconds = 0;

  // Empty when there is none.
  std::string header(const std::string& lower_case_name) const {
    const auto found = headers.find(lower_case_name);
    return found == headers.end() ? std::string() : found->second;
  }
};

// Used by one thread, but for wake(). A request is never sent a second time unasked: a kept
// connection that turns out to be closed after the request went out ends as `cut`. Redirects are
// not followed. Loopback addresses are never asked through a proxy; for others http_proxy,
// https_proxy and no_proxy hold as usual. Certificates are checked against the system's
// authorities, or those of the file that SSL_CERT_FILE names.
class HttpLoop {
 public:
  using Done = std::function<void(HttpOutcome)>;

  HttpLoop();
  ~HttpLoop();  // drops what is in flight; `done` is not called
  HttpLoop(const HttpLoop&) = delete;
  HttpLoop& operator=(const HttpLoop&) = delete;

  // done: exactly once, inside a later run_once(); it may start further calls.
  std::uint64_t start(HttpCall call, Done done);
  // The transfer ends at this moment at the latest, as `cancelled`. Nothing happens when it has
  // ended.
  void end_by(std::uint64_t id, std::chrono::steady_clock::time_point moment);
  std::size_t in_flight() const;

  // Waits for something to do, at most so long, and does it.
  void run_once(std::chrono::milliseconds longest);
  void wake();  // any thread: the waiting of run_once() ends

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tapir::llm
