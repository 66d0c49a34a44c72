#include "pipeline/plan.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "base/hash.h"

namespace tapir::pipeline {
namespace {

// Raised when a stage's meaning changes: results of older versions are then redone.
constexpr const char* kStageVersion = "1";

class Planner {
 public:
  Planner(const Recipe& recipe, const PlanFacts& facts) : recipe_(recipe), facts_(facts) {}

  std::vector<PlannedStage> plan() {
    add({"data", "data"},
        {"data.instructions", "data.gym", "data.held_out", "data.clean",
         "data.decontaminate_against"},
        {facts_.data});
    std::string answered = "data";
    if (recipe_.data.responses != "keep") {
      add({"responses", "responses", "", 0, {"data"}}, {"data.responses", "teacher"},
          {facts_.teacher});
      answered = "responses";
    }
    add({"tasks", "tasks", "", 0, {"data"}}, {"tasks", "teacher"},
        {facts_.taxonomy, facts_.prompts, facts_.teacher});
    std::vector<std::string> first = {"s0/train"};
    add_first_training("s0", answered);
    if (recipe_.difficulty.cross_fit) {
      first.clear();
      for (const std::string half : kHalfStudents) {
        add_first_training(half, answered);
        first.push_back(half + "/train");
      }
    }
    const bool judged = recipe_.difficulty.method == "mfd";
    if (judged) {
      add({"s0/answers", "answers", "", 0, first}, {"student.generation", "difficulty.rows"},
          {facts_.machine});
    }
    add({"difficulty", "difficulty", "", 0,
         judged ? std::vector<std::string>{"s0/answers"} : first},
        difficulty_keys(), {facts_.prompts, facts_.judge});
    if (recipe_.judge_audit.role != "none") {
      add({"difficulty/audit", "audit", "", 0, {"difficulty"}}, {"judge.audit", "auditor"},
          {facts_.prompts,
           recipe_.judge_audit.role == "teacher" ? facts_.teacher : facts_.auditor});
    }
    if (recipe_.difficulty.held_out_rows > 0) {
      add({"difficulty/held_out", "difficulty", "", 0, {"s0/train"}}, held_out_keys(),
          {facts_.prompts, facts_.judge});
    }
    add({"select", "select", "", 0, {"difficulty"}}, {"difficulty"}, {});
    teach_before_training();
    add_exam("s0", "", 0, {});
    for (const auto& [name, arm] : arms_of(recipe_)) {
      for (int round = 1; round <= recipe_.curriculum.rounds; ++round) {
        if (taught_between_rounds(recipe_, name, arm)) add_teaching(name, arm, round);
        add_training(name, round);
      }
    }
    for (const std::string& who : recipe_.benchmarks.students) {
      if (!recipe_.benchmarks.alpaca_eval.data_dir.empty())
        add_benchmark(kAlpacaEval, who, "evaluate.alpaca_eval.logprobs");
      if (!recipe_.benchmarks.mt_bench.data_dir.empty())
        add_benchmark(kMtBench, who, "evaluate.mt_bench.references");
    }
    return std::move(stages_);
  }

 private:
  void add_first_training(const std::string& student, const std::string& answered) {
    add({student + "/train", "train", "", 0, {answered}},
        {"student.model_name_or_path", "student.template", "student.s0", "train", "s0_train"},
        {facts_.student, facts_.machine});
  }

  std::vector<std::string> difficulty_keys() const {
    std::vector<std::string> keys = {"difficulty", "judge", "!judge.audit"};
    const std::string& confirms = recipe_.judge_rubric.role;
    if (recipe_.judge.kind == "rubric" && confirms != "none") keys.push_back(confirms);
    return keys;
  }

  std::vector<std::string> held_out_keys() const {
    std::vector<std::string> keys = difficulty_keys();
    keys.push_back("student.generation");
    return keys;
  }

  std::vector<std::string> floor_keys() const {
    std::vector<std::string> keys = held_out_keys();
    keys.push_back("teach.floor");
    return keys;
  }

  bool gate_is(const std::string& name, std::string_view gate) const {
    return name == kMainArm && recipe_.curriculum.forgetting_gate == gate;
  }

  void teach_before_training() {
    for (const auto& [name, arm] : arms_of(recipe_)) {
      if (taught_between_rounds(recipe_, name, arm)) continue;
      for (int round = 1; round <= recipe_.curriculum.rounds; ++round)
        add_teaching(name, arm, round);
    }
  }

  void add_teaching(const std::string& name, const Arm& arm, int round) {
    const std::string prefix = fmt::format("{}/round-{}", name, round);
    std::vector<std::string> before = {"select", "tasks"};
    if (round > 1) before.push_back(fmt::format("{}/round-{}/mix", name, round - 1));
    if (arm.expand_as_tapir && name != kMainArm)
      before.push_back(fmt::format("{}/round-{}/expand", kMainArm, round));
    if (arm.rejudge && round > 1) {
      const std::string old = fmt::format("{}/round-{}", name, round - 1);
      std::string measured = old + "/train";
      if (recipe_.difficulty.method == "mfd") {
        add({prefix + "/answers", "answers", name, round, {measured}}, {"student.generation"},
            {facts_.machine});
        measured = prefix + "/answers";
      }
      add({prefix + "/difficulty", "difficulty", name, round, {measured}}, difficulty_keys(),
          {facts_.prompts, facts_.judge});
      before.push_back(prefix + "/difficulty");
    }
    std::vector<std::string> keys = {
        "curriculum.rounds", "curriculum.alpha", "curriculum.alpha_step",      "curriculum.rows",
        "teacher",           "teach.prompts",    "teach.max_attempts_per_row", "teach.novelty",
        "teach.layers"};
    if (gate_is(name, "replay")) {
      keys.push_back("curriculum.forgetting_replay");
      if (round > 1) before.push_back("exam/" + student_name(name, round - 1));
    }
    // The main arm's own choices stand under teach and curriculum, the others' under arms.
    if (name == kMainArm) {
      keys.insert(keys.end(), {"teach.expand", "teach.refine", "teach.select", "teach.balance",
                               "curriculum.rejudge"});
    } else {
      keys.push_back("arms." + name);
    }
    std::vector<std::string> facts = {facts_.prompts, facts_.taxonomy, facts_.teacher};
    if (!facts_.sets.empty()) facts.push_back(facts_.sets);  // new rows are unlike those of sets
    add({prefix + "/expand", "expand", name, round, before}, keys, facts);
    std::string made = prefix + "/expand";
    if (has_floor(recipe_, arm)) {
      add({prefix + "/floor", "floor", name, round, {made, "s0/train"}}, floor_keys(),
          {facts_.prompts, facts_.judge, facts_.machine});
      made = prefix + "/floor";
    }
    add({prefix + "/mix", "mix", name, round, {made}}, {}, {});
    add({prefix + "/refine", "refine", name, round, {prefix + "/mix"}}, {"teacher"},
        {facts_.prompts, facts_.teacher});
  }

  void add_training(const std::string& name, int round) {
    const std::string student = student_name(name, round);
    const std::string before = round > 1 ? student_name(name, round - 1) + "/train" : "s0/train";
    std::vector<std::string> upstream = {student + "/refine", before};
    if (gate_is(name, "fall_back") && round > 1)
      upstream.push_back("exam/" + student_name(name, round - 1));
    add({student + "/train", "train", name, round, upstream}, {"train", "curriculum.rounds"},
        {facts_.machine});
    add_exam(student, name, round,
             {"curriculum.forgetting_gate", "curriculum.forgetting_tolerance"});
  }

  // Held-out rows are judged, and told apart by their tasks.
  void add_exam(const std::string& student, const std::string& arm, int round,
                std::vector<std::string> keys) {
    std::vector<std::string> before = {student + "/train"};
    std::vector<std::string> facts = {facts_.machine};
    keys.insert(keys.end(), {"evaluate.exam", "evaluate.sets", "student.generation"});
    if (recipe_.data.held_out > 0) before.push_back("tasks");
    if (recipe_.data.held_out > 0 || !facts_.sets.empty()) {
      keys.insert(keys.end(), {"judge", "!judge.audit", "difficulty"});
      facts.insert(facts.end(), {facts_.prompts, facts_.judge});
    }
    if (!facts_.sets.empty()) facts.push_back(facts_.sets);
    add({"exam/" + student, "exam", arm, round, before}, keys, facts);
  }

  // Stages that decide who answers a benchmark under that name.
  std::vector<std::string> made_by(const std::string& who) const {
    if (who == "s0") return {"s0/train"};
    const int rounds = static_cast<int>(recipe_.curriculum.rounds);
    if (who != kFinal) return {student_name(who, rounds) + "/train"};
    std::vector<std::string> stages = {student_name(kMainArm, rounds) + "/train"};
    if (gate_is(kMainArm, "stop") || gate_is(kMainArm, "fall_back")) {
      for (int round = 1; round <= rounds; ++round)
        stages.push_back("exam/" + student_name(kMainArm, round));
    }
    return stages;
  }

  // form: the key that says in which form the judge is asked.
  void add_benchmark(const std::string& name, const std::string& who, const std::string& form) {
    const std::string stage = name + "/" + who;
    add({stage + "/answers", "answers", "", 0, made_by(who)},
        {"evaluate." + name + ".max_new_tokens", "student.generation"},
        {facts_.machine, facts_.benchmarks});
    add({stage, "benchmark", "", 0, {stage + "/answers"}},
        {"evaluate.judge", form, "judge.max_attempts"},
        {facts_.prompts, facts_.benchmark_judge, facts_.benchmarks});
  }

  void add(PlannedStage stage, const std::vector<std::string>& keys,
           const std::vector<std::string>& facts) {
    std::string text =
        fmt::format("{}\nversion={}\nseed={}\n", stage.name, kStageVersion, recipe_.seed);
    text += fingerprint_text(recipe_, keys);
    for (const std::string& fact : facts) text += "fact=" + fact + "\n";
    for (const std::string& name : stage.upstream) {
      const auto found = fingerprint_of_.find(name);
      check(found != fingerprint_of_.end(), "the plan names " + name + " before it is planned");
      text += name + "=" + found->second + "\n";
    }
    stage.fingerprint = sha256_hex(text);
    fingerprint_of_[stage.name] = stage.fingerprint;
    stages_.push_back(std::move(stage));
  }

  const Recipe& recipe_;
  const PlanFacts& facts_;
  std::vector<PlannedStage> stages_;
  std::map<std::string, std::string> fingerprint_of_;
};

}  // namespace

std::vector<PlannedStage> make_plan(const Recipe& recipe, const PlanFacts& facts) {
  return Planner(recipe, facts).plan();
}

std::vector<std::string> dependents_of(const std::vector<PlannedStage>& plan,
                                       const std::string& stage) {
  std::set<std::string> touched = {stage};
  std::vector<std::string> dependents;
  for (const PlannedStage& planned : plan) {  // a stage comes after all that it depends on
    const bool depends =
        std::any_of(planned.upstream.begin(), planned.upstream.end(),
                    [&](const std::string& name) { return touched.contains(name); });
    if (!depends) continue;
    touched.insert(planned.name);
    dependents.push_back(planned.name);
  }
  return dependents;
}

std::string plan_fingerprint(const std::vector<PlannedStage>& plan) {
  std::string text;
  for (const PlannedStage& stage : plan) text += stage.name + "=" + stage.fingerprint + "\n";
  return sha256_hex(text);
}

std::vector<std::pair<std::string, Arm>> arms_of(const Recipe& recipe) {
  std::vector<std::pair<std::string, Arm>> arms = {{kMainArm, recipe.tapir}};
  arms.insert(arms.end(), recipe.arms.begin(), recipe.arms.end());
  return arms;
}

bool taught_between_rounds(const Recipe& recipe, const std::string& name, const Arm& arm) {
  const auto by_student = [&](const std::string& who, const Arm& what) {
    return what.rejudge || (who == kMainArm && recipe.curriculum.forgetting_gate == "replay");
  };
  return by_student(name, arm) || (arm.expand_as_tapir && by_student(kMainArm, recipe.tapir));
}

bool has_floor(const Recipe& recipe, const Arm& arm) {
  return arm.expand && recipe.teach.floor.rows > 0;
}

std::string student_name(const std::string& arm, int round) {
  return round == 0 ? "s0" : fmt::format("{}/round-{}", arm, round);
}

std::string student_folder(const std::string& student) {
  const std::string main = std::string(kMainArm) + "/";
  const std::size_t slash = student.find('/');
  if (slash == std::string::npos) return "students/" + student;
  if (student.starts_with(main)) return "students/" + student.substr(main.size());
  return "arms/" + student.substr(0, slash) + "/students/" + student.substr(slash + 1);
}

}  // namespace tapir::pipeline
