// A sample of the user's rows (`tapir estimate --sample`): what their requests took.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "base/json.h"
#include "llm/budget.h"
#include "llm/chat_model.h"

namespace tapir::pipeline {

// Means of a row of one stage. The bounds of usd: Student's t interval of 95 %.
struct StageSample {
  std::int64_t rows = 0;
  double calls = 0;  // more than 1 where rows were asked about again
  double prompt_tokens = 0;
  double completion_tokens = 0;
  double usd = 0;
  double usd_low = 0;
  double usd_high = 0;
};

struct Sample {
  std::map<std::string, StageSample> stages;  // by name
  double usd = 0;                             // spent on it, in this sitting
};
Json sample_json(const Sample& sample);
Sample sample_from_json(const Json& json);

// Passes everything on and notes what the replies took, by row. Replies from the store count too.
// Thread-safe. The inner model must outlive it.
class MeteredModel final : public llm::ChatModel {
 public:
  MeteredModel(llm::ChatModel& inner, const llm::Prices& prices) : inner_(inner), prices_(prices) {}
  const llm::ModelIdentity& identity() const override { return inner_.identity(); }
  void submit(llm::ChatRequest request, llm::Completion done, std::stop_token stop) override;
  StageSample figures() const;

 private:
  struct Taken {
    int calls = 0;
    llm::Usage usage;
  };

  llm::ChatModel& inner_;
  const llm::Prices prices_;
  mutable std::mutex mutex_;
  std::map<std::string, Taken> rows_;
};

}  // namespace tapir::pipeline
