#include "pipeline/sample.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "stats/intervals.h"

namespace tapir::pipeline {

Json sample_json(const Sample& sample) {
  Json stages = Json::object();
  for (const auto& [name, s] : sample.stages) {
    stages[name] = {{"rows", s.rows},
                    {"calls", s.calls},
                    {"prompt_tokens", s.prompt_tokens},
                    {"completion_tokens", s.completion_tokens},
                    {"usd", s.usd},
                    {"usd_low", s.usd_low},
                    {"usd_high", s.usd_high}};
  }
  return {{"stages", stages}, {"usd", sample.usd}};
}

Sample sample_from_json(const Json& json) {
  Sample sample;
  sample.usd = json.at("usd").get<double>();
  for (const auto& [name, s] : json.at("stages").items()) {
    sample.stages[name] = {
        s.at("rows").get<std::int64_t>(),    s.at("calls").get<double>(),
        s.at("prompt_tokens").get<double>(), s.at("completion_tokens").get<double>(),
        s.at("usd").get<double>(),           s.at("usd_low").get<double>(),
        s.at("usd_high").get<double>()};
  }
  return sample;
}

void MeteredModel::submit(llm::ChatRequest request, llm::Completion done, std::stop_token stop) {
  inner_.submit(
      std::move(request),
      [this, done = std::move(done)](llm::ChatReply reply) {
        {
          const std::lock_guard lock(mutex_);
          Taken& row = rows_[reply.row_id];
          ++row.calls;
          row.usage.prompt_tokens += reply.usage.prompt_tokens;
          row.usage.cached_prompt_tokens += reply.usage.cached_prompt_tokens;
          row.usage.completion_tokens += reply.usage.completion_tokens;
        }
        done(std::move(reply));
      },
      std::move(stop));
}

StageSample MeteredModel::figures() const {
  const std::lock_guard lock(mutex_);
  StageSample sample;
  sample.rows = static_cast<std::int64_t>(rows_.size());
  std::vector<double> usd;
  for (const auto& [id, row] : rows_) {
    sample.calls += row.calls;
    sample.prompt_tokens += static_cast<double>(row.usage.prompt_tokens);
    sample.completion_tokens += static_cast<double>(row.usage.completion_tokens);
    usd.push_back(llm::cost(row.usage, prices_).usd());
  }
  const auto rows = static_cast<double>(std::max<std::int64_t>(1, sample.rows));
  sample.calls /= rows;
  sample.prompt_tokens /= rows;
  sample.completion_tokens /= rows;
  sample.usd = sample.usd_low = sample.usd_high = stats::mean(usd);
  if (usd.size() < 2) return sample;
  const stats::Interval interval = stats::student_t_interval(usd);
  sample.usd_low = std::max(0.0, interval.low);
  sample.usd_high = interval.high;
  return sample;
}

}  // namespace tapir::pipeline
