// An HTTP server for tests that does what a script says: any bytes, late, slowly, or half.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/strings.h"

namespace tapir::testing {

struct StubRequest {
  std::string method;
  std::string path;
  std::map<std::string, std::string> headers;  // lower case
  std::string body;
  int number = 0;  // from 1, over all connections

  Json json() const { return Json::parse(body); }
};

struct StubReply {
  std::string bytes;  // the whole reply, as it goes over the wire
  std::chrono::milliseconds wait{0};
  bool close = false;  // after the bytes
};

// A reply with a length.
inline StubReply http_reply(int status, const std::string& body, const std::string& headers = "") {
  return {"HTTP/1.1 " + std::to_string(status) +
          " Word\r\nContent-Type: application/json\r\nContent-Length: " +
          std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body};
}

inline std::string answer_json(const std::string& text, const std::string& reason = "stop") {
  return Json{
      {"choices",
       {{{"message", {{"role", "assistant"}, {"content", text}}}, {"finish_reason", reason}}}},
      {"usage", {{"prompt_tokens", 7}, {"completion_tokens", 3}}}}
      .dump();
}

inline std::string error_json(const std::string& message, const std::string& code = "") {
  return Json{{"error", {{"message", message}, {"type", "some_error"}, {"code", code}}}}.dump();
}

// A thread for every connection. The script runs on several threads at once.
class StubServer {
 public:
  using Script = std::function<StubReply(const StubRequest&)>;

  explicit StubServer(Script script, int port = 0) : script_(std::move(script)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 1024);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~StubServer() {
    ending_ = true;
    acceptor_.join();
    ::close(listener_);
    for (std::thread& thread : threads_) thread.join();
  }
  StubServer(const StubServer&) = delete;
  StubServer& operator=(const StubServer&) = delete;

  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
  int requests() const { return requests_; }
  int connections() const { return connections_; }
  int most_at_once() const { return most_at_once_; }

 private:
  // Looks at the end of the server now and then.
  bool readable(int socket) const {
    while (!ending_) {
      pollfd polled{socket, POLLIN, 0};
      if (::poll(&polled, 1, 20) > 0) return true;
    }
    return false;
  }

  void accept_all() {
    while (readable(listener_)) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) continue;
      ++connections_;
      threads_.emplace_back([this, socket] {
        serve(socket);
        ::close(socket);
      });
    }
  }

  void serve(int socket) {
    std::string received;
    StubRequest request;
    while (read_request(socket, received, request)) {
      request.number = ++requests_;
      const int now = ++at_once_;
      for (int most = most_at_once_;
           now > most && !most_at_once_.compare_exchange_weak(most, now);) {
      }
      const StubReply reply = script_(request);
      for (auto waited = std::chrono::milliseconds(0); waited < reply.wait && !ending_;
           waited += std::chrono::milliseconds(5)) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
      --at_once_;
      if (!send_all(socket, reply.bytes) || reply.close) return;
    }
  }

  bool read_request(int socket, std::string& received, StubRequest& request) const {
    std::size_t end = 0;
    while ((end = received.find("\r\n\r\n")) == std::string::npos) {
      if (!receive(socket, received)) return false;
    }
    request = {};
    const std::vector<std::string> lines = split(received.substr(0, end), '\n');
    const std::vector<std::string> first = split_whitespace(lines[0]);
    request.method = first.at(0);
    request.path = first.at(1);
    for (std::size_t i = 1; i < lines.size(); ++i) {
      const auto colon = lines[i].find(':');
      request.headers[lower_ascii(lines[i].substr(0, colon))] = trim(lines[i].substr(colon + 1));
    }
    received.erase(0, end + 4);
    const auto length = request.headers.find("content-length");
    const std::size_t size = length == request.headers.end() ? 0 : std::stoul(length->second);
    while (received.size() < size) {
      if (!receive(socket, received)) return false;
    }
    request.body = received.substr(0, size);
    received.erase(0, size);
    return true;
  }

  bool receive(int socket, std::string& received) const {
    if (!readable(socket)) return false;
    char buffer[65536];
    const ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
    if (got > 0) received.append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }

  static bool send_all(int socket, std::string_view data) {
    while (!data.empty()) {
      const ssize_t sent = ::send(socket, data.data(), data.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      data.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  const Script script_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> ending_{false};
  std::atomic<int> requests_{0}, connections_{0}, at_once_{0}, most_at_once_{0};
  std::thread acceptor_;
  std::vector<std::thread> threads_;  // of the acceptor's
};

}  // namespace tapir::testing
