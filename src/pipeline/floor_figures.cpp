#include "pipeline/floor_figures.h"

#include <fmt/format.h>

namespace tapir::pipeline {
namespace {

std::string verdict_of(const difficulty::TaskFloor& floor, double score) {
  if (floor.is_below(score)) return "below";
  return floor.is_doubtful(score) ? "doubtful" : "stands";
}

std::int64_t whole(const Json& figures, const char* name) {
  return figures[name].get<std::int64_t>();
}
double real(const Json& figures, const char* name) { return figures[name].get<double>(); }

// "Math 3.2 [2.1, 4.3] of 20 rows, Law ..." of the tasks with that verdict; empty: there are none.
std::string tasks_with(const Json& figures, const std::string& verdict) {
  std::string out;
  for (const auto& [task, one] : figures["tasks"].items()) {
    if (one["verdict"] != verdict) continue;
    out +=
        fmt::format("{}{} {:.1f} [{:.1f}, {:.1f}] of {} rows", out.empty() ? "" : ", ", task,
                    real(one, "mean"), real(one, "low"), real(one, "high"), whole(one, "judged"));
  }
  return out;
}

}  // namespace

Json floor_figures(const std::map<std::string, difficulty::TaskFloor>& floors,
                   const std::map<std::string, std::int64_t>& filtered, double score) {
  Json tasks = Json::object();
  std::int64_t rows = 0;
  std::int64_t judged = 0;
  std::int64_t taken_out = 0;
  double hard_rows = 0;  // expected ones, of the tasks that were looked at
  double looked_at = 0;  // rows of those tasks
  for (const auto& [task, floor] : floors) {
    const auto found = filtered.find(task);
    const std::int64_t out = found == filtered.end() ? 0 : found->second;
    tasks[task] = {{"rows", floor.rows},
                   {"judged", floor.judged},
                   {"mean", floor.mean},
                   {"low", floor.interval.low},
                   {"high", floor.interval.high},
                   {"filtered", out},
                   {"verdict", verdict_of(floor, score)},
                   {"hard", floor.hard},
                   {"hard_share", floor.hard_share()},
                   {"hard_low", floor.hard_interval.low},
                   {"hard_high", floor.hard_interval.high}};
    rows += floor.rows;
    judged += floor.judged;
    taken_out += out;
    if (floor.judged == 0) continue;
    looked_at += static_cast<double>(floor.rows);
    hard_rows += floor.hard_share() * static_cast<double>(floor.rows);
  }
  return {{"score", score},
          {"rows", rows},
          {"judged", judged},
          {"filtered", taken_out},
          {"hard_share", looked_at > 0 ? Json(hard_rows / looked_at) : Json(nullptr)},
          {"tasks", tasks}};
}

std::vector<std::string> floor_warnings(const Json& figures) {
  std::vector<std::string> warnings;
  const double score = real(figures, "score");
  if (const std::string below = tasks_with(figures, "below"); !below.empty()) {
    warnings.push_back(fmt::format(
        "the judge's mean score of the teacher's new answers lies below {:g}: {}; all new rows of "
        "these tasks are left out",
        score, below));
  }
  if (const std::string doubtful = tasks_with(figures, "doubtful"); !doubtful.empty()) {
    warnings.push_back(fmt::format(
        "the judge's mean score of the teacher's new answers may lie below {:g}: {}; judge more of "
        "them (teach.floor.rows) to be sure",
        score, doubtful));
  }
  return warnings;
}

std::string floor_line(const Json& figures) {
  std::string line = fmt::format("{} of {} new rows judged, {} left out", whole(figures, "judged"),
                                 whole(figures, "rows"), whole(figures, "filtered"));
  if (!figures["hard_share"].is_null()) {
    line += fmt::format("; S_0 fails at {:.1f} % of the new instructions",
                        100 * real(figures, "hard_share"));
  }
  return line;
}

std::string floor_figures_text(const Json& figures) {
  std::string out = "floor: " + floor_line(figures) + "\n";
  if (figures["tasks"].empty()) return out;
  out += fmt::format("  {:<24} {:>6} {:>6}  {:<18} {:>8}  {}\n", "task", "new", "judged",
                     "mean score", "left out", "S_0 fails at (95 % intervals)");
  for (const auto& [task, one] : figures["tasks"].items()) {
    if (whole(one, "judged") == 0) {
      out += fmt::format("  {:<24} {:>6} {:>6}  {:<18} {:>8}\n", task, whole(one, "rows"), 0, "-",
                         whole(one, "filtered"));
      continue;
    }
    const std::string mean = fmt::format("{:.2f} [{:.2f}, {:.2f}]", real(one, "mean"),
                                         real(one, "low"), real(one, "high"));
    out += fmt::format("  {:<24} {:>6} {:>6}  {:<18} {:>8}  {:.1f} % [{:.1f}, {:.1f}]\n", task,
                       whole(one, "rows"), whole(one, "judged"), mean, whole(one, "filtered"),
                       100 * real(one, "hard_share"), 100 * real(one, "hard_low"),
                       100 * real(one, "hard_high"));
  }
  return out;
}

}  // namespace tapir::pipeline
