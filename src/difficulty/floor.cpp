#include "difficulty/floor.h"

#include <algorithm>

#include "base/random.h"

namespace tapir::difficulty {

std::vector<std::size_t> floor_sample(std::span<const Instruction> made, std::int64_t rows_per_task,
                                      std::uint64_t seed) {
  struct OfTask {
    std::vector<std::string> ids;
    std::vector<std::size_t> places;  // in `made`
  };
  std::map<std::string, OfTask> by_task;
  for (std::size_t place = 0; place < made.size(); ++place) {
    OfTask& of_task = by_task[made[place].task];
    of_task.ids.push_back(made[place].id);
    of_task.places.push_back(place);
  }
  std::vector<std::size_t> sample;
  for (const auto& [task, of_task] : by_task) {
    for (const std::size_t drawn :
         sample_places(of_task.ids, static_cast<std::size_t>(rows_per_task), seed, "floor")) {
      sample.push_back(of_task.places[drawn]);
    }
  }
  std::sort(sample.begin(), sample.end());
  return sample;
}

double TaskFloor::hard_share() const {
  return judged > 0 ? static_cast<double>(hard) / static_cast<double>(judged) : 0;
}

std::map<std::string, TaskFloor> floors_of(std::span<const Instruction> made,
                                           std::span<const Fit> fits, const Threshold& threshold) {
  std::map<std::string, const Fit*> fit_of_row;
  for (const Fit& fit : fits) fit_of_row[fit.instruction_id] = &fit;
  std::map<std::string, TaskFloor> floors;
  std::map<std::string, std::vector<double>> scores;  // the teacher's, by task
  for (const Instruction& row : made) {
    TaskFloor& floor = floors[row.task];
    ++floor.rows;
    const auto fit = fit_of_row.find(row.id);
    if (fit == fit_of_row.end()) continue;
    ++floor.judged;
    floor.hard += threshold.passed_by(fit->second->gap()) ? 1 : 0;
    scores[row.task].push_back(fit->second->teacher_score);
  }
  for (const auto& [task, of_task] : scores) {
    TaskFloor& floor = floors[task];
    const stats::Interval scale = floor.interval;
    const stats::Interval of_mean = stats::student_t_interval(of_task);
    floor.mean = stats::mean(of_task);
    floor.interval = {std::max(scale.low, of_mean.low), std::min(scale.high, of_mean.high)};
    floor.hard_interval = stats::wilson_interval(floor.hard, floor.judged);
  }
  return floors;
}

}  // namespace tapir::difficulty
