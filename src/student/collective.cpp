#include "student/collective.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

namespace tapir::student {
namespace {

constexpr std::int64_t kFloatsAtOnce = 1 << 18;  // of a shard, so that buffers stay small
constexpr int kLastWords = 2000;                 // milliseconds for a peer's reason to come
constexpr std::size_t kLongestReason = 4096;

// What goes to a peer, and what comes from it.
struct Transfer {
  const char* out = nullptr;
  std::size_t to_send = 0;
  char* in = nullptr;
  std::size_t to_receive = 0;
  bool done() const { return to_send == 0 && to_receive == 0; }
};

template <typename T>
void set_out(Transfer& transfer, const T* data, std::int64_t count) {
  transfer.out = reinterpret_cast<const char*>(data);
  transfer.to_send = static_cast<std::size_t>(count) * sizeof(T);
}

template <typename T>
void set_in(Transfer& transfer, T* data, std::int64_t count) {
  transfer.in = reinterpret_cast<char*>(data);
  transfer.to_receive = static_cast<std::size_t>(count) * sizeof(T);
}

Shard piece_of(const Shard& shard, std::int64_t from) {
  const std::int64_t first = std::min(shard.first + from, shard.last);
  return {first, std::min(first + kFloatsAtOnce, shard.last)};
}

class SocketCollective final : public Collective {
 public:
  SocketCollective(int rank, std::vector<PeerSockets> peers)
      : rank_(rank), peers_(std::move(peers)) {}
  ~SocketCollective() override {
    for (const PeerSockets& peer : peers_) {
      if (peer.data >= 0) ::close(peer.data);
      if (peer.control >= 0) ::close(peer.control);
    }
  }

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(peers_.size()); }

  std::vector<std::string> all_gather(std::string_view bytes) override;
  void reduce_scatter(float* values, std::int64_t size) override;
  void all_gather(float* values, std::int64_t size) override;
  void gather(const void* shard, std::int64_t size, std::size_t width, void* whole) override;
  void check_peers() override;
  void fail(const std::string& why) noexcept override;

 private:
  using Transfers = std::vector<Transfer>;  // by rank

  Shard shard(std::int64_t size, int rank) const { return shard_of(size, rank, this->size()); }
  // All transfers side by side, so that no two ranks wait for each other.
  void exchange(Transfers transfers);
  void move_some(std::size_t peer, Transfer& transfer, short ready);
  [[noreturn]] void lost(std::size_t peer);
  std::string last_words(std::size_t peer) const;
  std::string name_of(std::size_t peer) const {
    return fmt::format("rank {} (pid {})", peer, peers_[peer].pid);
  }
  template <typename Body>
  void for_each_peer(const Body& body) {
    for (std::size_t peer = 0; peer < peers_.size(); ++peer) {
      if (static_cast<int>(peer) != rank_) body(peer);
    }
  }

  const int rank_;
  const std::vector<PeerSockets> peers_;
  std::mutex mutex_;
  std::string reason_;  // why the group has come to its end; empty: it has not
};

std::string SocketCollective::last_words(std::size_t peer) const {
  std::string words;
  std::array<char, 512> block{};
  while (words.size() < kLongestReason) {
    pollfd waiting{peers_[peer].control, POLLIN, 0};
    if (::poll(&waiting, 1, kLastWords) <= 0) break;
    const ssize_t got = ::recv(peers_[peer].control, block.data(), block.size(), MSG_DONTWAIT);
    if (got <= 0) break;
    words.append(block.data(), static_cast<std::size_t>(got));
  }
  return words;
}

void SocketCollective::lost(std::size_t peer) {
  const std::lock_guard lock(mutex_);
  if (reason_.empty()) {
    reason_ = last_words(peer);
    if (reason_.empty()) reason_ = name_of(peer) + " ended";
  }
  throw Error(ErrorKind::data, reason_ + "; all ranks of this training end with it",
              "the same command goes on from the last checkpoint");
}

void SocketCollective::check_peers() {
  std::vector<pollfd> controls;
  std::vector<std::size_t> owners;
  for_each_peer([&](std::size_t peer) {
    controls.push_back({peers_[peer].control, POLLIN | POLLRDHUP, 0});
    owners.push_back(peer);
  });
  if (::poll(controls.data(), controls.size(), 0) <= 0) return;
  for (std::size_t i = 0; i < controls.size(); ++i) {
    if (controls[i].revents != 0) lost(owners[i]);
  }
}

void SocketCollective::fail(const std::string& why) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (reason_.empty()) reason_ = name_of(static_cast<std::size_t>(rank_)) + ": " + why;
    const std::string text = reason_.substr(0, kLongestReason);
    for_each_peer([&](std::size_t peer) {
      (void)::send(peers_[peer].control, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      ::shutdown(peers_[peer].control, SHUT_WR);
      ::shutdown(peers_[peer].data, SHUT_RDWR);
    });
  } catch (...) {
    // The others see this process end all the same.
  }
}

void SocketCollective::move_some(std::size_t peer, Transfer& transfer, short ready) {
  const int socket = peers_[peer].data;
  const auto failed = [&](ssize_t moved) {
    return moved < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
  };
  if (transfer.to_send > 0 && (ready & (POLLOUT | POLLERR | POLLHUP)) != 0) {
    const ssize_t sent =
        ::send(socket, transfer.out, transfer.to_send, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (failed(sent)) lost(peer);
    if (sent > 0) {
      transfer.out += sent;
      transfer.to_send -= static_cast<std::size_t>(sent);
    }
  }
  if (transfer.to_receive > 0 && (ready & (POLLIN | POLLERR | POLLHUP)) != 0) {
    const ssize_t got = ::recv(socket, transfer.in, transfer.to_receive, MSG_DONTWAIT);
    if (got == 0 || failed(got)) lost(peer);
    if (got > 0) {
      transfer.in += got;
      transfer.to_receive -= static_cast<std::size_t>(got);
    }
  }
}

void SocketCollective::exchange(Transfers transfers) {
  std::vector<pollfd> sockets;
  std::vector<std::size_t> owners;
  for (;;) {
    sockets.clear();
    owners.clear();
    for_each_peer([&](std::size_t peer) {
      const Transfer& transfer = transfers[peer];
      if (transfer.done()) return;
      const int wanted =
          (transfer.to_send > 0 ? POLLOUT : 0) | (transfer.to_receive > 0 ? POLLIN : 0);
      sockets.push_back({peers_[peer].data, static_cast<short>(wanted), 0});
      owners.push_back(peer);
    });
    if (sockets.empty()) return;
    if (::poll(sockets.data(), sockets.size(), -1) < 0 && errno != EINTR) {
      throw Error(ErrorKind::data, std::string("poll: ") + std::strerror(errno));
    }
    for (std::size_t i = 0; i < sockets.size(); ++i) {
      if (sockets[i].revents != 0) move_some(owners[i], transfers[owners[i]], sockets[i].revents);
    }
  }
}

std::vector<std::string> SocketCollective::all_gather(std::string_view bytes) {
  const auto mine = static_cast<std::uint64_t>(bytes.size());
  std::vector<std::uint64_t> lengths(peers_.size(), mine);
  Transfers transfers(peers_.size());
  for_each_peer([&](std::size_t peer) {
    set_out(transfers[peer], &mine, 1);
    set_in(transfers[peer], &lengths[peer], 1);
  });
  exchange(transfers);
  std::vector<std::string> all(peers_.size());
  for_each_peer([&](std::size_t peer) {
    all[peer].resize(lengths[peer]);
    set_out(transfers[peer], bytes.data(), static_cast<std::int64_t>(bytes.size()));
    set_in(transfers[peer], all[peer].data(), static_cast<std::int64_t>(all[peer].size()));
  });
  exchange(transfers);
  all[static_cast<std::size_t>(rank_)] = bytes;
  return all;
}

void SocketCollective::reduce_scatter(float* values, std::int64_t size) {
  const Shard own = shard(size, rank_);
  const std::int64_t longest = shard(size, 0).size();
  std::vector<std::vector<float>> theirs(peers_.size());
  for (std::int64_t at = 0; at < longest; at += kFloatsAtOnce) {
    const Shard mine = piece_of(own, at);
    Transfers transfers(peers_.size());
    for_each_peer([&](std::size_t peer) {
      const Shard piece = piece_of(shard(size, static_cast<int>(peer)), at);
      theirs[peer].resize(static_cast<std::size_t>(mine.size()));
      set_out(transfers[peer], values + piece.first, piece.size());
      set_in(transfers[peer], theirs[peer].data(), mine.size());
    });
    exchange(transfers);
    theirs[static_cast<std::size_t>(rank_)].assign(values + mine.first, values + mine.last);
    std::copy(theirs[0].begin(), theirs[0].end(), values + mine.first);
    for (std::size_t other = 1; other < theirs.size(); ++other) {
      for (std::size_t i = 0; i < theirs[other].size(); ++i) {
        values[static_cast<std::size_t>(mine.first) + i] += theirs[other][i];
      }
    }
  }
}

void SocketCollective::all_gather(float* values, std::int64_t size) {
  const Shard own = shard(size, rank_);
  Transfers transfers(peers_.size());
  for_each_peer([&](std::size_t peer) {
    const Shard theirs = shard(size, static_cast<int>(peer));
    set_out(transfers[peer], values + own.first, own.size());
    set_in(transfers[peer], values + theirs.first, theirs.size());
  });
  exchange(transfers);
}

void SocketCollective::gather(const void* mine, std::int64_t size, std::size_t width, void* whole) {
  const auto bytes = [&](std::int64_t count) { return count * static_cast<std::int64_t>(width); };
  const Shard own = shard(size, rank_);
  Transfers transfers(peers_.size());
  if (rank_ != 0) {
    set_out(transfers[0], static_cast<const char*>(mine), bytes(own.size()));
  } else {
    auto* out = static_cast<char*>(whole);
    if (own.size() > 0) std::memcpy(out, mine, static_cast<std::size_t>(bytes(own.size())));
    for_each_peer([&](std::size_t peer) {
      const Shard theirs = shard(size, static_cast<int>(peer));
      set_in(transfers[peer], out + bytes(theirs.first), bytes(theirs.size()));
    });
  }
  exchange(transfers);
}

}  // namespace

Shard shard_of(std::int64_t size, int rank, int ranks) {
  const std::int64_t each = size / ranks;
  const std::int64_t longer = size % ranks;  // the first ones have one more
  const std::int64_t first = rank * each + std::min<std::int64_t>(rank, longer);
  return {first, first + each + (rank < longer ? 1 : 0)};
}

bool Collective::any(bool mine) {
  const std::vector<std::string> all = all_gather(std::string_view(mine ? "1" : "0"));
  return std::find(all.begin(), all.end(), "1") != all.end();
}

std::shared_ptr<Collective> make_socket_collective(int rank, std::vector<PeerSockets> peers) {
  return std::make_shared<SocketCollective>(rank, std::move(peers));
}

}  // namespace tapir::student
