// A model behind OpenAI-compatible endpoints.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "llm/chat_model.h"
#include "llm/endpoint_address.h"
#include "llm/endpoint_pool.h"
#include "llm/http_loop.h"

namespace tapir::llm {

// What changes replies, besides the requests: all of it enters the identity.
struct OpenAiOptions {
  std::string model;
  std::string revision;    // free text: changed when another model answers to the same name
  std::string extra_body;  // JSON object merged into every request's body (check_extra_body())
};

// The same however the replies come: over the network, or by a batch.
ModelIdentity identity_of(const OpenAiOptions& options);

// What changes speed only. The addresses do as well: all of them are taken to be the same model.
struct OpenAiTransport {
  std::vector<EndpointAddress> endpoints;
  HttpDeadlines deadlines;
  PoolOptions pool;
  std::chrono::milliseconds drain{30'000};  // for requests in flight after a stop
  // When the first so many requests of a stage all fail for good (cut, filtered, refused), nothing
  // more is sent: what they have in common is to be mended before the rest is paid for. 0: off.
  int first_failures = 32;
  std::set<std::string> answered_stages;  // not there: earlier sittings had answers
  // Told in one line, for whoever watches: an endpoint is set aside, works again, is not asked any
  // more, or asks to wait for long. On the I/O thread: must not block. May be empty.
  std::function<void(const std::string&)> notice;
};

// One I/O thread keeps hundreds of requests in flight. submit() never blocks: put LimitedModel
// around it. Every outcome is one of Failure's kinds: see docs/endpoints.md. A request that an
// endpoint could not or would not take for reasons of its own goes to another one, where there is
// one. Thread-safe.
//
// Header "Tapir-Attempt" carries the attempt, so that a server that answers by a function of the
// request (the gym) answers as it would in process.
class OpenAiModel final : public ChatModel {
 public:
  OpenAiModel(OpenAiOptions options, OpenAiTransport transport);
  ~OpenAiModel() override;

  const ModelIdentity& identity() const override;
  void submit(ChatRequest request, Completion done, std::stop_token stop) override;
  // Why requests fail as unauthorized or unavailable, or what failed last; empty when nothing did.
  std::string trouble() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tapir::llm
