// What one key of a recipe alone cannot know.
#include "pipeline/recipe_checks.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "backends/model_servers.h"
#include "backends/training_jobs.h"
#include "base/error.h"
#include "base/strings.h"
#include "difficulty/pair_scorers.h"
#include "text/chat_format.h"

namespace tapir::pipeline {
namespace {

[[noreturn]] void impossible(const std::string& where, const std::string& what,
                             const std::string& hint) {
  throw Error(ErrorKind::usage, where + ": " + what, hint);
}

void check_template(const Recipe& r, const std::string& where) {
  const std::string& name = r.student.chat_format;
  if (name == "auto") return;
  try {
    (void)text::chat_template(name);
  } catch (const Error& e) {
    impossible(where, std::string("student.template: ") + e.what(), e.hint());
  }
  if (r.student.s0 == "train") return;
  impossible(where, "student.template: " + name + " needs student.s0: train, found " + r.student.s0,
             "a student that is taken as it is speaks the format of its own folder: leave "
             "student.template out");
}

// Who computes the students' answers.
void check_generation(const Recipe& r, const std::string& where) {
  if (r.student.backend == "native") {
    if (r.student.command.empty()) return;
    impossible(where, "student.generation.command is set, but student.generation.backend is native",
               "set student.generation.backend: command, or leave the command out");
  }
  if (r.student.command.empty()) {
    impossible(where,
               "student.generation.backend is command, but student.generation.command is not set",
               "for example \"vllm serve {model} --host {host} --port {port} --served-model-name "
               "{name}\"");
  }
  try {
    backends::check_server_command(r.student.command, "student.generation.command");
  } catch (const Error& e) {
    impossible(where, e.what(), e.hint());
  }
}

// Who trains the students.
void check_training(const Recipe& r, const std::string& where) {
  const auto& t = r.train;
  const bool job = t.backend == "trl" || t.backend == "llamafactory";
  for (const auto& [key, set] :
       {std::pair{"processes", t.processes > 1}, std::pair{"sharding", t.sharding != "none"},
        std::pair{"launch", !t.launch.empty()}}) {
    if (job || !set) continue;
    impossible(where, fmt::format("train.{} is set, but train.backend is {}", key, t.backend),
               "set train.backend: trl or llamafactory, or leave it out");
  }
  if (t.between_rounds == "merge" && t.finetuning_type != "lora") {
    impossible(where, "train.between_rounds is merge, but train.finetuning_type is full",
               "only adapters are merged: set train.finetuning_type: lora");
  }
  if (t.between_rounds == "merge" && t.schedule_scope == "run") {
    impossible(where, "train.between_rounds: merge cannot go with train.schedule_scope: run",
               "a fresh adapter has no optimizer state to go on from: set train.schedule_scope: "
               "round");
  }
  if (t.launch.empty()) return;
  try {
    backends::check_launch_command(t.launch, "train.launch");
  } catch (const Error& e) {
    impossible(where, e.what(), e.hint());
  }
}

bool has_own_server(const Recipe& r, const std::string& role) {
  for (const auto& [name, server] :
       {std::pair{"teacher", &r.resources.teacher}, std::pair{"judge", &r.resources.judge},
        std::pair{"auditor", &r.resources.auditor}}) {
    if (role == name) return !server->command.empty();
  }
  return false;
}

// A server of the run's own in the place of endpoints.
void check_server(const ServerPart& server, const ModelPart& part, const std::string& role,
                  const std::string& where) {
  const std::string key = "resources." + role + ".command";
  if (server.command.empty()) {
    if (server.gpus.empty()) return;
    impossible(where, "resources." + role + ".gpus is set, but " + key + " is not",
               "set the command of the server that uses them, or leave them out");
  }
  if (part.kind != "openai" || part.mode == "batch") {
    impossible(where,
               key + " is set, but " + role +
                   (part.mode == "batch" ? ".mode is batch" : ".kind is " + part.kind),
               "set " + role + ".kind: openai and " + role + ".mode: online");
  }
  if (!part.endpoints.empty()) {
    impossible(where, key + " and " + role + ".endpoints are both set",
               "leave one of them out: the run asks the server that it starts itself");
  }
  try {
    backends::check_role_command(server.command, key);
  } catch (const Error& e) {
    impossible(where, e.what(), e.hint());
  }
}

// Endpoints and prices of one role.
void check_role(const Recipe& r, const ModelPart& part, const std::string& role,
                const std::string& where) {
  const bool remote = part.kind == "openai";
  const bool own_server = has_own_server(r, role);
  if (remote && part.mode != "batch" && part.endpoints.empty() && !own_server) {
    impossible(where, role + ".kind is openai, but " + role + ".endpoints is not set",
               "for example " + role +
                   ".endpoints: [{base_url: \"http://localhost:8000/v1\"}]; or resources." + role +
                   ".command starts a server");
  }
  if ((remote || part.kind == "student") && part.model.empty()) {
    impossible(where, role + ".kind is " + part.kind + ", but " + role + ".model is not set",
               remote ? "name it as its endpoint does; `tapir doctor --recipe` lists what it offers"
                      : "name its folder");
  }
  for (const auto& [key, set] : {std::pair{".endpoints", !part.endpoints.empty()},
                                 std::pair{".mode: batch", part.mode == "batch"}}) {
    if (remote || !set) continue;
    impossible(where, role + key + " is set, but " + role + ".kind is " + part.kind,
               "set " + role + ".kind: openai");
  }
  const bool priced = part.price_input >= 0 && part.price_output >= 0;
  if (!priced && (part.price_input >= 0 || part.price_output >= 0)) {
    impossible(where, role + ".price_per_million has only one of input and output",
               "set both, in dollars for a million tokens");
  }
  if (remote && r.budget.max_usd > 0 && !priced && !own_server) {
    impossible(
        where, "budget.max_usd is set but " + role + " has no price",
        "set " + role + ".price_per_million: {input, output} in dollars; 0 where it is free");
  }
}

// Of paths, by which judge.by_source names files. Of a data set they stand in its own file: none.
std::set<std::string> file_names(const std::vector<std::string>& paths) {
  std::set<std::string> names;
  for (const std::string& path : paths) {
    if (path.find("dataset_info.json") == std::string::npos)
      names.insert(std::filesystem::path(path).filename().string());
  }
  return names;
}

// Sets whose answers are judged need a judge who knows such rows.
void check_evaluation_sets(const Recipe& r, const std::string& where) {
  std::set<std::string> judged = file_names(r.sets.general);
  judged.merge(file_names(r.sets.instruction));
  if (judged.empty()) return;
  if (r.judge.kind == "rubric") {
    impossible(where, "judge.kind: rubric scores rows of the data only",
               "leave evaluate.sets.general and evaluate.sets.instruction out, or judge otherwise");
  }
  if (r.judge.kind != "gym") return;
  const std::set<std::string> ruled = files_judged_by_rule(r);
  for (const std::string& file : judged) {
    if (ruled.contains(file)) continue;
    impossible(where,
               "evaluate.sets names " + file +
                   ", but judge.kind: gym knows the answers of the gym's items only",
               "have a rule judge it, judge.by_source: [\"" + file +
                   ": answer_match\"], or set judge.kind: openai");
  }
}

// Entries of judge.by_source: a rule for a file of the data.
void check_by_source(const Recipe& r, const std::string& where) {
  if (r.judge.kind == "rubric" && !r.judge_by_source.empty()) {
    impossible(where, "judge.by_source is set, but judge.kind is rubric",
               "requirements are of single rows already: leave one of the two keys out");
  }
  std::vector<std::string> paths = r.data.instructions;
  for (const auto* sets : {&r.sets.general, &r.sets.instruction})
    paths.insert(paths.end(), sets->begin(), sets->end());
  const bool known = std::none_of(paths.begin(), paths.end(), [](const std::string& path) {
    return path.find("dataset_info.json") != std::string::npos;
  });
  const std::set<std::string> files = file_names(paths);
  for (const std::string& entry : r.judge_by_source) {
    const auto [file, rule] = file_entry(entry, "judge.by_source", "gsm8k.jsonl: answer_match");
    if (difficulty::make_pair_scorer(rule) == nullptr) {
      impossible(where, "judge.by_source: \"" + rule + "\" is no judge by rule",
                 "one of: answer_match, overlap");
    }
    if (known && !files.empty() && !files.contains(file)) {
      impossible(where,
                 "judge.by_source: " + file + " is no file of data.instructions or evaluate.sets",
                 "its files: " + join({files.begin(), files.end()}, ", "));
    }
  }
}

// A second opinion needs somebody who can judge, and a judge to be compared with.
void check_audit(const Recipe& r, const std::string& where) {
  if (r.judge_audit.role == "none") return;
  if (r.difficulty.method != "mfd") {
    impossible(where, "judge.audit.role is set but difficulty.method: ifd asks no judge",
               "leave one of the two keys out");
  }
  if (r.judge_audit.role == "teacher" &&
      (r.teacher.kind == "gym" || r.teacher.kind == "recorded")) {
    impossible(where,
               "judge.audit.role: teacher, but teacher.kind: " + r.teacher.kind + " cannot judge",
               "set judge.audit.role: auditor and describe it under auditor");
  }
}

// New pairs are judged as those of D are, by a judge who looks at the teacher's answers.
void check_floor(const Recipe& r, const std::string& where) {
  if (r.teach.floor.rows == 0) return;
  if (r.difficulty.method != "mfd") {
    impossible(where, "teach.floor.rows is set but difficulty.method: ifd asks no judge",
               "leave one of the two keys out");
  }
  if (r.judge.kind == "rubric") {
    impossible(where,
               "teach.floor.rows is set, but judge.kind: rubric cannot score new instructions: "
               "they bring no requirements",
               "set teach.floor.rows: 0, or another judge");
  }
  if (r.teach.floor.score > 1 && difficulty::make_pair_scorer(r.judge.kind) != nullptr) {
    impossible(where,
               fmt::format("teach.floor.score is {}, but judge.kind: {} takes the teacher's "
                           "answers for right",
                           r.teach.floor.score, r.judge.kind),
               "set teach.floor.score: 1 to see only how many S_0 fails at, or another judge");
  }
}

// Rows that are set aside, and who can compare answers to them.
void check_held_out(const Recipe& r, const std::string& where) {
  if (r.data.gym_rows > 0) {
    if (r.data.held_out > 0) {
      impossible(where, "data.held_out is set, but the rows are the gym's (data.gym.rows)",
                 "the gym has an exam of its own: leave data.held_out out");
    }
    return;
  }
  if (r.difficulty.held_out_rows > r.data.held_out) {
    impossible(where,
               fmt::format("difficulty.held_out_rows is {}, but data.held_out is {}",
                           r.difficulty.held_out_rows, r.data.held_out),
               "set data.held_out to at least as many rows");
  }
  if (r.data.held_out > 0 && r.judge.kind == "gym" && !in_gym(r)) {
    impossible(where, "data.held_out is set, but judge.kind: gym knows the gym's items only",
               "set judge.kind: openai, or for nothing answer_match or overlap");
  }
}

// A recorded teacher is never asked.
void check_recorded(const Recipe& r, const std::string& where) {
  if (r.teacher.kind != "recorded") return;
  if (r.data.responses != "keep") {
    impossible(where,
               "teacher.kind: recorded cannot answer (data.responses: " + r.data.responses + ")",
               "set data.responses: keep, or another teacher");
  }
  if (r.tapir.expand || r.tapir.refine != "none") {
    impossible(where, "teacher.kind: recorded cannot expand or refine",
               "set teach.expand: false and teach.refine: none, or another teacher");
  }
  for (const auto& [name, arm] : r.arms) {
    if (!arm.expand && arm.refine == "none") continue;
    impossible(where, "teacher.kind: recorded cannot expand or refine for the arm " + name,
               "set expand: false and refine: none under arms." + name);
  }
  if (r.tasks.classifier != "given" && r.tasks.labelled.empty()) {
    impossible(where, "teacher.kind: recorded cannot label tasks",
               "set tasks.labelled: FILE (rows with tasks to learn from), tasks.classifier: given, "
               "or another teacher");
  }
}

// Benchmarks are answered by students of the run, and judged by a model that knows any text.
void check_benchmarks(const Recipe& r, const std::string& where) {
  if (!r.benchmarks.any()) return;
  std::vector<std::string> known = {"s0", "final"};
  for (const auto& [name, arm] : r.arms) known.push_back(name);
  std::set<std::string> seen;
  for (const std::string& who : r.benchmarks.students) {
    if (std::find(known.begin(), known.end(), who) == known.end())
      impossible(where, "evaluate.students: the run has no student " + who,
                 "its students: " + join(known, ", "));
    if (!seen.insert(who).second)
      impossible(where, "evaluate.students names " + who + " twice", "once is enough");
  }
  if (seen.empty())
    impossible(where, "evaluate.students is empty, but a benchmark has a data_dir",
               "name who answers: " + join(known, ", "));
  const std::string& role = r.benchmarks.judge;
  const ModelPart& part = role == "judge" ? r.judge : role == "teacher" ? r.teacher : r.auditor;
  if (part.kind == "openai") return;
  impossible(
      where,
      "evaluate.judge: " + role + " judges the benchmarks, but " + role + ".kind is " + part.kind,
      "describe an endpoint under auditor and set evaluate.judge: auditor");
}

// Rows are judged again with the student that the next round starts from.
void check_gate(const Recipe& r, const std::string& where) {
  if (r.curriculum.forgetting_gate != "fall_back" || !r.tapir.rejudge) return;
  impossible(where, "curriculum.forgetting_gate: fall_back cannot go with curriculum.rejudge",
             "set forgetting_gate: replay or stop, or rejudge: false");
}

// Requirements come with the rows of files, so that nothing else can be scored by them.
void check_rubric(const Recipe& r, const std::string& where) {
  if (r.judge.kind != "rubric") return;
  const auto refuse = [&](const std::string& what, const std::string& hint) {
    impossible(where, "judge.kind: rubric " + what, hint);
  };
  if (r.data.gym_rows > 0)
    refuse("needs rows with requirements, and data.gym.rows brings none",
           "name files with \"components\" in data.instructions (docs/rubrics.md)");
  if (r.difficulty.held_out_rows > 0)
    refuse("cannot score difficulty.held_out_rows", "set it to 0");
  bool rejudges = r.tapir.rejudge;
  for (const auto& [name, arm] : r.arms) rejudges = rejudges || arm.rejudge;
  if (rejudges)
    refuse("cannot score new instructions again: they bring no requirements", "set rejudge: false");
  const ModelPart& asked = r.judge_rubric.role == "teacher" ? r.teacher : r.auditor;
  if (r.judge_rubric.role != "none" && (asked.kind == "gym" || asked.kind == "recorded")) {
    refuse("asks the " + r.judge_rubric.role + ", whose kind " + asked.kind + " cannot judge",
           "describe a model that can be asked there (kind: openai)");
  }
}

}  // namespace

void check_roles(const Recipe& r, const std::string& where) {
  check_role(r, r.teacher, "teacher", where);
  check_role(r, r.judge, "judge", where);
  check_role(r, r.candidate, "candidate", where);
  check_by_source(r, where);
  if (asks_auditor(r)) check_role(r, r.auditor, "auditor", where);
  check_server(r.resources.teacher, r.teacher, "teacher", where);
  check_server(r.resources.judge, r.judge, "judge", where);
  check_server(r.resources.auditor, r.auditor, "auditor", where);
}

void check_layers(const Recipe& r, const std::string& where) {
  if (r.teach.layers == 0 || r.teacher.kind != "gym") return;
  impossible(where, "teach.layers is set, but teacher.kind: gym cannot compose instructions",
             "leave teach.layers out; the gym's family `layered` has requirements of its own");
}

void check_together(const Recipe& r, const std::string& where) {
  if (r.student.model_name_or_path.empty()) {
    impossible(where, "student.model_name_or_path is not set",
               "name a Hugging Face folder to start from");
  }
  check_template(r, where);
  check_generation(r, where);
  check_training(r, where);
  if (r.data.gym_rows == 0 && r.data.instructions.empty()) {
    impossible(where,
               "there are no instructions: data.instructions and data.gym.rows are both empty",
               "name files in data.instructions, or set data.gym.rows for the embedded gym");
  }
  if (r.data.gym_rows > 0 && !r.data.instructions.empty()) {
    impossible(where, "data.instructions and data.gym.rows are both set", "keep one of them");
  }
  check_held_out(r, where);
  check_evaluation_sets(r, where);
  check_benchmarks(r, where);
  check_gate(r, where);
  check_recorded(r, where);
  if (!r.tasks.labelled.empty() && r.tasks.classifier != "light") {
    impossible(where, "tasks.labelled is set, but tasks.classifier is " + r.tasks.classifier,
               "set tasks.classifier: light, which learns from that file");
  }
  if (!r.arms.empty() && r.train.batch_tokens == 0) {
    impossible(
        where, "arms are compared at equal tokens, which needs train.batch_tokens",
        "set train.batch_tokens, for example to total_batch_size times the usual length of a row");
  }
  if (r.train.tokens > 0 && r.train.batch_tokens == 0) {
    impossible(where, "train.tokens counts tokens, which needs train.batch_tokens",
               "set train.batch_tokens");
  }
  if (r.s0_train.tokens > 0 && r.train.batch_tokens == 0) {
    impossible(where, "s0_train.tokens counts tokens, which needs train.batch_tokens",
               "set train.batch_tokens");
  }
  if (r.difficulty.cross_fit && r.student.s0 != "train") {
    impossible(where, "difficulty.cross_fit needs student.s0: train, found " + r.student.s0,
               "each half of D trains an S_0 of its own: leave one of the two keys out");
  }
  check_roles(r, where);
  check_audit(r, where);
  check_floor(r, where);
  check_rubric(r, where);
  check_layers(r, where);
}

}  // namespace tapir::pipeline
