#include <algorithm>
#include <set>

#include "report/gather.h"

namespace tapir::report {
namespace {

// The rounds of an arm that have a mixture, in order.
std::vector<int> rounds_of(const store::RunStore& store, const Arms& arms, const std::string& arm) {
  int last = arms.rounds;
  for (const store::StageRecord& stage : store.stages()) {
    const std::size_t cut = stage.name.rfind('/');
    if (cut == std::string::npos) continue;
    const StudentName name = parse_student(stage.name.substr(0, cut));
    if (name.arm == arm) last = std::max(last, name.round);
  }
  std::vector<int> rounds;
  for (int round = 1; round <= last; ++round) rounds.push_back(round);
  return rounds;
}

Json mix_info(const store::RunStore& store, const std::string& arm, int round) {
  const auto stage = store.stage(arm + "/round-" + std::to_string(round) + "/mix");
  return stage ? read_info(stage->info) : Json();
}

class ArmGatherer {
 public:
  ArmGatherer(const store::RunStore& store, std::string arm) : store_(store) {
    teaching_.arm = std::move(arm);
  }

  void count_corpus(const std::map<std::string, std::string>& task_of,
                    const std::set<std::string>& hard) {
    for (const auto& [id, task] : task_of) {
      ++row(task).in_data;
      if (hard.contains(id)) ++row(task).hard;
    }
  }

  void count_expansion() {
    for (const store::TeachRow& made : store_.teach_rows(teaching_.arm)) {
      TaskRow& task = row(made.task);
      ++task.attempts;
      if (made.outcome == "kept") {
        ++task.kept;
      } else {
        ++task.rejected[made.outcome];
      }
    }
  }

  void count_round(int round) {
    const std::vector<MixtureRow> mixture = store_.mixture(teaching_.arm, round);
    gather_floor(store_, round, teaching_);
    if (mixture.empty()) return;
    RoundRow figures{.round = round};
    std::set<std::string> distinct;
    for (const MixtureRow& mixed : mixture) {
      ++figures.rows;
      ++(mixed.stratum == Stratum::hard ? figures.hard : figures.easy);
      figures.repeated += mixed.repeat > 0;
      distinct.insert(mixed.instruction_id);
      TaskRow& task = row(mixed.task);
      ++task.rows;
      task.repeated += mixed.repeat > 0;
    }
    figures.distinct = static_cast<std::int64_t>(distinct.size());
    mixed_ += figures.rows;
    read_mix_info(mix_info(store_, teaching_.arm, round), figures);
    teaching_.rounds.push_back(std::move(figures));
  }

  ArmTeaching finish() {
    for (auto& [name, task] : tasks_) {
      if (mixed_ > 0) task.reached = static_cast<double>(task.rows) / static_cast<double>(mixed_);
      teaching_.tasks.push_back(std::move(task));
    }
    std::stable_sort(teaching_.floor.begin(), teaching_.floor.end(),
                     [](const FloorRow& a, const FloorRow& b) { return a.task < b.task; });
    return std::move(teaching_);
  }

 private:
  TaskRow& row(const std::string& task) {
    TaskRow& found = tasks_[task];
    found.task = task;
    return found;
  }

  void read_mix_info(const Json& info, RoundRow& figures) {
    if (!info.is_object()) return;
    if (info.contains("alpha") && info["alpha"].is_number())
      figures.alpha = info["alpha"].get<double>();
    if (info.contains("relaxed") && info["relaxed"].is_array()) {
      for (const Json& words : info["relaxed"]) {
        if (words.is_string()) figures.relaxed.push_back(words.get<std::string>());
      }
    }
    if (!info.contains("shares") || !info["shares"].is_object()) return;
    for (const auto& [task, shares] : info["shares"].items()) {
      if (shares.is_array() && !shares.empty() && shares[0].is_number())
        row(task).target = shares[0].get<double>();
    }
  }

  const store::RunStore& store_;
  ArmTeaching teaching_;
  std::map<std::string, TaskRow> tasks_;
  std::int64_t mixed_ = 0;
};

}  // namespace

std::vector<ArmTeaching> gather_teaching(const store::RunStore& store, const Arms& arms,
                                         const Difficulty& difficulty) {
  std::map<std::string, std::string> task_of;
  for (const Instruction& row : store.instructions(0)) task_of[row.id] = row.task;
  std::set<std::string> hard;
  for (const Fit& fit : store.fits("student/s0")) {
    if (is_hard(difficulty, fit.difficulty())) hard.insert(fit.instruction_id);
  }
  std::vector<ArmTeaching> result;
  for (const std::string& arm : arms.names) {
    ArmGatherer gatherer(store, arm);
    gatherer.count_corpus(task_of, hard);
    gatherer.count_expansion();
    for (const int round : rounds_of(store, arms, arm)) gatherer.count_round(round);
    ArmTeaching teaching = gatherer.finish();
    teaching.main = arm == arms.main;
    if (!teaching.tasks.empty()) result.push_back(std::move(teaching));
  }
  std::stable_partition(result.begin(), result.end(), [](const ArmTeaching& t) { return t.main; });
  return result;
}

std::vector<ArmTokens> gather_tokens(const store::RunStore& store, const Arms& arms) {
  std::vector<ArmTokens> result(1);
  for (const std::string& arm : arms.names) result.push_back({.arm = arm});
  const auto find = [&](const std::string& arm) {
    return std::find_if(result.begin(), result.end(),
                        [&](const ArmTokens& row) { return row.arm == arm; });
  };
  for (const store::TrainRecord& training : store.trainings()) {
    const StudentName name = parse_student(training.student);
    const auto row = find(name.arm);
    if (name.round < 0 || row == result.end()) continue;
    row->steps += training.steps;
    row->tokens += training.tokens;
    row->supervised_tokens += training.supervised_tokens;
    row->rows += training.rows;
    row->distinct_rows += training.distinct_rows;
    row->seconds += training.seconds;
  }
  for (const store::UsageRow& usage : store.usage()) {
    const auto row = find(usage.stage.substr(0, usage.stage.find("/round-")));
    if (row == result.end() || row->arm.empty()) continue;
    (usage.role == "judge" ? row->judge_tokens : row->teacher_tokens) +=
        usage.prompt_tokens + usage.completion_tokens;
  }
  // Over the rounds an instruction counts once.
  for (ArmTokens& row : result) {
    if (row.arm.empty()) continue;
    std::set<std::string> distinct;
    for (const int round : rounds_of(store, arms, row.arm)) {
      for (const MixtureRow& mixed : store.mixture(row.arm, round))
        distinct.insert(mixed.instruction_id);
    }
    if (distinct.empty()) continue;
    row.distinct_rows = std::min(row.distinct_rows, static_cast<std::int64_t>(distinct.size()));
  }
  std::erase_if(result, [](const ArmTokens& row) { return row.steps == 0; });
  return result;
}

}  // namespace tapir::report
