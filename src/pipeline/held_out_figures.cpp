#include "pipeline/held_out_figures.h"

#include <algorithm>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "base/strings.h"
#include "evaluate/held_out.h"
#include "pipeline/plan.h"

namespace tapir::pipeline {
namespace {

using Rows = std::vector<store::ExamRow>;

Json figures_json(const Rows& rows) {
  const evaluate::HeldOutFigures f = evaluate::held_out_figures(rows);
  return {{"items", f.items},
          {"loss", f.loss},
          {"score", f.score},
          {"reached", f.reached},
          {"characters", f.characters}};
}

Json difference_json(const evaluate::PairedDifference& d) {
  return {{"difference", d.value}, {"interval", {d.interval.low, d.interval.high}}, {"p", d.p}};
}

Json comparison_json(const Rows& a, const Rows& b, std::uint64_t seed) {
  const evaluate::HeldOutComparison c = evaluate::compare_held_out(a, b, seed);
  return {{"items", c.items},
          {"loss", difference_json(c.loss)},
          {"wins",
           {{"share", c.wins},
            {"interval", {c.wins_interval.low, c.wins_interval.high}},
            {"ties", c.ties}}},
          {"characters", difference_json(c.characters)}};
}

Json by_source(const Rows& rows, const std::map<std::string, std::string>& source_of) {
  std::map<std::string, Rows> parts;
  for (const store::ExamRow& row : rows) parts[source_of.at(row.item_id)].push_back(row);
  Json out = Json::object();
  for (const auto& [source, part] : parts) out[source] = figures_json(part);
  return out;
}

// "tapir/round-2" -> "plain/round-2"; empty for S_0 and for plain itself.
std::string baseline_of(const std::string& student) {
  const std::size_t slash = student.find('/');
  if (slash == std::string::npos || student.substr(0, slash) == kBaselineArm) return {};
  return kBaselineArm + student.substr(slash);
}

std::string with_interval(const Json& value, const Json& interval, double factor,
                          const char* pattern) {
  const auto shown = [&](const Json& number) {
    return fmt::format(fmt::runtime(pattern), factor * number.get<double>());
  };
  return fmt::format("{} [{}, {}]", shown(value), shown(interval.at(0)), shown(interval.at(1)));
}

std::string comparison_text(const Json& row, const char* key, const char* other) {
  if (!row.contains(key)) return {};
  const Json& c = row[key];
  return fmt::format(
      "  against {:<6} loss {}   wins {} %   characters {}\n", other,
      with_interval(c["loss"]["difference"], c["loss"]["interval"], 1, "{:+.3f}"),
      with_interval(c["wins"]["share"], c["wins"]["interval"], 100, "{:.1f}"),
      with_interval(c["characters"]["difference"], c["characters"]["interval"], 1, "{:+.0f}"));
}

}  // namespace

Json held_out_json(const store::RunStore& store, const Corpus& held_out, std::uint64_t seed) {
  std::map<std::string, std::string> source_of;
  double characters = 0;
  for (const Instruction& row : held_out.rows) {
    source_of[row.id] = row.source;
    characters += static_cast<double>(count_code_points(held_out.answers.at(row.id)));
  }
  std::map<std::string, Rows> sat;
  for (const std::string& student : store.exam_students()) {
    Rows rows = store.exam_rows(student);
    std::erase_if(rows, [](const auto& row) { return row.set != store::kHeldOutSet; });
    if (!rows.empty()) sat.emplace(student, std::move(rows));
  }
  const auto s0 = sat.find("s0");
  Json students = Json::array();
  for (const auto& [student, rows] : sat) {
    Json row = figures_json(rows);
    row["student"] = student;
    row["by_source"] = by_source(rows, source_of);
    if (student != "s0" && s0 != sat.end()) row["to_s0"] = comparison_json(rows, s0->second, seed);
    const auto plain = sat.find(baseline_of(student));
    if (plain != sat.end()) row["to_plain"] = comparison_json(rows, plain->second, seed);
    students.push_back(std::move(row));
  }
  return {{"items", source_of.size()},
          {"reference",
           {{"characters",
             characters / static_cast<double>(std::max<std::size_t>(1, source_of.size()))}}},
          {"students", students}};
}

std::string held_out_text(const Json& figures) {
  std::string out = fmt::format(
      "held-out rows       {} of them; the recorded answers have {:.0f} characters; intervals "
      "95 %, paired\n",
      figures["items"].get<std::int64_t>(), figures["reference"]["characters"].get<double>());
  for (const Json& row : figures["students"]) {
    out += fmt::format(
        "{:<20} loss {:.3f}   judge's score {:.2f}   reach the answer {:.1f} %   {:.0f} "
        "characters\n",
        row["student"].get<std::string>(), row["loss"].get<double>(), row["score"].get<double>(),
        100 * row["reached"].get<double>(), row["characters"].get<double>());
    out += comparison_text(row, "to_s0", "S_0") + comparison_text(row, "to_plain", "plain");
  }
  return out;
}

}  // namespace tapir::pipeline
