// What a sitting needs before its first stage: folder, lock, store, prompts, models, plan.
#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/strings.h"
#include "dataset/read_instructions.h"
#include "difficulty/pair_scorers.h"
#include "pipeline/benchmarks.h"
#include "pipeline/doctor.h"
#include "pipeline/estimate.h"
#include "pipeline/evaluation_sets.h"
#include "pipeline/options.h"
#include "pipeline/role_model.h"
#include "pipeline/run.h"
#include "pipeline/status.h"
#include "student/student_folder.h"

namespace tapir::pipeline {
namespace {

// Names the gym's own data in fingerprints: raised when the same seed gives other items.
constexpr const char* kGymVersion = "gym-1";

std::string identity_text(const llm::ModelIdentity& identity) {
  return hash_fields({identity.kind, identity.model, identity.settings});
}

std::string json_list(const std::vector<std::string>& names) { return Json(names).dump(); }

}  // namespace

Recipe recipe_of_run(const std::filesystem::path& run_dir,
                     const std::vector<std::string>& overrides) {
  const auto store = store::RunStore::open(run_dir / "run.db", store::OpenMode::read_only);
  const auto yaml = store->meta("recipe");
  const auto folder = store->meta("recipe_folder");
  if (!yaml || !folder) {
    throw Error(ErrorKind::data,
                "the run in " + run_dir.string() + " does not say from which recipe it was made",
                "give its `tapir run` command once more, then this one");
  }
  return parse_recipe(*yaml, (run_dir / "recipe.yaml").string(), *folder, overrides);
}

void Run::open() {
  std::error_code failure;
  std::filesystem::create_directories(options_.run_dir, failure);
  if (failure) {
    throw Error(
        ErrorKind::data,
        "cannot make the run folder " + options_.run_dir.string() + ": " + failure.message(),
        "choose another with --run-dir");
  }
  lock_ = std::make_unique<store::RunLock>(options_.run_dir);
  store_ = store::RunStore::open(options_.run_dir / "run.db", store::OpenMode::create);
  if (const std::string note = store_->journal_note(); !note.empty()) progress_.message(note);
  prompts_ = prompts_of(recipe_);
  taxonomy_ = taxonomy_of(recipe_);
  make_models();
  check_plan();
  store_->outdate_waiting();
  if (options_.retry) reopen_failed();
  if (!options_.reuse.empty()) {
    const auto taken = store_->copy_replies_from(options_.reuse / "run.db");
    progress_.message(fmt::format("took over {} replies of {}", taken, options_.reuse.string()));
  }
  sweep();
}

std::filesystem::path Run::resolve(const std::string& path) const {
  return resolve_path(recipe_, path);
}

void Run::make_models() {
  budget_ = make_budget(recipe_, *store_);
  teacher_ = std::make_unique<RoleModel>(recipe_, RoleName::teacher, *store_, *budget_, stage_name_,
                                         progress_);
  const std::string& judge = recipe_.judge.kind;
  if (difficulty::make_pair_scorer(judge) == nullptr && judge != "rubric") {
    judge_ = std::make_unique<RoleModel>(recipe_, RoleName::judge, *store_, *budget_, stage_name_,
                                         progress_);
  }
  if (asks_auditor(recipe_)) {
    auditor_ = std::make_unique<RoleModel>(recipe_, RoleName::auditor, *store_, *budget_,
                                           stage_name_, progress_);
  }
}

llm::ChatModel* Run::confirmer() const {
  if (recipe_.judge_rubric.role == "teacher") return &teacher_->model();
  if (recipe_.judge_rubric.role == "auditor") return &auditor_->model();
  return nullptr;
}

std::string Run::judge_identity() const {
  if (judge_ != nullptr) return identity_text(judge_->model().identity());
  if (recipe_.judge.kind != "rubric") return recipe_.judge.kind;  // by rule
  const llm::ChatModel* asked = confirmer();
  return asked == nullptr ? "rubric" : "rubric " + identity_text(asked->identity());
}

PlanFacts Run::facts() const {
  PlanFacts facts;
  facts.data = kGymVersion + dataset::instructions_digest(instruction_files(recipe_));
  for (const std::string& file : recipe_.data.decontaminate_against)
    facts.data += sha256_file(resolve(file));
  facts.student = student::student_digest(resolve(recipe_.student.model_name_or_path));
  if (recipe_.student.s0 != "train" && recipe_.student.s0 != "as_is")
    facts.student += student::student_digest(resolve(recipe_.student.s0));
  facts.prompts = prompts_.fingerprint();
  facts.taxonomy = taxonomy_.version;
  if (!recipe_.tasks.labelled.empty())
    facts.taxonomy += dataset::instructions_digest({resolve(recipe_.tasks.labelled)});
  facts.teacher = identity_text(teacher_->model().identity());
  facts.judge = judge_identity();
  if (auditor_ != nullptr) facts.auditor = identity_text(auditor_->model().identity());
  if (recipe_.sets.any()) facts.sets = dataset::instructions_digest(evaluation_set_files(recipe_));
  if (recipe_.benchmarks.any()) {
    for (const auto& file : benchmark_files(recipe_)) facts.benchmarks += sha256_file(file);
    const RoleName judge = benchmark_judge_of(recipe_);
    for (const auto& [role, model] :
         {std::pair{RoleName::judge, &judge_}, std::pair{RoleName::auditor, &auditor_},
          std::pair{RoleName::teacher, &teacher_}}) {
      if (role == judge) facts.benchmark_judge = identity_text((*model)->model().identity());
    }
  }
  facts.machine = engine_->version();
  const auto before = store_->meta("machine");
  if (before && *before != facts.machine) {
    if (!options_.allow_other_machine) {
      throw Error(ErrorKind::usage,
                  "this run was made on another machine: " + *before + "; here: " + facts.machine,
                  "bits may differ from here on; add --allow-other-machine to go on");
    }
    facts.machine = *before;
  }
  return facts;
}

void Run::check_plan() {
  plan_ = make_plan(recipe_, facts());
  placed_ = placing_of(recipe_, *engine_, plan_);
  if (!options_.until.empty()) {
    std::vector<std::string> names;
    for (const PlannedStage& stage : plan_) names.push_back(stage.name);
    if (std::find(names.begin(), names.end(), options_.until) == names.end()) {
      const auto near = nearest(options_.until, names);
      throw Error(ErrorKind::usage, "--until: the plan has no stage " + options_.until,
                  near ? "did you mean " + *near + "?" : "stages: " + join(names, ", "));
    }
  }
  std::vector<store::StageRecord> changed;
  for (const PlannedStage& stage : plan_) {
    const auto known = store_->stage(stage.name);
    if (known && known->fingerprint != stage.fingerprint) changed.push_back(*known);
  }
  if (!changed.empty() && !options_.accept_changes) {
    std::string list;
    for (const auto& record : changed)
      list += fmt::format("\n  {:<28} {}", record.name, cost_of_stage(*store_, record));
    throw Error(ErrorKind::usage,
                "the recipe changed since this run began; these stages would be done again:" + list,
                "add --accept-changes to redo them (replies that are paid for are used again), or "
                "choose another --run-dir");
  }
  drop(changed);
  note_plan();
}

// Removes what changed stages wrote: rows, students, metrics. Replies stay.
void Run::drop(const std::vector<store::StageRecord>& changed) {
  static constexpr std::string_view kTrain = "/train";
  for (const auto& record : changed) {
    store_->drop_stage(record.name);
    if (!record.name.ends_with(kTrain)) continue;
    const std::string student = record.name.substr(0, record.name.size() - kTrain.size());
    const auto folder = options_.run_dir / student_folder(student);
    for (const char* what : {"", ".work", ".job", ".merged"})
      std::filesystem::remove_all(beside(folder, what));
    std::filesystem::remove(metrics_file(student));
  }
  if (!changed.empty()) store_->set_meta("final", "");
}

void Run::note_plan() {
  std::vector<std::string> names;
  for (const PlannedStage& stage : plan_) names.push_back(stage.name);
  std::vector<std::string> arms;
  for (const auto& [name, arm] : arms_of(recipe_)) arms.push_back(name);
  const std::string fingerprint = plan_fingerprint(plan_);
  store_->set_meta("plan", json_list(names));
  store_->set_meta("arms", json_list(arms));
  store_->set_meta("rounds", std::to_string(recipe_.curriculum.rounds));
  store_->set_meta("fingerprint", fingerprint);
  store_->set_meta("recipe", to_yaml(recipe_));
  store_->set_meta("recipe_folder", std::filesystem::absolute(recipe_.folder).string());
  store_->set_meta("seed", std::to_string(recipe_.seed));
  if (!options_.retry) store_->set_meta("command", options_.command);
  if (!store_->meta("machine")) store_->set_meta("machine", engine_->version());
  store_->set_meta("version", TAPIR_VERSION);
  const auto sampled = store_->meta("sample");
  const Sample sample =
      sampled ? sample_from_json(parse_json(*sampled, "sample of the run")) : Sample();
  store_->set_meta("estimate", estimate_json(estimate(recipe_, *engine_, sample)).dump());
  store_->flush();
  write_file(options_.run_dir / "recipe.yaml",
             fmt::format("# fingerprint: {}\n{}", fingerprint, to_yaml(recipe_)));
}

// What a kill left behind: files that were not finished. A training's .work folder stays: it is
// gone on from.
void Run::sweep() {
  for (const store::TrainRecord& record : store_->trainings()) {
    if (!student::holds_student(options_.run_dir / record.folder)) {
      throw Error(
          ErrorKind::data,
          "the run says that " + record.folder + " is trained, but the folder is not there",
          "put it back, or run with --run-dir elsewhere and --reuse " + options_.run_dir.string());
    }
  }
  for (const auto& entry : std::filesystem::directory_iterator(options_.run_dir)) {
    if (entry.path().filename().string().find(".tmp") != std::string::npos)
      std::filesystem::remove(entry.path());
  }
}

}  // namespace tapir::pipeline
