// A client of HTTP that can do everything wrong.
#pragma once

#include <chrono>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/strings.h"

namespace tapir::testing {

struct RawReply {
  int status = 0;                              // 0: the server closed without a word
  std::map<std::string, std::string> headers;  // lower case
  std::string body;                            // chunks put together

  Json json() const { return Json::parse(body, nullptr, /*allow_exceptions=*/false); }
  // Of an error body.
  std::string error() const { return json().at("error").at("message").get<std::string>(); }
  // The values of "data: " lines.
  std::vector<std::string> events() const {
    std::vector<std::string> all;
    for (const std::string& line : split(body, '\n')) {
      if (line.starts_with("data: ")) all.push_back(line.substr(6));
    }
    return all;
  }
};

class RawClient {
 public:
  explicit RawClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ =
        ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { hang_up(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  void hang_up() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  bool send(std::string_view data) {
    while (!data.empty()) {
      const ssize_t sent = ::send(socket_, data.data(), data.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      data.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // One byte after the other.
  bool drip(std::string_view data, std::chrono::milliseconds pause) {
    for (const char c : data) {
      if (!send({&c, 1})) return false;
      std::this_thread::sleep_for(pause);
    }
    return true;
  }

  // False: nothing more within `longest`, or the end.
  bool receive(std::chrono::milliseconds longest = std::chrono::seconds(20)) {
    pollfd polled{socket_, POLLIN, 0};
    if (::poll(&polled, 1, static_cast<int>(longest.count())) <= 0) return false;
    char buffer[65536];
    const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    received_.append(buffer, static_cast<std::size_t>(got));
    return true;
  }
  const std::string& received() const { return received_; }
  bool closed_by_server() {
    while (receive(std::chrono::seconds(10))) {
    }
    char byte = 0;
    return ::recv(socket_, &byte, 1, MSG_DONTWAIT) <= 0 && errno != EAGAIN;
  }

  // The next reply of the connection.
  RawReply read_reply() {
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return {};
    }
    RawReply reply;
    const std::vector<std::string> lines = split(received_.substr(0, end), '\n');
    reply.status = std::atoi(lines[0].substr(lines[0].find(' ')).c_str());
    for (std::size_t i = 1; i < lines.size(); ++i) {
      const auto colon = lines[i].find(':');
      reply.headers[lower_ascii(lines[i].substr(0, colon))] = trim(lines[i].substr(colon + 1));
    }
    received_.erase(0, end + 4);
    if (reply.status == 100) return read_reply();
    if (reply.headers.contains("content-length")) {
      reply.body = take(std::stoul(reply.headers["content-length"]));
    } else if (reply.headers["transfer-encoding"] == "chunked") {
      reply.body = take_chunks();
    }
    return reply;
  }

 private:
  std::string take(std::size_t size) {
    while (received_.size() < size && receive()) {
    }
    std::string taken = received_.substr(0, size);
    received_.erase(0, size);
    return taken;
  }
  std::string take_chunks() {
    std::string all;
    while (true) {
      while (received_.find("\r\n") == std::string::npos) {
        if (!receive()) return all;
      }
      const std::size_t size = std::stoul(received_, nullptr, 16);
      take(received_.find("\r\n") + 2);
      all += take(size);
      take(2);
      if (size == 0) return all;
    }
  }

  int socket_;
  bool connected_ = false;
  std::string received_;
};

inline std::string get(const std::string& path, const std::string& headers = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
}
inline std::string post(const std::string& path, const std::string& body,
                        const std::string& headers = "") {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
         headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline RawReply talk(int port, const std::string& request) {
  RawClient client(port);
  client.send(request);
  return client.read_reply();
}

}  // namespace tapir::testing
