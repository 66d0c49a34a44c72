// An OpenAI-compatible endpoint that costs next to nothing: one thread, the same answer to every
// POST. Prints its port; ends with its standard input.
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <unordered_map>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

std::string reply_text() {
  std::string answer;
  for (int i = 0; i < 60; ++i) answer += "an answer of some words ";
  const std::string body =
      R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"stub","choices":[{"index":0,)"
      R"("message":{"role":"assistant","content":")" +
      answer +
      R"("},"finish_reason":"stop"}],"usage":{"prompt_tokens":400,"completion_tokens":300,"total_tokens":700}})";
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Bytes of a whole request at the start of `received`; 0 when there is none yet.
std::size_t whole_request(std::string_view received) {
  const std::size_t head = received.find("\r\n\r\n");
  if (head == std::string_view::npos) return 0;
  std::size_t body = 0;
  for (const std::string_view name : {"Content-Length: ", "content-length: "}) {
    const std::size_t at = received.substr(0, head).find(name);
    if (at == std::string_view::npos) continue;
    std::from_chars(received.data() + at + name.size(), received.data() + head, body);
  }
  return received.size() >= head + 4 + body ? head + 4 + body : 0;
}

int listen_anywhere() {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::listen(listener, 1024);
  socklen_t size = sizeof address;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return listener;
}

void watch(int epoll, int file) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = file;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event);
}

// False: the connection is over.
bool serve(int socket, std::string& received, const std::string& reply) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), 0);
  if (got <= 0) return false;
  received.append(buffer.data(), static_cast<std::size_t>(got));
  while (const std::size_t size = whole_request(received)) {
    received.erase(0, size);
    if (::send(socket, reply.data(), reply.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(reply.size())) {
      return false;
    }
  }
  return true;
}

}  // namespace

int main() {
  const std::string reply = reply_text();
  const int listener = listen_anywhere();
  const int epoll = ::epoll_create1(0);
  watch(epoll, listener);
  watch(epoll, STDIN_FILENO);
  std::unordered_map<int, std::string> received;  // by connection
  while (true) {
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int file = events[static_cast<std::size_t>(i)].data.fd;
      if (file == STDIN_FILENO) return 0;
      if (file == listener) {
        const int socket = ::accept(listener, nullptr, nullptr);
        const int yes = 1;
        ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        watch(epoll, socket);
        continue;
      }
      if (serve(file, received[file], reply)) continue;
      received.erase(file);
      ::close(file);
    }
  }
}
