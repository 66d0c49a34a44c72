#include "serve/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tapir::serve {
namespace {

constexpr std::chrono::milliseconds kLingerTime{1000};
constexpr std::size_t kLingerBytes = 64UL << 20;

}  // namespace

Connection::Connection(int socket, const ConnectionLimits& limits)
    : socket_(socket), limits_(limits) {}

Connection::~Connection() { ::close(socket_); }

void Connection::shut_down() {
  shut_ = true;
  ::shutdown(socket_, SHUT_RDWR);
}

Connection::Ready Connection::wait(short events, Clock::time_point deadline) const {
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return Ready::late;
    pollfd polled{socket_, events, 0};
    const int ready = ::poll(&polled, 1, static_cast<int>(std::min<long>(left, 60'000)));
    if (ready > 0) return Ready::yes;
    if (ready < 0 && errno != EINTR) return Ready::no;
  }
}

// Receives more. False: the end of the stream, an error, or the deadline.
bool Connection::fill(Clock::time_point deadline) {
  while (true) {
    const Ready ready = wait(POLLIN, deadline);
    timed_out_ = ready == Ready::late;
    if (ready != Ready::yes) return false;
    const ssize_t got = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got > 0) {
      begin_ = 0;
      end_ = static_cast<std::size_t>(got);
      return true;
    }
    if (got == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) return false;
  }
}

bool Connection::await_request() {
  if (shut_ || (begin_ == end_ && !fill(Clock::now() + limits_.idle))) return false;
  deadline_ = Clock::now() + limits_.request;
  read_bytes_ = 0;
  timed_out_ = too_large_ = false;
  return true;
}

std::ptrdiff_t Connection::read(char* data, std::size_t size) {
  if (read_bytes_ >= limits_.request_bytes) too_large_ = true;
  if (too_large_ || timed_out_) return -1;
  if (begin_ == end_ && !fill(deadline_)) return timed_out_ ? -1 : 0;
  const std::size_t count = std::min({size, end_ - begin_, limits_.request_bytes - read_bytes_});
  std::memcpy(data, buffer_.data() + begin_, count);
  begin_ += count;
  read_bytes_ += count;
  return static_cast<std::ptrdiff_t>(count);
}

bool Connection::write(std::string_view data) {
  auto deadline = Clock::now() + limits_.stall;
  while (!data.empty()) {
    const ssize_t sent = ::send(socket_, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      data.remove_prefix(static_cast<std::size_t>(sent));
      deadline = Clock::now() + limits_.stall;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (wait(POLLOUT, deadline) != Ready::yes) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool Connection::gone() const {
  if (shut_) return true;
  if (begin_ != end_) return false;  // it has even sent its next request
  char byte = 0;
  const ssize_t got = ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void Connection::linger() {
  ::shutdown(socket_, SHUT_WR);
  const auto deadline = Clock::now() + kLingerTime;
  std::size_t read = 0;
  while (!shut_ && read < kLingerBytes && fill(deadline)) read += end_;
}

}  // namespace tapir::serve
