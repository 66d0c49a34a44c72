#include "backends/served_model.h"

#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace tapir::backends {

ServedModel::ServedModel(ServedModelOptions options, ProgressSink& progress)
    : options_(std::move(options)),
      identity_(llm::identity_of(options_.asked)),
      progress_(progress) {}

ServedModel::~ServedModel() { rest(); }

void ServedModel::rest() {
  const std::lock_guard lock(mutex_);
  model_.reset();
  if (servers_ != nullptr) {
    servers_.reset();
    progress_.message(fmt::format("the server of the {} is stopped", options_.server.name));
  }
  failed_.clear();
}

std::string ServedModel::trouble() const {
  const std::lock_guard lock(mutex_);
  if (!failed_.empty()) return failed_;
  return model_ == nullptr ? std::string() : model_->trouble();
}

// REQUIRES: mutex_ is held.
bool ServedModel::start(const std::stop_token& stop) {
  if (!failed_.empty()) return false;
  if (model_ != nullptr) return true;
  try {
    ServerOptions server = options_.server;
    server.model = options_.asked.model;
    servers_ = std::make_unique<ModelServers>(std::filesystem::path(), server, progress_, stop);
    llm::OpenAiTransport transport = options_.transport;
    transport.endpoints = servers_->addresses();
    model_ = std::make_unique<llm::OpenAiModel>(options_.asked, std::move(transport));
    return true;
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::interrupted)
      failed_ =
          e.hint().empty() ? std::string(e.what()) : fmt::format("{} ({})", e.what(), e.hint());
    return false;
  }
}

bool ServedModel::has_ended() {
  const std::lock_guard lock(mutex_);
  if (!failed_.empty()) return true;
  if (servers_ == nullptr || servers_->look() > 0) return false;
  failed_ = servers_->obituary();
  return true;
}

void ServedModel::submit(llm::ChatRequest request, llm::Completion done, std::stop_token stop) {
  llm::OpenAiModel* model = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (start(stop)) model = model_.get();
  }
  if (model != nullptr) {
    // A server that is gone answers nobody: no request waits for it to come back.
    model->submit(
        std::move(request),
        [this, done = std::move(done)](llm::ChatReply reply) {
          const bool may_have_ended =
              llm::is_transient(reply.failure) && reply.failure != llm::Failure::stopped;
          if (may_have_ended && has_ended()) reply.failure = llm::Failure::unavailable;
          done(std::move(reply));
        },
        std::move(stop));
    return;
  }
  llm::ChatReply reply;
  reply.row_id = request.row_id;
  reply.error = trouble();
  reply.failure = reply.error.empty() ? llm::Failure::stopped : llm::Failure::unavailable;
  refusals_.post([done = std::move(done), reply = std::move(reply)] { done(reply); });
}

}  // namespace tapir::backends
