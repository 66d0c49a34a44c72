#include "difficulty/ifd.h"

#include <algorithm>

namespace tapir::difficulty {
namespace {

constexpr std::size_t kChunk = 64;  // rows between two looks at the stop; speed only

double mean_loss(const student::TokenLosses& losses, std::size_t tokens) {
  double sum = 0;
  for (std::size_t i = 0; i < tokens; ++i) sum -= losses.logprobs[i];
  return sum / static_cast<double>(tokens);
}

Instruction without_words(const Instruction& instruction) {
  return {.id = instruction.id, .messages = {{Role::user, ""}}};
}

}  // namespace

std::optional<double> ifd_of(const student::TokenLosses& with,
                             const student::TokenLosses& without) {
  const std::size_t tokens = std::min(with.logprobs.size(), without.logprobs.size());
  if (tokens == 0) return std::nullopt;
  const double alone = mean_loss(without, tokens);
  if (!(alone > 0)) return std::nullopt;
  return mean_loss(with, tokens) / alone;
}

bool measure_ifd(const student::Student& student, std::span<const AnsweredRow> rows,
                 const std::string& author, const std::function<void(const Fit&)>& keep,
                 const std::function<void(const std::string&)>& failed, ProgressSink& progress,
                 std::stop_token stop) {
  ProgressUpdate update{"difficulty", 0, 0, rows.size(), 0, ""};
  for (std::size_t start = 0; start < rows.size(); start += kChunk) {
    if (stop.stop_requested()) return false;
    const auto chunk = rows.subspan(start, std::min(kChunk, rows.size() - start));
    std::vector<Example> examples;
    for (const AnsweredRow& row : chunk) {
      examples.push_back(make_example(row.instruction, row.answer));
      examples.push_back(make_example(without_words(row.instruction), row.answer));
    }
    const std::vector<student::TokenLosses> losses = student.token_losses(examples);
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      const std::string& id = chunk[i].instruction.id;
      const std::optional<double> ratio = ifd_of(losses[2 * i], losses[2 * i + 1]);
      if (ratio) {
        Fit fit;
        fit.instruction_id = id;
        fit.author = author;
        fit.ifd = ratio;
        keep(fit);
        ++update.done;
      } else {
        failed(id);
        ++update.failed;
      }
    }
    progress.update(update);
  }
  return true;
}

}  // namespace tapir::difficulty
