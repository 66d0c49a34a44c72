#include "student/rendezvous.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "base/error.h"
#include "base/strings.h"

namespace tapir::student {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kLook{20};
constexpr int kMostRanks = 64;
constexpr std::uint32_t kMagic = 0x74617072;

enum class Kind : std::uint32_t { data, control };

// The first words on a connection.
struct Hello {
  std::uint32_t magic = kMagic;
  std::uint32_t rank = 0;
  Kind kind = Kind::data;
};

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorKind::data, what + ": " + std::strerror(errno));
}

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

Socket new_socket() {
  Socket made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (made.fd() < 0) fail("cannot make a socket");
  return made;
}

Socket listen_on_loopback(int& port) {
  Socket made = new_socket();
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(made.fd(), any, size) != 0 || ::listen(made.fd(), 2 * kMostRanks) != 0 ||
      ::getsockname(made.fd(), any, &size) != 0) {
    fail("cannot listen on 127.0.0.1");
  }
  port = ntohs(address.sin_port);
  return made;
}

void send_at_once(int socket) {
  const int yes = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

Socket connect_to(int port, const Hello& hello) {
  Socket made = new_socket();
  const sockaddr_in address = loopback(port);
  if (::connect(made.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::send(made.fd(), &hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello)) {
    fail(fmt::format("cannot reach a rank at 127.0.0.1:{}", port));
  }
  send_at_once(made.fd());
  return made;
}

int number(std::string_view text, const std::string& name, int least) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= least) return value;
  throw Error(ErrorKind::usage,
              fmt::format("{}: found \"{}\", expected a number from {}", name, text, least),
              "RANK and WORLD_SIZE are torchrun's; unset them to train in one process");
}

struct Met {
  int port = 0;
  std::int64_t pid = 0;
};

class Meeting {
 public:
  Meeting(const RankPlace& place, const std::function<void()>& waiting, std::chrono::seconds time)
      : place_(place), waiting_(waiting), end_(Clock::now() + time), store_(open_store(time)) {}

  std::vector<PeerSockets> connect();

 private:
  c10::intrusive_ptr<c10d::TCPStore> open_store(std::chrono::seconds time) const;
  std::string key(int rank) const { return fmt::format("tapir/{}/{}", place_.group, rank); }
  std::vector<Met> meet(int port);
  bool came(int rank);
  void accept_one(int listening, std::vector<PeerSockets>& peers);
  void wait_a_little(std::string_view for_whom) const;

  const RankPlace& place_;
  const std::function<void()>& waiting_;
  const Clock::time_point end_;
  const c10::intrusive_ptr<c10d::TCPStore> store_;
};

c10::intrusive_ptr<c10d::TCPStore> Meeting::open_store(std::chrono::seconds time) const {
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(place_.master_port);
  options.isServer = place_.rank == 0 && !place_.store_is_up;
  options.waitWorkers = false;
  options.timeout = time;
  try {
    return c10::make_intrusive<c10d::TCPStore>(place_.master_addr, options);
  } catch (const std::exception& e) {
    const std::string text = e.what();
    throw Error(
        ErrorKind::data,
        fmt::format("rank {}: no store at {}:{} (MASTER_ADDR, MASTER_PORT): {}", place_.rank,
                    place_.master_addr, place_.master_port, text.substr(0, text.find('\n'))),
        "rank 0 holds it, or torchrun: has it been started, and is the port free?");
  }
}

bool Meeting::came(int rank) {
  try {
    return store_->check({key(rank)});
  } catch (const std::exception&) {
    throw Error(ErrorKind::data,
                fmt::format("rank 0 ended before rank {} had come; all ranks end with it", rank));
  }
}

void Meeting::wait_a_little(std::string_view for_whom) const {
  if (waiting_) waiting_();
  if (Clock::now() >= end_) {
    throw Error(ErrorKind::data,
                fmt::format("rank {} waited in vain for {} of {} ranks", place_.rank, for_whom,
                            place_.size),
                "all ranks have to be started with the same command");
  }
  std::this_thread::sleep_for(kLook);
}

std::vector<Met> Meeting::meet(int port) {
  const std::string mine = fmt::format("{} {}", port, ::getpid());
  store_->set(key(place_.rank), std::vector<std::uint8_t>(mine.begin(), mine.end()));
  std::vector<Met> all;
  for (int rank = 0; rank < place_.size; ++rank) {
    while (!came(rank)) wait_a_little("rank " + std::to_string(rank));
    const std::vector<std::uint8_t> found = store_->get(key(rank));
    const std::vector<std::string> parts =
        split_whitespace(std::string(found.begin(), found.end()));
    if (parts.size() != 2) throw Error(ErrorKind::data, "another program uses this store");
    all.push_back({number(parts[0], "port", 1), number(parts[1], "pid", 1)});
  }
  return all;
}

void Meeting::accept_one(int listening, std::vector<PeerSockets>& peers) {
  pollfd waiting{listening, POLLIN, 0};
  while (::poll(&waiting, 1, 0) <= 0) wait_a_little("the connections");
  Socket made(::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC));
  if (made.fd() < 0) return;
  const timeval patience{5, 0};
  ::setsockopt(made.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  Hello hello;
  if (::recv(made.fd(), &hello, sizeof(hello), MSG_WAITALL) != sizeof(hello)) return;
  // Anybody on this machine may knock.
  if (hello.magic != kMagic || hello.rank >= peers.size()) return;
  PeerSockets& peer = peers[hello.rank];
  int& place = hello.kind == Kind::data ? peer.data : peer.control;
  if (place >= 0) return;
  send_at_once(made.fd());
  place = made.release();
}

// Each connects to those before it and is called by those after it.
std::vector<PeerSockets> Meeting::connect() {
  int port = 0;
  const Socket listening = listen_on_loopback(port);
  const std::vector<Met> met = meet(port);
  std::vector<PeerSockets> peers(met.size());
  for (std::size_t rank = 0; rank < met.size(); ++rank) peers[rank].pid = met[rank].pid;
  try {
    Hello hello;
    hello.rank = static_cast<std::uint32_t>(place_.rank);
    for (std::size_t rank = 0; rank < hello.rank; ++rank) {
      hello.kind = Kind::data;
      peers[rank].data = connect_to(met[rank].port, hello).release();
      hello.kind = Kind::control;
      peers[rank].control = connect_to(met[rank].port, hello).release();
    }
    for (std::size_t rank = hello.rank + 1; rank < peers.size(); ++rank) {
      while (peers[rank].data < 0 || peers[rank].control < 0) accept_one(listening.fd(), peers);
    }
  } catch (...) {
    make_socket_collective(place_.rank, std::move(peers));  // closes them
    throw;
  }
  return peers;
}

}  // namespace

std::optional<RankPlace> place_of_environment(
    const std::function<const char*(const char*)>& value) {
  const auto text = [&](const char* name) {
    const char* found = value(name);
    return std::string(found == nullptr ? "" : found);
  };
  if (text("RANK").empty() || text("WORLD_SIZE").empty()) return std::nullopt;
  RankPlace place;
  place.size = number(text("WORLD_SIZE"), "WORLD_SIZE", 1);
  place.rank = number(text("RANK"), "RANK", 0);
  if (place.size == 1) return std::nullopt;
  if (place.rank >= place.size || place.size > kMostRanks) {
    throw Error(ErrorKind::usage, fmt::format("RANK: found {} of WORLD_SIZE {}, expected 0 to {}",
                                              place.rank, place.size, place.size - 1));
  }
  if (!text("LOCAL_WORLD_SIZE").empty() &&
      number(text("LOCAL_WORLD_SIZE"), "LOCAL_WORLD_SIZE", 1) != place.size) {
    throw Error(ErrorKind::usage,
                fmt::format("LOCAL_WORLD_SIZE: found {}, expected {}: all ranks on one machine",
                            text("LOCAL_WORLD_SIZE"), place.size),
                "torchrun --nnodes 1; training over several machines is the other engines' ground");
  }
  if (!text("MASTER_ADDR").empty()) place.master_addr = text("MASTER_ADDR");
  place.master_port = number(text("MASTER_PORT"), "MASTER_PORT", 1);
  place.store_is_up = text("TORCHELASTIC_USE_AGENT_STORE") == "True";
  place.group = text("TORCHELASTIC_RUN_ID") + "/" + text("TORCHELASTIC_RESTART_COUNT");
  return place;
}

std::shared_ptr<Collective> join_ranks(const RankPlace& place, const std::function<void()>& waiting,
                                       std::chrono::seconds time) {
  Meeting meeting(place, waiting, time);
  std::shared_ptr<Collective> ranks = make_socket_collective(place.rank, meeting.connect());
  ranks->barrier();  // the store may go now
  return ranks;
}

}  // namespace tapir::student
