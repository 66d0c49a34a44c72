#include "student/metrics.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "student/kernels.h"

namespace tapir::student {
namespace {

// A line that is cut short, or not ours, is not later than anything.
bool is_later(std::string_view line, const std::string& stage, std::int64_t step) {
  const Json row = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!row.is_object() || !row.contains("step") || !row["step"].is_number_integer()) return false;
  return row.value("stage", std::string()) == stage && row["step"].get<std::int64_t>() > step;
}

}  // namespace

MetricsFile::MetricsFile(std::filesystem::path path, std::string stage, std::int64_t step)
    : path_(std::move(path)), stage_(std::move(stage)) {
  std::string kept;
  if (!std::filesystem::exists(path_)) {
    write_file(path_, kept);
    return;
  }
  for_each_line(path_, [&](std::string_view line, std::size_t) {
    if (trim(line).empty() || !Json::accept(line) || is_later(line, stage_, step)) return;
    kept += line;
    kept += '\n';
  });
  write_file(path_, kept);
}

void MetricsFile::append(const MetricsRow& row) const {
  OrderedJson json = {{"stage", stage_},
                      {"step", row.step},
                      {"epoch", row.epoch},
                      {"loss", row.loss},
                      {"lr", row.learning_rate},
                      {"grad_norm", row.grad_norm},
                      {"tokens", row.tokens},
                      {"supervised_tokens", row.supervised_tokens},
                      {"tok_s", row.tokens_per_second},
                      {"mfu", row.mfu},
                      {"memory_gb", row.memory_gb}};
  if (row.eval_loss) json["eval_loss"] = *row.eval_loss;
  std::ofstream out(path_, std::ios::app | std::ios::binary);
  out << json.dump() << '\n';
  out.flush();
  if (!out) {
    throw Error(ErrorKind::data, "cannot write " + path_.string(),
                "check that the disk has room and the folder may be written to");
  }
}

double measured_peak() {
  constexpr long kSize = 240;
  constexpr int kTries = 5;
  const std::vector<float> a(kSize * kSize, 0.5F);
  std::vector<float> c(kSize * kSize, 0.0F);
  const MatrixProduct product{kSize,    kSize, kSize, a.data(), kSize, 1,
                              a.data(), kSize, 1,     c.data(), kSize, false};
  double best = 1;
  for (int i = 0; i < kTries; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    kernels().multiply(product);
    best = std::min(best, seconds_since(begin));
  }
  return 2.0 * kSize * kSize * kSize / best;
}

}  // namespace tapir::student
