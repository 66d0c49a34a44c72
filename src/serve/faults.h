// Faults on purpose: what endpoints do wrong, at given rates and by seed, so that clients can be
// tested against them.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "serve/http.h"

namespace tapir::serve {

enum class Fault {
  throttle,  // 429 with Retry-After
  error,     // 500, 502 with an HTML page, 503
  cut,       // the connection is closed before or inside the reply
  slow,      // the reply comes in pieces over `slow_by`
  half,      // the first half of the JSON
  length,    // the first half of the answer, finish_reason length
  garble,    // the first half of the answer as if it were whole
};
inline constexpr std::array<std::string_view, 7> kFaultNames = {
    "throttle", "error", "cut", "slow", "half", "length", "garble"};

struct FaultOptions {
  std::uint64_t seed = 1;
  std::array<double, kFaultNames.size()>
      shares{};            // of requests for answers, in the order of Fault
  double retry_after = 1;  // seconds
  std::chrono::milliseconds slow_by{500};
  std::string garbled_model;  // answers of others are never garbled: `garble` is no fault there

  double& share(Fault fault) { return shares[static_cast<std::size_t>(fault)]; }
};

// Passes requests on to another handler, but for the faults. Which request meets which fault is
// drawn by (seed, request, how often this request has come before): not by the order of arrival.
// GET /metrics counts them, and how often requests came. Thread-safe.
class FaultyService final : public HttpHandler {
 public:
  // `inner` must outlive it. Error{usage}: shares that are no shares, or sum to more than 1.
  FaultyService(HttpHandler& inner, FaultOptions options);

  std::optional<HttpReply> screen(const HttpRequest& head) override { return inner_.screen(head); }
  HttpReply answer(const HttpRequest& request, const HttpPeer& peer) override;
  HttpReply failure(int status, const std::string& message) override {
    return inner_.failure(status, message);
  }

 private:
  struct Draw {
    std::optional<Fault> fault;
    RandomStream stream;  // for its details
  };
  Draw draw(const HttpRequest& request);
  HttpReply faulty(Draw& drawn, const HttpRequest& request, const HttpPeer& peer);
  HttpReply slowly(HttpReply reply) const;
  std::string metrics() const;

  HttpHandler& inner_;
  const FaultOptions options_;
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> sends_;  // by digest of the request
  std::uint64_t all_sends_ = 0;
  std::array<std::uint64_t, kFaultNames.size()> counts_{};
};

}  // namespace tapir::serve
