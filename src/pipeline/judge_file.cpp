#include "pipeline/judge_file.h"

#include <chrono>
#include <memory>
#include <optional>
#include <set>

#include "base/clock.h"
#include "base/error.h"
#include "difficulty/difficulty.h"
#include "difficulty/judge_statistics.h"
#include "pipeline/judge_figures.h"
#include "pipeline/options.h"
#include "pipeline/row_files.h"
#include "pipeline/row_judges.h"
#include "pipeline/rubric_rows.h"

namespace tapir::pipeline {
namespace {

constexpr const char* kStudent = "student";  // author of the answers that are compared

struct StudentAnswer {
  std::string text;
  bool truncated = false;
};

std::string id_text(const Json& id) { return id.is_string() ? id.get<std::string>() : id.dump(); }

// {"id", "response", "finish_reason"?} by id. A row without a response (it could not be answered)
// is passed over.
std::map<std::string, StudentAnswer> read_answers(const std::string& file) {
  std::map<std::string, StudentAnswer> answers;
  for_each_jsonl(file, [&](const Json& row, const std::string& where) {
    if (!row.contains("response")) return;
    const std::string id = id_text(json_get<Json>(row, "id", where));
    const auto finish = json_get_or<std::string>(row, "finish_reason", "stop", where);
    const bool cut = parse_finish_reason(finish, where) == FinishReason::length;
    if (!answers.emplace(id, StudentAnswer{json_get<std::string>(row, "response", where), cut})
             .second) {
      throw Error(ErrorKind::data, where + ": the id \"" + id + "\" came before",
                  "each instruction has one answer of the student");
    }
  });
  return answers;
}

std::optional<StudentAnswer> own_answer(const dataset::DataRow& row) {
  const auto found = row.fields.find("student_response");
  if (found == row.fields.end() || found->is_null()) return std::nullopt;
  return StudentAnswer{
      json_get<std::string>(row.fields, "student_response", row.where),
      json_get_or<std::string>(row.fields, "student_finish_reason", "", row.where) == "length"};
}

// The pairs that can be judged.
std::vector<difficulty::Pair> pairs_of(const std::vector<dataset::DataRow>& rows,
                                       const std::string& student_file) {
  std::map<std::string, StudentAnswer> answers;
  if (!student_file.empty()) answers = read_answers(student_file);
  std::vector<difficulty::Pair> pairs;
  for (const dataset::DataRow& row : rows) {
    std::optional<StudentAnswer> answer;
    if (student_file.empty()) {
      answer = own_answer(row);
    } else if (const auto found = answers.find(row.instruction.id); found != answers.end()) {
      answer = found->second;
    }
    if (!answer || !row.response) continue;
    pairs.push_back({row.instruction, *row.response, answer->text, kStudent, answer->truncated});
  }
  if (pairs.empty()) {
    throw Error(ErrorKind::data, "not one row has both a teacher's and a student's answer",
                "rows need \"response\" (the teacher's) and \"student_response\", or give the "
                "student's answers with --student FILE (as `tapir generate` writes them)");
  }
  return pairs;
}

// Pairs without a readable judgment, by id, with the last reason.
std::map<std::string, std::string> failed_pairs(const std::vector<Judgment>& judgments) {
  std::map<std::string, std::string> failed;
  std::set<std::string> read;
  for (const Judgment& judgment : judgments) {
    if (judgment.failure.empty()) {
      read.insert(judgment.instruction_id);
    } else {
      failed[judgment.instruction_id] = judgment.failure;
    }
  }
  for (const std::string& id : read) failed.erase(id);
  return failed;
}

// By the requirements that the rows bring; somebody is asked only where the recipe names them.
std::vector<Judgment> judge_by_components(const Recipe& recipe, const JudgeFileOptions& options,
                                          const std::vector<dataset::DataRow>& rows,
                                          const std::vector<difficulty::Pair>& pairs,
                                          ProgressSink& progress, const std::stop_token& stop,
                                          JudgeFileSummary& summary) {
  std::vector<Judgment> judgments;
  const auto keep = [&](const Judgment& judgment) { judgments.push_back(judgment); };
  const difficulty::Rubrics rubrics = rubrics_of(rows);
  const prompting::PromptSet prompts = prompts_of(recipe);
  const bool by_teacher = recipe.judge_rubric.role == "teacher";
  const RoleName role = by_teacher ? RoleName::teacher : RoleName::auditor;
  std::unique_ptr<FileStage> stage;
  difficulty::RubricJudge judge{rubrics, prompts};
  if (recipe.judge_rubric.role != "none") {
    stage = std::make_unique<FileStage>(recipe, options.files, "judge", progress, stop);
    judge.model = &stage->model(role);
  }
  const auto judged = difficulty::judge_by_rubric(judge, pairs, {}, confirming_options(recipe),
                                                  keep, progress, stop);
  if (stage != nullptr) {
    stage->check_complete(judged.judged.complete, role);
    stage->finish(failed_pairs(judgments));
    summary.usd = stage->usd();
  } else if (!judged.judged.complete) {
    throw Error(ErrorKind::interrupted, "interrupted: nothing was written");
  }
  summary.components = component_figures(judged.by_kind);
  return judgments;
}

std::vector<Judgment> judge(const Recipe& recipe, const JudgeFileOptions& options,
                            const std::vector<dataset::DataRow>& rows,
                            const std::vector<difficulty::Pair>& pairs, ProgressSink& progress,
                            std::stop_token stop, JudgeFileSummary& summary) {
  if (recipe.judge.kind == "rubric")
    return judge_by_components(recipe, options, rows, pairs, progress, stop, summary);
  std::vector<Judgment> judgments;
  const auto keep = [&](const Judgment& judgment) { judgments.push_back(judgment); };
  const prompting::PromptSet prompts = prompts_of(recipe);
  std::optional<FileStage> stage;  // when a model has to be asked
  const RowJudges judges(recipe, prompts, [&]() -> llm::ChatModel& {
    stage.emplace(recipe, options.files, "judge", progress, stop);
    return stage->model(RoleName::judge);
  });
  const auto judged = judges.judge(pairs, {}, keep, progress, stop);
  if (stage) {
    stage->check_complete(judged.complete, RoleName::judge);
    stage->finish(failed_pairs(judgments));
    summary.usd = stage->usd();
  } else if (!judged.complete) {
    throw Error(ErrorKind::interrupted, "interrupted: nothing was written");
  }
  return judgments;
}

Json scores_of(const Fit& fit) {
  return {{"teacher", fit.teacher_score}, {"student", fit.student_score}, {"gap", fit.gap()}};
}

}  // namespace

JudgeFileSummary judge_file(const Recipe& recipe, const JudgeFileOptions& options,
                            ProgressSink& progress, std::stop_token stop) {
  const auto start = std::chrono::steady_clock::now();
  const std::vector<dataset::DataRow> rows = read_rows_of(options.files);
  const std::vector<difficulty::Pair> pairs = pairs_of(rows, options.student);
  JudgeFileSummary summary;
  const std::vector<Judgment> judgments =
      judge(recipe, options, rows, pairs, progress, stop, summary);

  std::map<std::string, std::vector<Judgment>> by_id;
  for (const Judgment& judgment : judgments) by_id[judgment.instruction_id].push_back(judgment);
  std::map<std::string, bool> truncated;
  for (const difficulty::Pair& pair : pairs) truncated[pair.instruction.id] = pair.truncated;
  RowsOut out(options.files.output);
  for (const dataset::DataRow& row : rows) {
    const std::string& id = row.instruction.id;
    const auto found = by_id.find(id);
    const auto fit =
        found == by_id.end() ? std::nullopt : difficulty::fit_of(found->second, truncated.at(id));
    Json written = row_to_write(row);
    ++summary.rows;
    if (fit) {
      ++summary.judged;
      summary.hard += difficulty::is_hard(*fit, select_options(recipe)) ? 1 : 0;
      written["scores"] = scores_of(*fit);
      written["orders"] = fit->orders;
      written["truncated"] = fit->truncated;
    } else {
      const std::string reason = found == by_id.end() ? "no_answer" : found->second.back().failure;
      ++summary.failed[reason];
      written["scores"] = nullptr;
      written["failure"] = reason;
    }
    out.add(written);
  }
  out.finish();
  const difficulty::JudgeOptions judging = judge_options(recipe);
  summary.judge =
      judge_figures(difficulty::judge_statistics(judgments, {judging.threshold, judging.strict}));
  summary.seconds = seconds_since(start);
  return summary;
}

}  // namespace tapir::pipeline
