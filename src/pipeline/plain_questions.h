// Instructions as they are, for the teacher to answer. Internal to the pipeline.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "llm/ask_rows.h"
#include "records/instruction.h"

namespace tapir::pipeline {

// What is asked and how often; what becomes of the replies is for who derives from it. The rows
// must outlive it.
class PlainQuestions : public llm::RowQuestions {
 public:
  PlainQuestions(std::span<const Instruction> rows, llm::Sampling sampling)
      : rows_(rows), sampling_(std::move(sampling)) {}

  std::size_t rows() const override { return rows_.size(); }
  llm::ChatRequest request(std::size_t row, int /*attempt*/) override {
    return {.row_id = rows_[row].id, .messages = rows_[row].messages, .sampling = sampling_};
  }

  static constexpr int kMaxAttempts = 3;  // an empty answer is asked for again

 protected:
  const std::string& id(std::size_t row) const { return rows_[row].id; }

 private:
  std::span<const Instruction> rows_;
  llm::Sampling sampling_;
};

}  // namespace tapir::pipeline
