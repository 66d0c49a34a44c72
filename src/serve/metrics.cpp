#include "serve/metrics.h"

#include <fmt/format.h>

namespace tapir::serve {
namespace {

std::string head(const char* name, const char* type, const char* help) {
  return fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

}  // namespace

void Histogram::add(double value) {
  for (std::size_t i = 0; i < bounds_.size(); ++i) counts_[i] += value <= bounds_[i] ? 1 : 0;
  ++count_;
  sum_ += value;
}

std::string Histogram::text(const std::string& name) const {
  std::string out;
  for (std::size_t i = 0; i < bounds_.size(); ++i) {
    out += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", name, bounds_[i], counts_[i]);
  }
  out += fmt::format("{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}\n", name, count_,
                     sum_);
  return out;
}

void Metrics::count_request(const std::string& path, int status) {
  const std::lock_guard lock(mutex_);
  ++requests_[{path, status}];
}

void Metrics::count_answer(const llm::ChatReply& reply) {
  const std::lock_guard lock(mutex_);
  ++answers_[std::string(reply.ok() ? to_string(reply.finish_reason)
                                    : llm::to_string(reply.failure))];
  if (!reply.ok()) return;
  prompt_tokens_ += reply.usage.prompt_tokens;
  completion_tokens_ += reply.usage.completion_tokens;
  answer_seconds_.add(reply.seconds);
}

void Metrics::count_first_token(double seconds) {
  const std::lock_guard lock(mutex_);
  first_token_seconds_.add(seconds);
}

std::string Metrics::text(const Now& now) const {
  const std::lock_guard lock(mutex_);
  std::string out = head("tapir_requests_total", "counter", "Requests by path and HTTP status.");
  for (const auto& [key, count] : requests_) {
    out += fmt::format("tapir_requests_total{{path=\"{}\",status=\"{}\"}} {}\n", key.first,
                       key.second, count);
  }
  out += head("tapir_answers_total", "counter", "Answers by how they ended.");
  for (const auto& [reason, count] : answers_) {
    out += fmt::format("tapir_answers_total{{ended=\"{}\"}} {}\n", reason, count);
  }
  out += head("tapir_prompt_tokens_total", "counter", "Tokens of answered prompts.");
  out += fmt::format("tapir_prompt_tokens_total {}\n", prompt_tokens_);
  out += head("tapir_completion_tokens_total", "counter", "Tokens of complete answers.");
  out += fmt::format("tapir_completion_tokens_total {}\n", completion_tokens_);
  out += head("tapir_answers_in_flight", "gauge", "Answers being made or waiting for it.");
  out += fmt::format("tapir_answers_in_flight {}\n", now.in_flight);
  out += head("tapir_answers_limit", "gauge", "Answers in flight above which requests get 429.");
  out += fmt::format("tapir_answers_limit {}\n", now.limit);
  out += head("tapir_answer_seconds", "histogram", "From a request to its complete answer.");
  out += answer_seconds_.text("tapir_answer_seconds");
  out += head("tapir_first_token_seconds", "histogram",
              "From a streamed request to the first piece of its answer.");
  out += first_token_seconds_.text("tapir_first_token_seconds");
  return out;
}

}  // namespace tapir::serve
