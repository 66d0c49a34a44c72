// What processes that train together say to one another. No torch here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tapir::student {

// A rank's part of an array of `size` elements: contiguous, in the order of the ranks, of equal
// length up to one element.
struct Shard {
  std::int64_t first = 0;
  std::int64_t last = 0;  // one past the end
  std::int64_t size() const { return last - first; }
};
Shard shard_of(std::int64_t size, int rank, int ranks);

// Operations of a group of processes, in the words of c10d and NCCL. All ranks call the same
// operations in the same order with the same sizes; an operation returns when this rank's part is
// done. From one thread at a time, except check_peers().
//
// A rank that ends makes every operation of the others throw Error{data} that names it, as
// "rank 2 (pid 123) ended", or with the reason that it gave. The system closes the connections of a
// process as it ends, so that is seen at once by who waits for it; who computes asks by
// check_peers(). A process that is stopped (SIGSTOP) has not ended: the others wait for it.
class Collective {
 public:
  virtual ~Collective() = default;
  Collective() = default;
  Collective(const Collective&) = delete;
  Collective& operator=(const Collective&) = delete;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  // What every rank gave, by rank; on every rank. For small things.
  virtual std::vector<std::string> all_gather(std::string_view bytes) = 0;
  // values [size]: this rank's shard of it becomes the sum over the ranks, added in the order of
  // the ranks, whatever the order of arrival; what is left in the rest is not said.
  virtual void reduce_scatter(float* values, std::int64_t size) = 0;
  // values [size]: every rank's own shard goes to all others.
  virtual void all_gather(float* values, std::int64_t size) = 0;
  // The shards of an array of `size` elements of `width` bytes. On rank 0 they come together in
  // `whole` (size * width bytes); elsewhere it is not looked at.
  virtual void gather(const void* shard, std::int64_t size, std::size_t width, void* whole) = 0;

  // Throws when a rank has ended. Takes microseconds; from any thread.
  virtual void check_peers() = 0;
  // Tells the others why this rank ends; after it no other operation but the same again. The first
  // reason of the group is what all come to hear.
  virtual void fail(const std::string& why) noexcept = 0;

  bool is_first() const { return rank() == 0; }
  void barrier() { all_gather(std::string_view()); }
  // What rank 0 gives.
  std::string broadcast(std::string_view bytes) {
    return all_gather(is_first() ? bytes : std::string_view()).front();
  }
  std::int64_t broadcast(std::int64_t value) {
    return std::stoll(broadcast(std::to_string(value)));
  }
  // Whether any rank says so.
  bool any(bool mine);
};

// Stream sockets between this rank and another.
struct PeerSockets {
  int data = -1;
  int control = -1;  // silent until the peer fails
  std::int64_t pid = 0;
};

// The transport between processes of one machine: every rank has a connection to every other. Takes
// the sockets over. peers: by rank; the own place is empty but for the pid.
std::shared_ptr<Collective> make_socket_collective(int rank, std::vector<PeerSockets> peers);

}  // namespace tapir::student
