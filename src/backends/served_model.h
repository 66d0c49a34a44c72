// A role's model behind a server that the run starts itself, when it is asked for the first time.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "backends/model_servers.h"
#include "base/progress.h"
#include "llm/chat_model.h"
#include "llm/completion_thread.h"
#include "llm/openai_model.h"

namespace tapir::backends {

struct ServedModelOptions {
  ServerOptions server;            // `model` of it is filled in
  llm::OpenAiOptions asked;        // the identity, whatever serves it
  llm::OpenAiTransport transport;  // without endpoints
};

// submit() starts the server and blocks until it is healthy; what cannot be started answers every
// request with Failure::unavailable, until rest(). The same once the server has ended.
// Thread-safe, but for rest().
class ServedModel final : public llm::ChatModel {
 public:
  // progress outlives it.
  ServedModel(ServedModelOptions options, ProgressSink& progress);
  ~ServedModel() override;

  const llm::ModelIdentity& identity() const override { return identity_; }
  void submit(llm::ChatRequest request, llm::Completion done, std::stop_token stop) override;
  // Stops the server, where it runs; the next request starts another. REQUIRES: nothing in flight.
  void rest();
  // Why requests fail; empty when they do not.
  std::string trouble() const;

 private:
  bool start(const std::stop_token& stop);
  bool has_ended();

  const ServedModelOptions options_;
  const llm::ModelIdentity identity_;
  ProgressSink& progress_;
  mutable std::mutex mutex_;  // of what follows
  std::string failed_;        // why it could not be started, or how it ended
  std::unique_ptr<ModelServers> servers_;
  std::unique_ptr<llm::OpenAiModel> model_;  // before the servers: it waits for their replies
  llm::CompletionThread refusals_;
};

}  // namespace tapir::backends
