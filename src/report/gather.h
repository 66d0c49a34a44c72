// The parts of gather(). Inside this folder only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "report/report.h"

namespace tapir::report {

inline constexpr std::string_view kMainArm = "tapir";
inline constexpr std::string_view kBaselineArm = "plain";
inline constexpr std::string_view kS0 = "s0";

// "tapir/round-2" -> {"tapir", 2}; "s0" -> {"", 0}; anything else: arm "" and round -1.
struct StudentName {
  std::string arm;
  int round = -1;
};
StudentName parse_student(std::string_view name);

// The arms in the order they are shown: the others first, the main arm last.
struct Arms {
  std::vector<std::string> names;
  std::string main;           // "tapir", or the last arm; empty when there is none
  int rounds = 0;             // planned; 0: unknown
  std::string final_student;  // of the main arm when a gate stopped it early; else empty
};
Arms find_arms(const store::RunStore& store);

Outcome gather_outcome(const store::RunStore& store, const Arms& arms,
                       const ReportOptions& options);
// "S_0", "plain", "tapir (round 2)" of a student that is not its arm's last.
std::string label_of(const std::string& student, const Arms& arms);
std::optional<HeldOut> gather_held_out(const store::RunStore& store, const Arms& arms);
std::vector<ArmForgetting> gather_forgetting(const store::RunStore& store, const Arms& arms);
Difficulty gather_difficulty(const store::RunStore& store);
// info: of the stage "difficulty".
std::optional<JudgeQuality> gather_judge(const store::RunStore& store, const Json& info);
std::vector<ArmTeaching> gather_teaching(const store::RunStore& store, const Arms& arms,
                                         const Difficulty& difficulty);
// What the stage "floor" of that arm and round left, added to the arm's rows.
void gather_floor(const store::RunStore& store, int round, ArmTeaching& teaching);
std::vector<Curve> gather_curves(const store::RunStore& store, const Arms& arms,
                                 const std::filesystem::path& run_dir);
std::vector<ArmTokens> gather_tokens(const store::RunStore& store, const Arms& arms);
Examples gather_examples(const store::RunStore& store, const Outcome& outcome,
                         const ReportOptions& options);
std::vector<StageRow> gather_stages(const store::RunStore& store);
std::vector<store::UsageRow> gather_usage(const store::RunStore& store);
Benchmarks gather_benchmarks(const store::RunStore& store);
Signs gather_signs(const store::RunStore& store);
RunFacts gather_run(const store::RunStore& store, const std::vector<StageRow>& stages);

// gap > threshold, or >= where the run is not strict; a ratio of losses below 1 besides.
bool is_hard(const Difficulty& difficulty, double gap);

// JSON that the pipeline wrote for the report (meta values, stages' info); what is missing or
// unreadable is null.
Json read_info(const std::string& text);
// [low, high]
stats::Interval interval_of(const Json& bounds);
// A figure of such an object, or what it is without one.
template <typename T>
T figure(const Json& figures, const char* name, T fallback) {
  const auto found = figures.find(name);
  return found != figures.end() && found->is_number() ? found->get<T>() : fallback;
}

}  // namespace tapir::report
