// Gives requests and progress the name of the run's stage: the stages' own code knows nothing of
// arms and rounds.
#pragma once

#include <mutex>
#include <string>

#include "base/progress.h"
#include "llm/chat_model.h"

namespace tapir::pipeline {

// The stage at work. Thread-safe.
class StageName {
 public:
  void set(const std::string& name) {
    const std::lock_guard lock(mutex_);
    name_ = name;
  }
  std::string get() const {
    const std::lock_guard lock(mutex_);
    return name_;
  }

 private:
  mutable std::mutex mutex_;
  std::string name_;
};

// Outermost wrapper of a model: books requests under the stage at work.
class LabelledModel final : public llm::ChatModel {
 public:
  LabelledModel(llm::ChatModel& inner, const StageName& stage) : inner_(inner), stage_(stage) {}
  const llm::ModelIdentity& identity() const override { return inner_.identity(); }
  void submit(llm::ChatRequest request, llm::Completion done, std::stop_token stop) override {
    request.stage = stage_.get();
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
