#include "report/gather.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace tapir::report {

const StudentResult* Outcome::find(std::string_view arm) const {
  for (const StudentResult& student : students) {
    if (student.arm == arm) return &student;
  }
  return nullptr;
}

const StudentResult* Outcome::main() const {
  for (const StudentResult& student : students) {
    if (student.main) return &student;
  }
  return nullptr;
}

StudentName parse_student(std::string_view name) {
  if (name == kS0) return {"", 0};
  constexpr std::string_view kRound = "/round-";
  const std::size_t slash = name.rfind(kRound);
  StudentName parsed;
  if (slash == std::string_view::npos || slash == 0) return parsed;
  const std::string_view number = name.substr(slash + kRound.size());
  int round = 0;
  const auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), round);
  if (failure != std::errc() || end != number.data() + number.size() || round < 1) return parsed;
  return {std::string(name.substr(0, slash)), round};
}

Json read_info(const std::string& text) {
  if (text.empty()) return nullptr;
  Json parsed = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return parsed.is_discarded() ? Json() : parsed;
}

stats::Interval interval_of(const Json& bounds) {
  return {bounds.at(0).get<double>(), bounds.at(1).get<double>()};
}

namespace {

// The known arms in the order in which each adds one thing to the one before; others after them,
// the main arm last.
std::size_t ladder_place(const std::string& arm, const std::string& main) {
  constexpr std::array<std::string_view, 3> kLadder = {kBaselineArm, "refined", "random_fresh"};
  if (arm == main) return kLadder.size() + 1;
  return static_cast<std::size_t>(std::find(kLadder.begin(), kLadder.end(), arm) - kLadder.begin());
}

}  // namespace

Arms find_arms(const store::RunStore& store) {
  Arms arms;
  const Json listed = read_info(store.meta("arms").value_or(""));
  if (listed.is_array()) {
    for (const Json& name : listed) {
      if (name.is_string()) arms.names.push_back(name.get<std::string>());
    }
  }
  for (const std::string& student : store.exam_students()) {
    const std::string arm = parse_student(student).arm;
    if (!arm.empty() && std::find(arms.names.begin(), arms.names.end(), arm) == arms.names.end()) {
      arms.names.push_back(arm);
    }
  }
  const auto main = std::find(arms.names.begin(), arms.names.end(), kMainArm);
  if (main != arms.names.end()) std::rotate(main, main + 1, arms.names.end());
  if (!arms.names.empty()) arms.main = arms.names.back();
  std::stable_sort(arms.names.begin(), arms.names.end(),
                   [&](const std::string& x, const std::string& y) {
                     return ladder_place(x, arms.main) < ladder_place(y, arms.main);
                   });
  const std::string rounds = store.meta("rounds").value_or("");
  std::from_chars(rounds.data(), rounds.data() + rounds.size(), arms.rounds);
  arms.final_student = store.meta("final").value_or("");
  return arms;
}

bool is_hard(const Difficulty& difficulty, double gap) {
  if (difficulty.method == "ifd" && gap >= 1) return false;
  return difficulty.strict ? gap > difficulty.threshold : gap >= difficulty.threshold;
}

ReportData gather(const store::RunStore& store, const ReportOptions& given) {
  ReportOptions options = given;
  if (options.headline_set.empty())
    options.headline_set = store::main_exam_set(store.exam_rows(kS0));
  const Arms arms = find_arms(store);
  ReportData data;
  data.outcome = gather_outcome(store, arms, options);
  data.held_out = gather_held_out(store, arms);
  data.difficulty = gather_difficulty(store);
  data.teaching = gather_teaching(store, arms, data.difficulty);
  data.curves = gather_curves(store, arms, options.run_dir);
  data.trainings = store.trainings();
  data.tokens = gather_tokens(store, arms);
  data.forgetting = gather_forgetting(store, arms);
  data.benchmarks = gather_benchmarks(store);
  data.signs = gather_signs(store);
  data.examples = gather_examples(store, data.outcome, options);
  data.stages = gather_stages(store);
  data.usage = gather_usage(store);
  data.run = gather_run(store, data.stages);
  return data;
}

std::string render_report(const store::RunStore& store, const ReportOptions& options) {
  return render_html(gather(store, options));
}

}  // namespace tapir::report
