// A Student of the tests that answers nothing and foresees answers by a rule.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "student/student.h"

namespace tapir::testing {

class ForeseeingStudent : public student::Student {
 public:
  std::int64_t parameter_count() const override { return 1; }
  int context_length() const override { return 100; }
  void generate(std::span<const student::GenerateRequest>, const student::GenerateOptions&,
                const student::GenerationSink&, std::stop_token) const override {}
  std::vector<student::TokenLosses> token_losses(std::span<const Example> examples) const override {
    std::vector<student::TokenLosses> out;
    for (const Example& example : examples) out.push_back(losses_of(example));
    return out;
  }
  student::TokenLosses completion_losses(const std::string&, const std::string&) const override {
    return {};
  }
  std::vector<std::int32_t> tokenize(const std::string&, bool) const override { return {}; }
  std::vector<std::int32_t> tokenize_chat(const Messages&) const override { return {}; }

 protected:
  virtual student::TokenLosses losses_of(const Example& example) const = 0;
};

}  // namespace tapir::testing
