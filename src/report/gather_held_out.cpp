#include <algorithm>

#include "report/gather.h"

namespace tapir::report {
namespace {

HeldOutFigures figures_of(const Json& row) {
  return {row.at("items").get<std::int64_t>(), row.at("loss").get<double>(),
          row.at("score").get<double>(), row.at("reached").get<double>(),
          row.at("characters").get<double>()};
}

std::optional<HeldOutComparison> comparison_of(const Json& row, const char* key) {
  if (!row.contains(key)) return std::nullopt;
  const Json& from = row.at(key);
  const Json& loss = from.at("loss");
  const Json& wins = from.at("wins");
  const Json& characters = from.at("characters");
  HeldOutComparison comparison;
  comparison.items = from.at("items").get<std::int64_t>();
  comparison.ties = wins.at("ties").get<std::int64_t>();
  comparison.loss = loss.at("difference").get<double>();
  comparison.loss_interval = interval_of(loss.at("interval"));
  comparison.loss_p = loss.at("p").get<double>();
  comparison.wins = wins.at("share").get<double>();
  comparison.wins_interval = interval_of(wins.at("interval"));
  comparison.characters = characters.at("difference").get<double>();
  comparison.characters_interval = interval_of(characters.at("interval"));
  return comparison;
}

HeldOutStudent student_of(const Json& row, const Arms& arms) {
  HeldOutStudent student;
  student.student = row.at("student").get<std::string>();
  student.arm = parse_student(student.student).arm;
  student.label = label_of(student.student, arms);
  student.main = !student.arm.empty() && student.arm == arms.main;
  student.all = figures_of(row);
  for (const auto& [source, part] : row.at("by_source").items())
    student.by_source[source] = figures_of(part);
  student.to_s0 = comparison_of(row, "to_s0");
  student.to_plain = comparison_of(row, "to_plain");
  return student;
}

}  // namespace

// The run's own figures, as the pipeline keeps them after every exam.
std::optional<HeldOut> gather_held_out(const store::RunStore& store, const Arms& arms) {
  const Json figures = read_info(store.meta("held_out").value_or(""));
  if (!figures.is_object()) return std::nullopt;
  HeldOut held_out;
  held_out.items = figures.at("items").get<std::int64_t>();
  held_out.reference_characters = figures.at("reference").at("characters").get<double>();
  for (const Json& row : figures.at("students")) held_out.students.push_back(student_of(row, arms));
  const auto place = [](const HeldOutStudent& s) { return s.arm.empty() ? 0 : (s.main ? 2 : 1); };
  std::stable_sort(held_out.students.begin(), held_out.students.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
  return held_out;
}

}  // namespace tapir::report
