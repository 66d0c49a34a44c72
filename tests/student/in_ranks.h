// Ranks as threads of one process, over the sockets that processes have.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/process.h"
#include "student/collective.h"
#include "student/rendezvous.h"

namespace tapir::testing {

using RankBody = std::function<void(const std::shared_ptr<student::Collective>&)>;

// What each rank threw, by rank. A rank whose body ends without an exception leaves the group only
// with the others.
inline std::vector<std::exception_ptr> failures_in_ranks(int size, const RankBody& body) {
  student::RankPlace place;
  place.size = size;
  place.master_port = free_loopback_port();
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(size));
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([place, rank, &body, &failures]() mutable {
      place.rank = rank;
      try {
        body(student::join_ranks(place, {}, std::chrono::seconds(20)));
      } catch (...) {
        failures[static_cast<std::size_t>(rank)] = std::current_exception();
      }
    });
  }
  threads.clear();
  return failures;
}

inline void in_ranks(int size, const RankBody& body) {
  for (const std::exception_ptr& failure : failures_in_ranks(size, body)) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace tapir::testing
