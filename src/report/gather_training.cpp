#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "report/gather.h"

namespace tapir::report {
namespace {

double number(const Json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_number() ? found->get<double>() : 0;
}

// One metrics file: steps and tokens from the start of that training. A line that a kill cut short
// is left out.
std::vector<CurvePoint> read_metrics(const std::filesystem::path& file) {
  std::vector<CurvePoint> points;
  if (!std::filesystem::exists(file)) return points;
  for_each_line(file, [&](std::string_view text, std::size_t) {
    const Json row = read_info(std::string(text));
    if (!row.is_object() || !row.contains("loss") || !row["loss"].is_number()) return;
    points.push_back({static_cast<std::int64_t>(number(row, "step")),
                      static_cast<std::int64_t>(number(row, "tokens")), row["loss"].get<double>(),
                      number(row, "lr")});
  });
  return points;
}

std::filesystem::path metrics_file(const std::filesystem::path& run_dir, std::string student) {
  std::replace(student.begin(), student.end(), '/', '-');
  return run_dir / "metrics" / (student + ".jsonl");
}

void go_on(Curve& curve, const std::vector<CurvePoint>& points) {
  if (points.empty()) return;
  const CurvePoint before = curve.points.empty() ? CurvePoint{} : curve.points.back();
  if (!curve.points.empty()) curve.round_starts.push_back(before.tokens);
  for (CurvePoint point : points) {
    point.step += before.step;
    point.tokens += before.tokens;
    curve.points.push_back(point);
  }
}

}  // namespace

std::vector<Curve> gather_curves(const store::RunStore& store, const Arms& arms,
                                 const std::filesystem::path& run_dir) {
  std::vector<Curve> curves;
  if (run_dir.empty()) return curves;
  int last = arms.rounds;
  for (const store::TrainRecord& training : store.trainings()) {
    last = std::max(last, parse_student(training.student).round);
  }
  Curve s0{.arm = "", .label = "S\xE2\x82\x80"};
  go_on(s0, read_metrics(metrics_file(run_dir, std::string(kS0))));
  if (!s0.points.empty()) curves.push_back(std::move(s0));
  for (const std::string& arm : arms.names) {
    Curve curve{.arm = arm, .label = arm, .main = arm == arms.main};
    for (int round = 1; round <= std::max(last, 1); ++round) {
      go_on(curve, read_metrics(metrics_file(run_dir, arm + "/round-" + std::to_string(round))));
    }
    if (!curve.points.empty()) curves.push_back(std::move(curve));
  }
  return curves;
}

}  // namespace tapir::report
