#include "pipeline/compliance_file.h"

#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "pipeline/row_files.h"
#include "pipeline/signs.h"
#include "rubric/read_rubric.h"

namespace tapir::pipeline {
namespace {

using rubric::Strictness;

struct Row {
  std::string id;
  std::string prompt;
  rubric::Rubric rubric;
};

std::string text_of(const Json& id) { return id.is_string() ? id.get<std::string>() : id.dump(); }

// "id", else IFEval's "key".
std::optional<std::string> id_of(const Json& row) {
  for (const char* key : {"id", "key"}) {
    if (row.contains(key) && !row[key].is_null()) return text_of(row[key]);
  }
  return std::nullopt;
}

std::string prompt_of(const Json& row, const std::string& where) {
  for (const char* key : {"prompt", "instruction"}) {
    if (row.contains(key)) {
      const auto prompt = json_get<std::string>(row, key, where);
      const auto input = json_get_or<std::string>(row, "input", "", where);
      return input.empty() ? prompt : prompt + "\n\n" + input;
    }
  }
  const Messages messages =
      messages_from_json(json_get<Json>(row, "messages", where).dump(), where);
  if (messages.empty()) throw Error(ErrorKind::data, where + ": messages is empty");
  return messages.back().content;
}

std::vector<Row> read_rows(const std::string& file) {
  std::vector<Row> rows;
  std::set<std::string> ids;
  for_each_jsonl(file, [&](const Json& row, const std::string& where) {
    const auto id = id_of(row);
    if (!id) throw Error(ErrorKind::data, where + ": expected a key \"id\" or \"key\", found none");
    if (!ids.insert(*id).second)
      throw Error(ErrorKind::data, fmt::format("{}: the id \"{}\" came before", where, *id));
    rows.push_back({*id, prompt_of(row, where), rubric::read_rubric(row, where)});
  });
  if (rows.empty()) throw Error(ErrorKind::data, file + ": no rows");
  return rows;
}

// The answers of a file, each to the row that it names by id or by prompt.
class Answers {
 public:
  Answers(const std::vector<Row>& rows, const ComplianceOptions& options,
          ComplianceSummary& summary)
      : options_(options), summary_(summary) {
    for (const Row& row : rows) {
      ids_.insert(row.id);
      ids_by_prompt_[row.prompt].push_back(row.id);
    }
    for_each_jsonl(options.answers,
                   [&](const Json& row, const std::string& where) { add(row, where); });
  }

  const std::string* find(const std::string& id) const {
    const auto found = answers_.find(id);
    return found == answers_.end() ? nullptr : &found->second;
  }

 private:
  // A row without a response could not be answered.
  void add(const Json& row, const std::string& where) {
    const std::vector<std::string> asked = asked_by(row, where);
    if (asked.empty()) {
      ++summary_.extra;
      if (options_.allow_extra) return;
      throw Error(ErrorKind::data, where + ": an answer to no row of " + options_.input,
                  "give the rows that were answered, or pass over such answers with --allow-extra");
    }
    if (!row.contains("response") || row["response"].is_null()) return;
    const auto response = json_get<std::string>(row, "response", where);
    for (const std::string& id : asked) take(id, response, where);
  }

  std::vector<std::string> asked_by(const Json& row, const std::string& where) const {
    if (const auto id = id_of(row)) {
      return ids_.contains(*id) ? std::vector<std::string>{*id} : std::vector<std::string>{};
    }
    const auto found = ids_by_prompt_.find(json_get<std::string>(row, "prompt", where));
    return found == ids_by_prompt_.end() ? std::vector<std::string>{} : found->second;
  }

  void take(const std::string& id, const std::string& response, const std::string& where) {
    const auto [place, fresh] = answers_.emplace(id, response);
    if (fresh) return;
    ++summary_.duplicate;
    if (options_.duplicates == evaluate::Duplicates::error) {
      throw Error(ErrorKind::data, fmt::format("{}: row \"{}\" has an answer already", where, id),
                  "--duplicates first or last takes one of them");
    }
    if (options_.duplicates == evaluate::Duplicates::last) place->second = response;
  }

  const ComplianceOptions& options_;
  ComplianceSummary& summary_;
  std::set<std::string> ids_;
  std::map<std::string, std::vector<std::string>> ids_by_prompt_;
  std::map<std::string, std::string> answers_;
};

OrderedJson findings_of(const evaluate::CheckedAnswer& answer) {
  OrderedJson components = OrderedJson::array();
  for (const auto& one : answer.components) {
    OrderedJson component = {{"id", one.id}, {"kind", one.kind}};
    if (!one.source.empty()) component["instruction_id"] = one.source;
    component["strict"] = one.strict;
    component["loose"] = one.loose;
    component["found"] = one.words;
    components.push_back(std::move(component));
  }
  return {{"id", answer.id},
          {"follow_all_strict", answer.kept(Strictness::strict)},
          {"follow_all_loose", answer.kept(Strictness::loose)},
          {"components", std::move(components)}};
}

void note_conflicts(const Row& row, ComplianceSummary& summary) {
  for (const rubric::Conflict& one : rubric::conflicts_of(row.rubric)) {
    summary.conflicts.push_back(
        fmt::format("{}: {} and {}: {}", row.id, one.first, one.second, one.why));
  }
}

Json rates_json(const std::map<std::string, evaluate::Rate>& rates) {
  Json out = Json::object();
  for (const auto& [name, rate] : rates)
    out[name] = {{"accuracy", rate.share()}, {"kept", rate.kept}, {"all", rate.all}};
  return out;
}

Json one_json(const evaluate::Compliance& one) {
  Json out = {
      {"prompt_accuracy", one.prompts.share()},  {"prompt_low", one.prompts_between.low},
      {"prompt_high", one.prompts_between.high}, {"instruction_accuracy", one.instructions.share()},
      {"by_group", rates_json(one.by_group)},    {"by_kind", rates_json(one.by_kind)}};
  if (!one.by_source.empty()) out["by_instruction_id"] = rates_json(one.by_source);
  return out;
}

std::string line_of(std::string_view name, const evaluate::Rate& strict,
                    const evaluate::Rate& loose) {
  return fmt::format("  {:<42} {:>5} {:>8.1f} {:>8.1f}\n", name, strict.all, 100 * strict.share(),
                     100 * loose.share());
}

}  // namespace

ComplianceSummary check_compliance(const ComplianceOptions& options) {
  if (options.duplicates == evaluate::Duplicates::average)
    throw Error(ErrorKind::usage, "--duplicates: of several answers there is no average",
                "known: error, first, last");
  const std::vector<Row> rows = read_rows(options.input);
  ComplianceSummary summary;
  const Answers answers(rows, options, summary);
  std::vector<evaluate::CheckedAnswer> checked;
  std::vector<std::string> texts;
  for (const Row& row : rows) {
    ++summary.rows;
    note_conflicts(row, summary);
    const std::string* answer = answers.find(row.id);
    const evaluate::CheckedAnswer one =
        evaluate::check_answer(row.id, row.rubric, answer == nullptr ? "" : *answer);
    summary.judged += one.judged;
    if (one.components.empty()) {
      ++summary.without;
    } else if (answer == nullptr) {
      summary.missing.push_back(row.id);
    } else {
      ++summary.answered;
      checked.push_back(one);
      texts.push_back(*answer);
    }
  }
  summary.outputs.who = "answers";
  summary.outputs.asked = static_cast<std::int64_t>(texts.size() + summary.missing.size());
  summary.outputs.own = evaluate::look_at(texts);
  summary.signs = evaluate::output_warnings(summary.outputs);
  summary.strict = evaluate::compliance_of(checked, Strictness::strict);
  summary.loose = evaluate::compliance_of(checked, Strictness::loose);
  if (options.output.empty()) return summary;
  RowsOut out(options.output);
  for (const auto& answer : checked) out.add(findings_of(answer));
  out.finish();
  return summary;
}

Json compliance_json(const ComplianceSummary& s) {
  return {{"rows", s.rows},
          {"without_components", s.without},
          {"prompts", s.answered},
          {"instructions", s.strict.instructions.all},
          {"missing", s.missing},
          {"duplicate_answers", s.duplicate},
          {"extra_answers", s.extra},
          {"judged_components_left_out", s.judged},
          {"conflicts", s.conflicts},
          {"outputs", output_figures(s.outputs)},
          {"signs", s.signs},
          {"strict", one_json(s.strict)},
          {"loose", one_json(s.loose)}};
}

std::string compliance_text(const ComplianceSummary& s) {
  std::string out =
      fmt::format("{} prompts, {} instructions; followed, in %:\n  {:<42} {:>5} {:>8} {:>8}\n",
                  s.answered, s.strict.instructions.all, "", "", "strict", "loose");
  out += line_of("prompts (all their instructions)", s.strict.prompts, s.loose.prompts);
  out += fmt::format("  {:<42} {:>5} {:>8} {:>8}\n", "  95 % interval", "",
                     fmt::format("{:.1f}-{:.1f}", 100 * s.strict.prompts_between.low,
                                 100 * s.strict.prompts_between.high),
                     fmt::format("{:.1f}-{:.1f}", 100 * s.loose.prompts_between.low,
                                 100 * s.loose.prompts_between.high));
  out += line_of("instructions", s.strict.instructions, s.loose.instructions);
  const bool ifeval = !s.strict.by_source.empty();
  const auto& strict = ifeval ? s.strict.by_source : s.strict.by_kind;
  const auto& loose = ifeval ? s.loose.by_source : s.loose.by_kind;
  for (const auto& [name, rate] : strict) out += line_of("  " + name, rate, loose.at(name));
  if (s.judged > 0)
    out += fmt::format("{} requirements need a judge and are in no figure\n", s.judged);
  for (const std::string& conflict : s.conflicts)
    out += "warning: no answer can keep both: " + conflict + "\n";
  for (const std::string& sign : s.signs) out += "warning: " + sign + "\n";
  if (!s.missing.empty()) {
    out += fmt::format("{} rows have no answer and are in no figure, such as \"{}\"\n",
                       s.missing.size(), s.missing.front());
  }
  return out;
}

std::int64_t write_compliance_prompts(const std::string& input, const std::string& output) {
  const std::vector<Row> rows = read_rows(input);
  RowsOut out(output);
  for (const Row& row : rows) {
    const OrderedJson message = {{"role", "user"}, {"content", row.prompt}};
    out.add(OrderedJson{{"id", row.id}, {"messages", OrderedJson::array({message})}});
  }
  out.finish();
  return static_cast<std::int64_t>(rows.size());
}

}  // namespace tapir::pipeline
