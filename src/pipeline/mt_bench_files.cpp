#include "pipeline/mt_bench_files.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "evaluate/mt_bench_ask.h"
#include "pipeline/file_stage.h"
#include "pipeline/mt_bench_layout.h"
#include "pipeline/options.h"
#include "pipeline/row_files.h"
#include "prompting/mt_prompts.h"

namespace tapir::pipeline {
namespace {

using evaluate::MtGrade;
using evaluate::MtGradeTask;
using evaluate::MtQuestion;

// The name under which a role's replies stand in files.
std::string name_of(const ModelPart& part, const std::string& gym) {
  if (part.kind == "gym") return gym;
  return part.kind == "student" ? student_name_of(part) : part.model;
}

// Nothing of another command is written over by mistake: a file is ours when its replies are there.
void check_output(const std::filesystem::path& output, const StageFiles& files, bool overwrite) {
  const auto store = files.store.empty() ? beside(output, ".tapir") : files.store;
  if (overwrite || !std::filesystem::exists(output) || std::filesystem::exists(store)) return;
  throw Error(ErrorKind::usage, output.string() + ": is there, and not from this command",
              "--overwrite replaces it; --output or --model-id names another file");
}

// The gym's models stand in where nobody else is named, and know the gym's tasks only.
void need_more_than_the_gym(const ModelPart& part, const std::string& role, bool useless) {
  if (part.kind != "gym" || !useless) return;
  throw Error(ErrorKind::usage,
              role + ".kind is gym, which knows the gym's own tasks only: nothing came of it",
              "name who is asked: --set " + role + ".kind=openai " + role + ".model=... '" + role +
                  ".endpoints=[{base_url: ...}]'" +
                  (role == "candidate" ? ", or a student's folder with --model" : ""));
}

void make_parent(const std::filesystem::path& file) {
  std::error_code failure;
  if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), failure);
  if (failure) {
    throw Error(ErrorKind::data,
                "cannot make the folder " + file.parent_path().string() + ": " + failure.message());
  }
}

// What is judged, and what must be said of it.
struct Judging {
  std::vector<MtQuestion> questions;
  std::vector<MtAnswerFile> models;
  MtReferenceSet references;
  prompting::MtPrompts prompts;
};

Judging read_judging(const Recipe& recipe, const MtJudgeFileOptions& options) {
  std::vector<MtQuestion> questions = mt_questions_of(options.files);
  std::vector<MtAnswerFile> models;
  for (const auto& file : mt_answer_files(options.files, options.models))
    models.push_back(read_mt_answers(file, questions, options.duplicates));
  MtReferenceSet references = read_mt_references(options.files, options.references, questions);
  auto prompts = options.judge_prompts.empty()
                     ? prompting::MtPrompts::ours(prompts_of(recipe))
                     : prompting::MtPrompts::fastchat(options.judge_prompts);
  return {std::move(questions), std::move(models), std::move(references), std::move(prompts)};
}

std::vector<MtGradeTask> single_tasks_of(const Judging& judging, int repeats) {
  std::vector<MtGradeTask> tasks;
  for (const MtAnswerFile& model : judging.models) {
    auto more = evaluate::single_tasks(judging.questions, model.answers, judging.references.turns,
                                       judging.prompts, repeats);
    std::move(more.begin(), more.end(), std::back_inserter(tasks));
  }
  return tasks;
}

std::vector<MtGradeTask> pair_tasks_of(const Judging& judging, const std::string& baseline) {
  std::vector<MtGradeTask> tasks;
  const auto add = [&](const MtAnswerFile& a, const MtAnswerFile& b) {
    auto more = evaluate::pair_tasks(judging.questions, a.answers, b.answers,
                                     judging.references.turns, judging.prompts);
    std::move(more.begin(), more.end(), std::back_inserter(tasks));
  };
  const auto& models = judging.models;
  for (std::size_t i = 0; i < models.size(); ++i) {
    for (std::size_t j = i + 1; j < models.size(); ++j) {
      if (baseline.empty() || models[i].model == baseline || models[j].model == baseline)
        add(models[i], models[j]);
    }
  }
  const bool known =
      baseline.empty() || std::any_of(models.begin(), models.end(),
                                      [&](const auto& model) { return model.model == baseline; });
  if (!known || tasks.empty()) {
    throw Error(ErrorKind::data,
                known ? "pairs need two models with answers to the same questions"
                      : "there are no answers of the baseline " + baseline,
                "--models names them, --baseline the one that all others are compared with");
  }
  return tasks;
}

// Rows of the file, and what failed.
std::vector<OrderedJson> rows_of(const std::vector<MtGradeTask>& tasks,
                                 const std::vector<std::optional<MtGrade>>& grades,
                                 const evaluate::MtJudgmentStamp& stamp,
                                 MtJudgeFileSummary& summary) {
  std::vector<OrderedJson> rows;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const bool pair = !tasks[i].model_b.empty();
    if (pair) {
      const std::array<MtGradeTask, 2> both = {tasks[i], tasks[i + 1]};
      const std::array<MtGrade, 2> said = {*grades[i], *grades[i + 1]};
      ++i;
      rows.push_back(evaluate::pair_row(both, said, stamp));
      const std::string& failure = said[0].failure.empty() ? said[1].failure : said[0].failure;
      if (!failure.empty()) ++summary.failed[failure];
    } else {
      rows.push_back(evaluate::single_row(tasks[i], *grades[i], stamp));
      if (!grades[i]->failure.empty()) ++summary.failed[grades[i]->failure];
    }
  }
  summary.judgments = static_cast<std::int64_t>(rows.size());
  return rows;
}

// What a row is replaced by: another judging of the same turn by the same judge and references.
std::string key_of(const Json& row) {
  std::string key;
  for (const char* field :
       {"model", "model_1", "model_2", "question_id", "turn", "repeat", "reference_set"}) {
    key += row.contains(field) ? row[field].dump() : "-";
    key += '\n';
  }
  return key + (row.contains("judge") && row["judge"].is_array() && !row["judge"].empty()
                    ? row["judge"][0].dump()
                    : "-");
}

void note_references(const Judging& judging, const std::vector<MtGradeTask>& tasks,
                     MtJudgeFileSummary& summary) {
  summary.reference_set = judging.references.name;
  std::set<std::int64_t> judged;
  for (const MtGradeTask& task : tasks) {
    judged.insert(task.question);
    if (task.wrong_reference) summary.wrong_references.insert(task.question);
  }
  for (const MtQuestion& question : judging.questions) {
    if (judged.contains(question.id) && evaluate::needs_mt_reference(question.category) &&
        !judging.references.turns.contains(question.id))
      summary.lacking_references.insert(question.id);
  }
}

}  // namespace

MtAnswerFileSummary answer_mt_bench_files(const Recipe& recipe, const MtAnswerFileOptions& options,
                                          ProgressSink& progress, std::stop_token stop) {
  const std::vector<MtQuestion> questions = mt_questions_of(options.files);
  MtAnswerFileSummary summary;
  summary.model_id =
      options.model_id.empty() ? name_of(recipe.candidate, "gym-teacher") : options.model_id;
  const std::filesystem::path output =
      options.files.output.empty()
          ? options.files.data_dir / "model_answer" / (file_name_of(summary.model_id) + ".jsonl")
          : std::filesystem::path(options.files.output);
  const StageFiles files{"", output.string(), options.files.store};
  check_output(output, files, options.overwrite);
  make_parent(output);
  FileStage stage(recipe, files, "mtbench/answer", progress, stop);
  evaluate::MtAnswerOptions asking;
  asking.max_tokens = options.max_tokens;
  asking.temperature = options.temperature;
  if (recipe.candidate.kind == "student") asking.seed = static_cast<std::int64_t>(recipe.seed);
  asking.max_in_flight = in_flight(recipe.candidate);
  const auto answered = evaluate::answer_mt_bench(
      stage.model(RoleName::candidate), summary.model_id, questions, asking, progress, stop);
  stage.check_complete(answered.complete, RoleName::candidate);
  need_more_than_the_gym(recipe.candidate, "candidate", answered.answers.empty());

  RowsOut out(output.string());
  const double time = time_stamp();
  for (const evaluate::MtAnswer& answer : answered.answers) out.add(to_json(answer, time));
  out.finish();
  summary.output = output.string();
  summary.questions = static_cast<std::int64_t>(questions.size());
  summary.answered = static_cast<std::int64_t>(answered.answers.size());
  summary.truncated = answered.truncated;
  summary.failed = answered.failed;
  summary.usd = stage.usd();
  return summary;
}

namespace {

std::filesystem::path judgment_file(const Recipe& recipe, const MtJudgeFileOptions& options) {
  if (!options.files.output.empty()) return options.files.output;
  return options.files.data_dir / "model_judgment" /
         (file_name_of(name_of(recipe.judge, "gym-judge")) +
          (options.mode == "pair" ? "_pair.jsonl" : "_single.jsonl"));
}

MtJudgeFileSummary summary_of(const Recipe& recipe, const Judging& judging,
                              const std::vector<MtGradeTask>& tasks) {
  MtJudgeFileSummary summary;
  summary.judge = name_of(recipe.judge, "gym-judge");
  for (const MtAnswerFile& model : judging.models) {
    summary.models.push_back(model.model);
    summary.unanswered += model.unanswered;
  }
  note_references(judging, tasks, summary);
  return summary;
}

}  // namespace

MtJudgeFileSummary judge_mt_bench_files(const Recipe& recipe, const MtJudgeFileOptions& options,
                                        ProgressSink& progress, std::stop_token stop) {
  LateFileStage stage([&] {
    const StageFiles files{"", judgment_file(recipe, options).string(), options.files.store};
    return std::make_unique<FileStage>(recipe, files, "mtbench/judge", progress, stop);
  });
  MtJudgeFileSummary summary =
      judge_mt_bench_files(recipe, options, stage.asked(RoleName::judge), progress, stop);
  summary.usd = stage.usd();
  return summary;
}

MtJudgeFileSummary judge_mt_bench_files(const Recipe& recipe, const MtJudgeFileOptions& options,
                                        const AskedModel& judge, ProgressSink& progress,
                                        std::stop_token stop) {
  const Judging judging = read_judging(recipe, options);
  const std::vector<MtGradeTask> tasks = options.mode == "pair"
                                             ? pair_tasks_of(judging, options.baseline)
                                             : single_tasks_of(judging, options.repeats);
  MtJudgeFileSummary summary = summary_of(recipe, judging, tasks);
  const std::filesystem::path output = judgment_file(recipe, options);
  make_parent(output);
  evaluate::MtJudgeOptions asking;
  asking.sampling.temperature = options.temperature;
  asking.sampling.max_tokens = options.max_tokens;
  asking.max_attempts = options.max_attempts;
  asking.max_in_flight = in_flight(recipe.judge);
  const auto graded = evaluate::grade_mt_bench(judge.model(), tasks, asking, progress, stop);
  judge.check_complete(graded.complete);
  need_more_than_the_gym(recipe.judge, "judge",
                         std::all_of(graded.grades.begin(), graded.grades.end(), [](const auto& g) {
                           return g->failure == to_string(llm::Failure::invalid_request);
                         }));

  summary.output = output.string();
  if (options.mode != "pair") {
    for (std::size_t i = 0; i < tasks.size(); ++i)
      summary.asked.emplace_back(std::to_string(i), graded.grades[i]->failure);
  }
  const evaluate::MtJudgmentStamp stamp{summary.judge, judging.references.name, time_stamp()};
  replace_rows(output, rows_of(tasks, graded.grades, stamp, summary), key_of);
  return summary;
}

Json to_json(const MtAnswerFileSummary& s) {
  return {{"model", s.model_id},
          {"output", s.output},
          {"questions", s.questions},
          {"answered", s.answered},
          {"failed", s.failed},
          {"truncated", s.truncated},
          {"usd", s.usd}};
}

Json to_json(const MtJudgeFileSummary& s) {
  return {{"judge", s.judge},
          {"output", s.output},
          {"models", s.models},
          {"judgments", s.judgments},
          {"failed", s.failed},
          {"unanswered", s.unanswered},
          {"reference_set", s.reference_set},
          {"wrong_references", s.wrong_references},
          {"lacking_references", s.lacking_references},
          {"usd", s.usd}};
}

}  // namespace tapir::pipeline
