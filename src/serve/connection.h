// A client's socket: buffered reading with one deadline for a whole request, writing that gives up
// on a client that does not read.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <string_view>

#include "serve/http.h"

namespace tapir::serve {

struct ConnectionLimits {
  std::chrono::milliseconds idle{60'000};     // between two requests
  std::chrono::milliseconds request{30'000};  // from a request's first byte to its last
  std::chrono::milliseconds stall{30'000};    // a write that makes no progress
  std::size_t request_bytes = 0;              // head and body together
};

// One thread works with it; shut_down() may be called by any.
class Connection final : public HttpPeer {
 public:
  Connection(int socket, const ConnectionLimits& limits);  // takes the socket over
  ~Connection() override;                                  // closes it
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Waits for the first byte of a request. False: closed, idle for too long, or shut down.
  bool await_request();
  // Bytes read, at least 1; 0 at the end of the stream; -1 when time or bytes of the request are
  // used up.
  std::ptrdiff_t read(char* data, std::size_t size);
  bool write(std::string_view data);  // all of it, or false
  bool gone() const override;

  bool timed_out() const { return timed_out_; }      // the request's time is used up
  bool too_large() const { return too_large_; }      // the request's bytes are used up
  void close_after_reply() { close_after_ = true; }  // what is left of the request is not read
  bool closes_after_reply() const { return close_after_; }
  // Reads and forgets for a moment what the client still sends, so that it sees the reply instead
  // of a reset.
  void linger();
  void shut_down();  // every wait ends soon
  int socket() const { return socket_; }

 private:
  using Clock = std::chrono::steady_clock;
  enum class Ready { yes, no, late };
  Ready wait(short events, Clock::time_point deadline) const;
  bool fill(Clock::time_point deadline);

  const int socket_;
  const ConnectionLimits limits_;
  std::atomic<bool> shut_{false};
  std::array<char, 16384> buffer_{};
  std::size_t begin_ = 0, end_ = 0;  // what was received and not yet read
  std::size_t read_bytes_ = 0;       // of this request
  Clock::time_point deadline_;
  bool timed_out_ = false;
  bool too_large_ = false;
  bool close_after_ = false;
};

}  // namespace tapir::serve
