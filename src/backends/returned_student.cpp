#include "backends/returned_student.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"

namespace tapir::backends {
namespace {

constexpr std::size_t kProbeRows = 64;
// A student that knows such rows already wavers by less; a broken one rises by whole nats.
constexpr double kWavers = 0.1;
constexpr double kEvenOdds = -0.6931471805599453;  // log(1/2)

[[noreturn]] void refuse(const std::filesystem::path& folder, const std::string& what,
                         const std::string& hint) {
  throw Error(ErrorKind::data, folder.string() + ": " + what, hint);
}

std::vector<Example> some_of(std::span<const Example> examples) {
  const std::size_t count = std::min(kProbeRows, examples.size());
  std::vector<Example> some;
  for (std::size_t i = 0; i < count; ++i) some.push_back(examples[i * examples.size() / count]);
  return some;
}

double mean(double sum, double count) { return count > 0 ? sum / count : 0; }

}  // namespace

void check_counts(const JobResult& result, const student::TrainSteps& steps,
                  const std::filesystem::path& folder) {
  if (result.digest != steps.digest) {
    refuse(folder, "result.json is of another job", "remove the folder to train anew");
  }
  const std::pair<std::string, std::pair<std::int64_t, std::int64_t>> figures[] = {
      {"optimizer steps", {result.steps, static_cast<std::int64_t>(steps.steps.size())}},
      {"rows", {result.rows, steps.row_count}},
      {"supervised tokens", {result.supervised_tokens, steps.supervised_tokens}},
      {"tokens", {result.tokens, steps.tokens}}};
  for (const auto& [what, counts] : figures) {
    if (counts.first == counts.second) continue;
    refuse(folder,
           fmt::format("the job trained on {} {}, tapir asked for {}", counts.first, what,
                       counts.second),
           "the job's files were changed, or its program counts another way: look at its log");
  }
}

Probe probe(const student::StudentEngine& engine, const std::filesystem::path& folder,
            std::span<const Example> examples) {
  double loss = 0;
  double tokens = 0;
  double end = 0;
  double ends = 0;
  for (const student::TokenLosses& row : engine.load(folder)->token_losses(some_of(examples))) {
    for (const float logprob : row.logprobs) loss -= static_cast<double>(logprob);
    tokens += static_cast<double>(row.logprobs.size());
    if (row.logprobs.empty()) continue;
    end += static_cast<double>(row.logprobs.back());
    ++ends;
  }
  return {mean(loss, tokens), mean(end, ends)};
}

void check_probe(const Probe& before, const Probe& after, const std::filesystem::path& folder) {
  if (!std::isfinite(after.loss)) {
    refuse(folder, "came back with a student whose loss is not finite", "look at the job's log");
  }
  if (after.loss > before.loss + kWavers) {
    refuse(folder,
           fmt::format("the loss on rows of the training rose from {:.4f} to {:.4f}", before.loss,
                       after.loss),
           "lower train.learning_rate, or look at the job's log: this student learnt something "
           "else");
  }
  if (after.end < before.end && after.end < kEvenOdds) {
    refuse(folder,
           fmt::format("the end of an answer became less likely, from {:.3f} to {:.3f}: the token "
                       "that ends it was not trained",
                       std::exp(before.end), std::exp(after.end)),
           "the job must not mask that token: a collator that takes it for padding does");
  }
}

double validation_loss(const student::StudentEngine& engine, const std::filesystem::path& folder,
                       const student::TrainJob& job, const student::TrainSteps& steps) {
  std::vector<Example> rows;
  for (const std::size_t row : steps.validation) rows.push_back(job.examples[row]);
  double loss = 0;
  double tokens = 0;
  for (const student::TokenLosses& row : engine.load(folder)->token_losses(rows)) {
    for (const float logprob : row.logprobs) loss -= static_cast<double>(logprob);
    tokens += static_cast<double>(row.logprobs.size());
  }
  return mean(loss, tokens);
}

}  // namespace tapir::backends
