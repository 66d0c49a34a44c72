// Instructions as they are, for the teacher to answer. Internal to the pipeline.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "llm/ask_all.h"
#include "records/instruction.h"

namespace tapir::pipeline {

class PlainRequests final : public llm::RequestSource {
 public:
  PlainRequests(std::vector<Instruction> rows, llm::Sampling sampling, std::string stage)
      : rows_(std::move(rows)), sampling_(std::move(sampling)), stage_(std::move(stage)) {}
  std::optional<llm::ChatRequest> next() override {
    if (at_ == rows_.size()) return std::nullopt;
    const Instruction& row = rows_[at_++];
    return llm::ChatRequest{
        .row_id = row.id, .stage = stage_, .messages = row.messages, .sampling = sampling_};
  }

 private:
  std::vector<Instruction> rows_;
  llm::Sampling sampling_;
  std::string stage_;
  std::size_t at_ = 0;
};

class ReplyFunction final : public llm::ReplySink {
 public:
  explicit ReplyFunction(std::function<void(llm::ChatReply)> take) : take_(std::move(take)) {}
  void take(llm::ChatReply reply) override { take_(std::move(reply)); }

 private:
  std::function<void(llm::ChatReply)> take_;
};

}  // namespace tapir::pipeline
