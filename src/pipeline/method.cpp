// The method (docs/method.md, algorithm 1), line by line. Every step is a stage: done once, kept in
// the store.
#include "base/error.h"
#include "pipeline/run.h"

namespace tapir::pipeline {

void Run::run_method() {
  stage("data", [&](const auto& s) { return read_data(s); });  // D = {(x_i, y_i)}
  if (recipe_.data.responses != "keep")
    stage("responses", [&](const auto& s) { return ask_responses(s); });
  stage("tasks", [&](const auto& s) { return find_tasks(s); });
  load_corpus();

  // 1  S_0 <- fine-tune S on D
  stage("s0/train", [&](const auto& s) { return train_s0(s); });

  if (recipe_.difficulty.cross_fit) {
    for (std::size_t half = 0; half < kHalfStudents.size(); ++half)
      stage(kHalfStudents[half] + std::string("/train"),
            [&](const auto& s) { return train_half(s, half); });
  }

  // 2  D_S <- { (x,y) in D : gap(x) > delta }
  const Corpus judged = rows_to_judge();
  if (recipe_.difficulty.method == "mfd")
    stage("s0/answers", [&](const auto& s) { return answer_for_difficulty(s, judged.rows); });
  stage("difficulty", [&](const auto& s) { return measure_difficulty(s, "student/s0", judged); });
  if (recipe_.judge_audit.role != "none")
    stage("difficulty/audit", [&](const auto& s) { return audit_judge(s, judged); });
  if (recipe_.difficulty.held_out_rows > 0) {
    stage("difficulty/held_out", [&](const auto& s) { return judge_held_out(s); });
  }
  stage("select", [&](const auto& s) { return select(s); });

  // Where a round's rows do not depend on the student before, the teacher's work of all rounds
  // comes before the first training: teacher and training need not share a machine.
  for (const auto& [name, arm] : arms_of(recipe_)) {
    if (taught_between_rounds(recipe_, name, arm)) continue;
    Pool pool = first_pool(name, arm);  // 3  P_0 <- D_S
    for (int round = 1; round <= recipe_.curriculum.rounds; ++round)
      teach_arm(name, arm, round, pool);
  }

  stage("exam/s0", [&](const auto& s) { return exam(s, {}, /*round=*/0); });
  for (const auto& [name, arm] : arms_of(recipe_)) train_arm(name, arm);
  publish_final();
  sit_benchmarks();
}

// 5  P_r <- expand(P_{r-1}); refine every response of the mixture for its task
void Run::teach_arm(const std::string& name, const Arm& arm, int round, Pool& pool) {
  const std::string prefix = student_name(name, round);
  stage(prefix + "/expand", [&](const auto& s) { return expand(s, name, arm, round, pool); });
  after_expand(name, round, pool);
  if (has_floor(recipe_, arm)) {
    stage(prefix + "/floor", [&](const auto& s) { return check_floor(s, round, pool); });
    after_floor(prefix + "/floor", pool);
  }
  stage(prefix + "/mix", [&](const auto& s) { return mix(s, name, arm, round, pool); });
  stage(prefix + "/refine", [&](const auto& s) { return refine(s, name, round, pool); });
  after_mix(name, round, pool);
}

// 4  for r = 1..N
// 6    S_r <- fine-tune S_{r-1} on the mixture
// 7    alpha grows (curriculum::schedule)
// 8  return S_N
void Run::train_arm(const std::string& name, const Arm& arm) {
  const bool teach = taught_between_rounds(recipe_, name, arm);
  Pool pool;
  if (teach) pool = first_pool(name, arm);
  for (int round = 1; round <= recipe_.curriculum.rounds; ++round) {
    if (arm.rejudge && round > 1) rejudge_pool(name, round, pool);
    if (teach) teach_arm(name, arm, round, pool);
    const std::string student = student_name(name, round);
    stage(student + "/train", [&](const auto& s) { return train_round(s, name, round); });
    stage("exam/" + student, [&](const auto& s) { return exam(s, name, round); });
    if (gate_stops(name, round)) return;
  }
}

}  // namespace tapir::pipeline
