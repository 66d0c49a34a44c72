#include "pipeline/status.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "evaluate/exam.h"
#include "pipeline/benchmarks.h"
#include "pipeline/floor_figures.h"
#include "pipeline/forgetting_figures.h"
#include "pipeline/held_out_figures.h"
#include "pipeline/judge_figures.h"
#include "pipeline/plan.h"
#include "pipeline/retries.h"

namespace tapir::pipeline {
namespace {

Json ledger_json(const Ledger& ledger) {
  return {{"in", ledger.in},
          {"done", ledger.done},
          {"failed", ledger.failed},
          {"filtered", ledger.filtered}};
}

std::vector<std::string> planned_stages(const store::RunStore& store) {
  std::vector<std::string> names;
  if (const auto plan = store.meta("plan")) {
    for (const Json& name : parse_json(*plan, "plan")) names.push_back(name.get<std::string>());
  }
  return names;
}

Json stage_json(const store::StageRecord& record) {
  Json out = {{"name", record.name},
              {"state", record.finished ? "done" : "begun"},
              {"seconds", record.seconds}};
  out.update(ledger_json(record.ledger));
  if (record.info.empty()) return out;
  const Json info = parse_json(record.info, "info of " + record.name);
  for (const char* figures : {"judge", "audit", "floor"}) {
    if (info.contains(figures)) out[figures] = info[figures];
  }
  return out;
}

Json student_json(const store::RunStore& store, const std::string& student) {
  const auto rows = store.exam_rows(student);
  const std::string_view set = store::main_exam_set(rows);
  const evaluate::ExamSummary summary = evaluate::summarise(rows, set);
  return {{"student", student},
          {"set", set},
          {"items", summary.all.items},
          {"macro_accuracy", summary.macro_accuracy},
          {"accuracy", summary.all.accuracy},
          {"score", summary.all.score}};
}

std::string reasons(const Json& counts) {
  std::string out;
  for (const auto& [reason, count] : counts.items()) {
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count.get<std::int64_t>(), reason);
  }
  return out;
}

// The set that the summary compares arms on.
constexpr std::string_view kGymSet = "uniform";

std::string report_line(const std::filesystem::path& run_dir) {
  return fmt::format("report              {}\n", (run_dir / "report.html").string());
}

// What waits for the user.
std::string what_to_do(const Json& status) {
  std::string out;
  std::int64_t waiting = 0;
  for (const Json& row : status["usage"]) waiting += row["waiting"].get<std::int64_t>();
  if (waiting > 0) {
    out += fmt::format("\n{} requests wait for a batch: `tapir batch export {}` writes them\n",
                       waiting, status["run"].get<std::string>());
  }
  const auto failed = status["retry"]["rows"].get<std::int64_t>();
  if (failed > 0) {
    out += fmt::format("\n{} rows failed for good: `{}` asks about them again\n", failed,
                       status["retry"]["command"].get<std::string>());
  }
  return out;
}

}  // namespace

Json status_json(const store::RunStore& store, const std::filesystem::path& run_dir) {
  Json out = {{"run", run_dir.string()}, {"fingerprint", store.meta("fingerprint").value_or("")}};
  std::map<std::string, store::StageRecord> known;
  for (store::StageRecord& record : store.stages()) known.emplace(record.name, record);
  Json stages = Json::array();
  bool finished = true;
  for (const std::string& name : planned_stages(store)) {
    const auto found = known.find(name);
    if (found == known.end()) {
      stages.push_back({{"name", name}, {"state", "waiting"}});
    } else {
      Json stage = stage_json(found->second);
      if (!found->second.finished) stage.update(ledger_json(store.count_outcomes(name)));
      stages.push_back(stage);
    }
    finished = finished && found != known.end() && found->second.finished;
  }
  out["stages"] = stages;
  std::size_t failed = 0;
  for (const auto& [stage, rows] : rows_to_retry(store)) failed += rows;
  out["retry"] = {{"rows", failed}, {"command", "tapir retry " + run_dir.string()}};
  out["finished"] = finished && !stages.empty();
  Json usage = Json::array();
  double usd = 0;
  for (const store::UsageRow& row : store.usage()) {
    usd += row.usd;
    usage.push_back({{"stage", row.stage},
                     {"role", row.role},
                     {"model", row.model},
                     {"replies", row.replies},
                     {"failed", row.failed},
                     {"waiting", row.waiting},
                     {"sends", row.sends},
                     {"prompt_tokens", row.prompt_tokens},
                     {"cached_prompt_tokens", row.cached_prompt_tokens},
                     {"completion_tokens", row.completion_tokens},
                     {"usd", row.usd}});
  }
  out["usage"] = usage;
  out["usd"] = usd;
  Json students = Json::array();
  for (const std::string& student : store.exam_students())
    students.push_back(student_json(store, student));
  out["students"] = students;
  if (const auto held_out = store.meta(kHeldOutFigures))
    out[kHeldOutFigures] = parse_json(*held_out, kHeldOutFigures);
  if (Json arms = forgetting_of_arms(store); !arms.empty()) out[kForgettingFigures] = arms;
  out["benchmarks"] = benchmarks_json(store);
  return out;
}

std::string status_text(const Json& status) {
  std::string out = fmt::format("run {}  {}\n\n", status["run"].get<std::string>(),
                                status["finished"].get<bool>() ? "finished" : "not finished");
  out += fmt::format("{:<32} {:>8} {:>8} {:>8} {:>8} {:>9}\n", "stage", "in", "done", "failed",
                     "filtered", "seconds");
  for (const Json& stage : status["stages"]) {
    const std::string state = stage["state"];
    if (state == "waiting") {
      out += fmt::format("{:<32} waiting\n", stage["name"].get<std::string>());
      continue;
    }
    std::int64_t failed = 0;
    std::int64_t filtered = 0;
    for (const auto& [reason, count] : stage["failed"].items()) failed += count.get<std::int64_t>();
    for (const auto& [reason, count] : stage["filtered"].items())
      filtered += count.get<std::int64_t>();
    out += fmt::format(
        "{:<32} {:>8} {:>8} {:>8} {:>8} {:>9.1f}{}\n", stage["name"].get<std::string>(),
        state == "done" ? std::to_string(stage["in"].get<std::int64_t>()) : "...",
        stage["done"].get<std::int64_t>(), failed, filtered, stage["seconds"].get<double>(),
        failed > 0 ? "  failed: " + reasons(stage["failed"]) : "");
  }
  for (const Json& stage : status["stages"]) {
    const std::string name = stage["name"].get<std::string>();
    if (stage.contains("judge")) out += "\n" + name + "\n" + judge_figures_text(stage["judge"]);
    if (stage.contains("audit")) out += "\n" + name + "\n" + audit_figures_text(stage["audit"]);
    if (stage.contains("floor")) out += "\n" + name + "\n" + floor_figures_text(stage["floor"]);
  }
  if (!status["usage"].empty()) out += "\n";
  for (const Json& row : status["usage"]) {
    out += fmt::format("{:<32} {} {}: {} replies, {} failed, {} + {} tokens, ${:.4f}\n",
                       row["stage"].get<std::string>(), row["role"].get<std::string>(),
                       row["model"].get<std::string>(), row["replies"].get<std::int64_t>(),
                       row["failed"].get<std::int64_t>(), row["prompt_tokens"].get<std::int64_t>(),
                       row["completion_tokens"].get<std::int64_t>(), row["usd"].get<double>());
  }
  out += what_to_do(status);
  if (!status["students"].empty()) out += "\nexam (macro accuracy)\n";
  for (const Json& row : status["students"]) {
    out += fmt::format("{:<32} {:.1f} % of {}\n", row["student"].get<std::string>(),
                       100 * row["macro_accuracy"].get<double>(), row["set"].get<std::string>());
  }
  if (const std::string benchmarks = benchmarks_text(status["benchmarks"]); !benchmarks.empty())
    out += "\n" + benchmarks;
  if (status.contains(kHeldOutFigures)) out += "\n" + held_out_text(status[kHeldOutFigures]);
  if (!status.contains(kForgettingFigures)) return out;
  for (const Json& arm : status[kForgettingFigures]) {
    if (arm["arm"] == kMainArm) out += "\n" + forgetting_text(arm);
  }
  return out;
}

std::string cost_of_stage(const store::RunStore& store, const store::StageRecord& record) {
  std::int64_t replies = 0;
  double usd = 0;
  for (const store::UsageRow& row : store.usage()) {
    if (row.stage != record.name) continue;
    replies += row.replies;
    usd += row.usd;
  }
  std::string text = fmt::format("{:.0f} s", record.seconds);
  if (replies > 0) text += fmt::format(", {} replies kept, ${:.2f} spent", replies, usd);
  return text;
}

Json inspect_json(const store::RunStore& store, const std::string& id) {
  const auto instruction = store.instruction(id);
  if (!instruction) {
    throw Error(ErrorKind::data, "the run has no instruction with the id " + id,
                "`tapir inspect RUN` without an id lists some");
  }
  Json out = {{"id", id},
              {"task", instruction->task},
              {"source", instruction->source},
              {"round", instruction->round},
              {"parent_id", instruction->parent_id},
              {"messages", parse_json(messages_to_json(instruction->messages), id)}};
  out["responses"] = Json::array();
  for (const Response& response : store.responses_of(id)) {
    out["responses"].push_back({{"author", response.author},
                                {"text", response.text},
                                {"finish_reason", to_string(response.finish_reason)},
                                {"request", response.reply_key}});
  }
  out["judgments"] = Json::array();
  for (const Judgment& judgment : store.judgments_of(id)) {
    Json row = {{"author", judgment.author},
                {"order", to_string(judgment.order)},
                {"attempt", judgment.attempt},
                {"text", judgment.text},
                {"failure", judgment.failure}};
    if (judgment.teacher_score) row["teacher"] = *judgment.teacher_score;
    if (judgment.student_score) row["student"] = *judgment.student_score;
    out["judgments"].push_back(row);
  }
  return out;
}

std::string inspect_text(const Json& record) {
  std::string out = fmt::format("instruction {}   task {}   source {}   round {}{}\n",
                                record["id"].get<std::string>(), record["task"].get<std::string>(),
                                record["source"].get<std::string>(), record["round"].get<int>(),
                                record["parent_id"].get<std::string>().empty()
                                    ? ""
                                    : "   parent " + record["parent_id"].get<std::string>());
  for (const Json& message : record["messages"]) {
    out += fmt::format("  {}: {}\n", message["role"].get<std::string>(),
                       message["content"].get<std::string>());
  }
  for (const Json& response : record["responses"]) {
    out += fmt::format("\nresponse of {} ({})\n  {}\n", response["author"].get<std::string>(),
                       response["finish_reason"].get<std::string>(),
                       response["text"].get<std::string>());
  }
  for (const Json& judgment : record["judgments"]) {
    const auto score = [&](const char* who) {
      return judgment.contains(who) ? judgment[who].dump() : std::string("-");
    };
    out += fmt::format("\njudgment of {}, {}, attempt {}: teacher {}, student {}\n  {}\n",
                       judgment["author"].get<std::string>(), judgment["order"].get<std::string>(),
                       judgment["attempt"].get<int>(), score("teacher"), score("student"),
                       judgment["text"].get<std::string>());
  }
  return out;
}

std::string inspect_overview(const store::RunStore& store) {
  std::map<int, std::int64_t> by_round;
  for (const Instruction& row : store.instructions()) ++by_round[row.round];
  std::string out;
  for (const auto& [round, rows] : by_round) {
    const std::string name = round == 0          ? "corpus D"
                             : round == kHeldOut ? "held out of the data"
                             : round < 0         ? "exam and held out"
                                                 : fmt::format("new in round {}", round);
    out += fmt::format("{:<20} {} instructions\n", name, rows);
  }
  std::vector<Fit> fits = store.fits("student/s0");
  std::stable_sort(fits.begin(), fits.end(),
                   [](const Fit& a, const Fit& b) { return a.difficulty() > b.difficulty(); });
  if (!fits.empty()) out += "\nthe hardest for S_0\n";
  for (std::size_t i = 0; i < std::min<std::size_t>(10, fits.size()); ++i) {
    out += fmt::format("  {}  {} {:.2f}\n", fits[i].instruction_id,
                       fits[i].ifd ? "ratio of losses" : "gap", fits[i].difficulty());
  }
  return out;
}

std::string summary_text(const store::RunStore& store, const std::filesystem::path& run_dir) {
  std::string out;
  const auto arms = store.meta("arms");
  const auto rounds = store.meta("rounds");
  const auto s0 = store.exam_rows("s0");
  if (!arms || !rounds || s0.empty()) return out;
  const auto select = store.stage("select");
  if (select) {
    out += fmt::format("hard instructions   {} of {}\n", select->ledger.done, select->ledger.in);
  }
  if (const auto held_out = store.meta(kHeldOutFigures))
    out += held_out_text(parse_json(*held_out, kHeldOutFigures));
  out += benchmarks_text(benchmarks_json(store));
  if (store::main_exam_set(s0) != kGymSet) return out + report_line(run_dir);
  out += fmt::format("exam, uniform       macro accuracy  (difference to S_0, 95 % interval)\n");
  out += fmt::format("  {:<17} {:>5.1f} %\n", "S_0",
                     100 * evaluate::summarise(s0, kGymSet).macro_accuracy);
  std::vector<store::ExamRow> plain;
  std::vector<store::ExamRow> main;
  for (const Json& arm : parse_json(*arms, "arms")) {
    const std::string name = arm.get<std::string>();
    const auto rows = store.exam_rows(name + "/round-" + *rounds);
    if (rows.empty()) continue;
    const auto difference = evaluate::compare(rows, s0, kGymSet, 0);
    out += fmt::format("  {:<17} {:>5.1f} %   {:+.1f} [{:+.1f}, {:+.1f}]\n", name,
                       100 * evaluate::summarise(rows, kGymSet).macro_accuracy,
                       100 * difference.difference, 100 * difference.low, 100 * difference.high);
    if (name == "plain") plain = rows;
    if (name == "tapir") main = rows;
  }
  if (!plain.empty() && !main.empty()) {
    const auto d = evaluate::compare(main, plain, kGymSet, 0);
    out += fmt::format(
        "tapir - plain       {:+.1f} [{:+.1f}, {:+.1f}] points; judged better or equal in {:.0f} % "
        "of items\n",
        100 * d.difference, 100 * d.low, 100 * d.high, 100 * d.win_rate);
  }
  return out + report_line(run_dir);
}

}  // namespace tapir::pipeline
