#include "pipeline/data_commands.h"

#include <optional>

#include <fmt/format.h>

#include "base/error.h"
#include "dataset/write_rows.h"
#include "pipeline/row_files.h"

namespace tapir::pipeline {
namespace {

constexpr std::size_t kExamples = 10;  // of contaminated rows, in a report

// A data set with what cleaning found.
struct Looked {
  std::vector<dataset::DataRow> rows;
  std::optional<dataset::EvaluationIndex> evaluation;
  std::vector<dataset::Removal> removals;
};

Looked look(const DataCommand& command) {
  Looked looked;
  looked.rows = dataset::read_instructions(command.inputs);
  if (!command.against.empty()) {
    looked.evaluation.emplace(dataset::read_evaluation_items(command.against),
                              command.contamination);
  }
  looked.removals =
      dataset::clean(looked.rows, command.clean, looked.evaluation ? &*looked.evaluation : nullptr);
  return looked;
}

std::map<std::string, EvaluationReport> evaluation_report(const Looked& looked) {
  std::map<std::string, EvaluationReport> report;
  if (!looked.evaluation) return report;
  for (const auto& item : looked.evaluation->items()) ++report[item.set].items;
  // Asked again for the few rows that are concerned: a row may be left out for another reason
  // first.
  for (const dataset::DataRow& row : looked.rows) {
    const auto hit = looked.evaluation->find(row.instruction.messages);
    if (!hit) continue;
    const auto& item = looked.evaluation->items()[hit->item];
    EvaluationReport& set = report[item.set];
    ++set.found;
    if (set.examples.size() < kExamples) set.examples.emplace_back(row.instruction.id, item.id);
  }
  return report;
}

DataReport report_of(const Looked& looked) {
  DataReport report;
  report.statistics = dataset::statistics(looked.rows);
  report.reasons = dataset::count_reasons(looked.removals);
  report.evaluation = evaluation_report(looked);
  report.kept = looked.rows.size() - looked.removals.size();
  return report;
}

Json lengths_json(const dataset::Lengths& lengths) {
  return {{"count", lengths.count},   {"mean", lengths.mean}, {"least", lengths.least},
          {"median", lengths.median}, {"p90", lengths.p90},   {"p99", lengths.p99},
          {"most", lengths.most}};
}

std::string lengths_text(const dataset::Lengths& lengths) {
  return fmt::format("{} - {}, median {}, mean {:.0f}, 90 % up to {}, 99 % up to {}", lengths.least,
                     lengths.most, lengths.median, lengths.mean, lengths.p90, lengths.p99);
}

// "a 12, b 3"
std::string counts_text(const std::map<std::string, std::size_t>& counts) {
  std::string text;
  for (const auto& [name, count] : counts)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name.empty() ? "(none)" : name, count);
  return text;
}

}  // namespace

DataReport data_stats(const DataCommand& command) { return report_of(look(command)); }

DataReport data_clean(const DataCommand& command, const std::string& output,
                      const std::string& removed) {
  if (output == removed) {
    throw Error(ErrorKind::usage, "the rows that are kept and those that are not go to one file",
                "name two, or leave --removed out");
  }
  const Looked looked = look(command);
  RowsOut kept_rows(output);
  RowsOut other_rows(removed);
  const dataset::QuestionKey key = dataset::question_key(looked.rows);
  auto removal = looked.removals.begin();
  for (std::size_t i = 0; i < looked.rows.size(); ++i) {
    OrderedJson row = dataset::row_json(looked.rows[i], key);
    if (removal == looked.removals.end() || removal->row != i) {
      kept_rows.add(row);
      continue;
    }
    row["reason"] = removal->reason;
    row["detail"] = removal->detail;
    other_rows.add(row);
    ++removal;
  }
  // The rows that are left out first: should the disk fill up, nothing looks as if it were lost.
  if (!removed.empty()) other_rows.finish();
  kept_rows.finish();
  return report_of(looked);
}

Json data_report_json(const DataReport& report) {
  const dataset::Statistics& s = report.statistics;
  Json evaluation = Json::object();
  for (const auto& [set, one] : report.evaluation) {
    Json examples = Json::array();
    for (const auto& [row, item] : one.examples) examples.push_back({{"id", row}, {"item", item}});
    evaluation[set] = {{"items", one.items}, {"rows_found", one.found}, {"examples", examples}};
  }
  return {{"rows", s.rows},
          {"kept", report.kept},
          {"removed", report.reasons},
          {"evaluation", evaluation},
          {"with_response", s.with_response},
          {"with_system", s.with_system},
          {"with_history", s.with_history},
          {"instruction_characters", lengths_json(s.instructions)},
          {"response_characters", lengths_json(s.responses)},
          {"sources", s.sources},
          {"tasks", s.tasks},
          {"scripts", s.scripts}};
}

std::string data_report_text(const DataReport& report) {
  const dataset::Statistics& s = report.statistics;
  std::string text =
      fmt::format("{} rows; {} with a response, {} with a system message, {} with earlier turns\n",
                  s.rows, s.with_response, s.with_system, s.with_history);
  text += "instructions, characters: " + lengths_text(s.instructions) + "\n";
  text += "responses, characters: " + lengths_text(s.responses) + "\n";
  text += "sources: " + counts_text(s.sources) + "\n";
  text += "tasks: " + counts_text(s.tasks) + "\n";
  text += "scripts: " + counts_text(s.scripts) + "\n";
  text += fmt::format("cleaning keeps {}; it leaves out: {}\n", report.kept,
                      report.reasons.empty() ? "nothing" : counts_text(report.reasons));
  for (const auto& [set, one] : report.evaluation) {
    text += fmt::format("{}: {} items, found in {} rows", set, one.items, one.found);
    for (std::size_t i = 0; i < one.examples.size(); ++i) {
      text += fmt::format("{}{} (item {})", i == 0 ? ": " : ", ", one.examples[i].first,
                          one.examples[i].second);
    }
    text += one.found > one.examples.size() ? ", ...\n" : "\n";
  }
  return text;
}

}  // namespace tapir::pipeline
