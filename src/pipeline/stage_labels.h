// Gives requests and progress the name of the run's stage, and requests the attempt of a retry: the
// stages' own code knows nothing of arms, rounds and retries.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "base/progress.h"
#include "llm/chat_model.h"
#include "pipeline/retries.h"

namespace tapir::pipeline {

// The stage at work. Thread-safe.
class StageName {
 public:
  // retried: how often rows are asked about again (Retries::times).
  void set(const std::string& name, std::map<std::string, int> retried = {}) {
    const std::lock_guard lock(mutex_);
    name_ = name;
    retried_ = std::move(retried);
  }
  std::string get() const {
    const std::lock_guard lock(mutex_);
    return name_;
  }
  void label(llm::ChatRequest& request) const {
    const std::lock_guard lock(mutex_);
    request.stage = name_;
    request.attempt = retried_attempt(retried_, request.row_id, request.attempt);
  }

 private:
  mutable std::mutex mutex_;
  std::string name_;
  std::map<std::string, int> retried_;
};

// Outermost wrapper of a model: books requests under the stage at work.
class LabelledModel final : public llm::ChatModel {
 public:
  LabelledModel(llm::ChatModel& inner, const StageName& stage) : inner_(inner), stage_(stage) {}
  const llm::ModelIdentity& identity() const override { return inner_.identity(); }
  void submit(llm::ChatRequest request, llm::Completion done, std::stop_token stop) override {
    stage_.label(request);
    inner_.submit(std::move(request), std::move(done), std::move(stop));
  }

 private:
  llm::ChatModel& inner_;
  const StageName& stage_;
};

// Shows progress under the stage at work; what the code calls its own step is kept where it says
// more.
class LabelledProgress final : public ProgressSink {
 public:
  LabelledProgress(ProgressSink& inner, const StageName& stage) : inner_(inner), stage_(stage) {}
  void update(const ProgressUpdate& update) override {
    const std::string stage = stage_.get();
    ProgressUpdate labelled = update;
    const std::string step = update.stage.substr(0, update.stage.find(' '));
    const bool says_more = stage.find(step) == std::string::npos;
    if (!stage.empty()) labelled.stage = says_more ? stage + " (" + update.stage + ")" : stage;
    inner_.update(labelled);
  }
  void message(std::string_view line) override { inner_.message(line); }

 private:
  ProgressSink& inner_;
  const StageName& stage_;
};

}  // namespace tapir::pipeline
