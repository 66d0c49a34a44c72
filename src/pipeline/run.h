// A run: one folder, one store, the stages of the method. run_method() in method.cpp reads like the
// algorithm.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/progress.h"
#include "curriculum/curriculum.h"
#include "dataset/read_instructions.h"
#include "difficulty/difficulty.h"
#include "evaluate/exam.h"
#include "evaluate/forgetting.h"
#include "evaluate/mt_bench.h"
#include "llm/budget.h"
#include "llm/chat_model.h"
#include "pipeline/asked_model.h"
#include "pipeline/evaluation_sets.h"
#include "pipeline/plan.h"
#include "pipeline/recipe.h"
#include "pipeline/role_model.h"
#include "pipeline/rounds.h"
#include "pipeline/sample.h"
#include "pipeline/stage_labels.h"
#include "pipeline/timeline.h"
#include "prompting/prompts.h"
#include "store/run_store.h"
#include "student/student.h"
#include "tasks/taxonomy.h"
#include "teach/teach.h"

namespace tapir::pipeline {

struct RunOptions {
  std::filesystem::path run_dir;
  std::string until;            // stop after this stage; empty: go to the end
  std::filesystem::path reuse;  // another run whose replies are taken over; may be empty
  bool accept_changes = false;  // redo the stages that a changed key touches
  bool allow_other_machine = false;
  // train.backend none: a student that was trained elsewhere, for the first training that waits.
  std::filesystem::path student;
  // Rows that failed for good are asked about again, of this stage or of all (empty), as far as the
  // run had come. Stages made from rows that change are done again: only with accept_changes, where
  // there are any.
  bool retry = false;
  std::string retry_stage;
  std::string command;  // as typed, for the report
};

// How a sitting ended. `rows_failed`: rows that are in a ledger as failed; the caller exits with 6
// when there are any.
struct RunOutcome {
  bool finished = false;  // false: `until` was reached
  std::int64_t rows_failed = 0;
};

// The recipe of a run folder as its last sitting had it, with `overrides` over it. Error{data}: no
// run, or one of an older version that does not say where its relative paths start.
Recipe recipe_of_run(const std::filesystem::path& run_dir,
                     const std::vector<std::string>& overrides);

// Instructions with their answers: the corpus D.
struct Corpus {
  std::vector<Instruction> rows;               // sorted by id
  std::map<std::string, std::string> answers;  // y_i by instruction id; may hold others' too
};

// P_r of an arm as it grows: what may enter the hard part of a mixture.
struct Pool {
  std::map<std::string, Instruction> hard;  // by id
  std::map<std::string, Instruction> easy;  // D \ D_S
  std::map<std::string, int> uses;          // in mixtures of the rounds before
};

// One sitting. Not thread-safe; the stages use threads inside.
class Run {
 public:
  // Error{usage} when the recipe cannot be run or a changed key needs accept_changes.
  Run(Recipe recipe, RunOptions options, std::shared_ptr<const student::StudentEngine> engine,
      ProgressSink& progress, std::stop_token stop);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Starts, or goes on where the last sitting stopped. Error{interrupted} on stop: state is saved.
  RunOutcome go();

  // Asks about so many rows of D what the run will ask about them before S_0 is trained (answers,
  // tasks), under the same keys: go() finds the replies. Errors as of go().
  Sample sample(std::int64_t rows);

  const store::RunStore& store() const { return *store_; }

 private:
  // What a stage hands back at its end.
  struct StageEnd {
    Ledger ledger;
    std::string info;  // JSON
  };
  using Work = std::function<StageEnd(const std::string& stage)>;

  // ---- method.cpp: the algorithm ----
  void run_method();
  void teach_arm(const std::string& name, const Arm& arm, int round, Pool& pool);
  void train_arm(const std::string& name, const Arm& arm);

  // ---- setup.cpp ----
  void open();
  PlanFacts facts() const;
  void check_plan();
  void drop(const std::vector<store::StageRecord>& changed);
  void note_plan();
  void make_models();
  std::string judge_identity() const;
  // Who confirms requirements that code cannot check; nullptr: nobody.
  llm::ChatModel* confirmer() const;
  void sweep();
  std::filesystem::path resolve(const std::string& path) const;
  RunView view() const { return {recipe_, *store_, *engine_, options_.run_dir}; }

  // ---- run_sample.cpp ----
  void sample_responses(std::vector<Instruction> rows, Sample& sample);
  void sample_tasks(std::vector<Instruction> rows, Sample& sample);

  // ---- run_retry.cpp ----
  void reopen_failed();
  std::vector<std::string> stages_to_reopen() const;
  void check_may_redo(const std::vector<std::string>& reopened) const;
  // After a stage of a retry: when its rows came out otherwise, what was made from them is dropped.
  void settle_retry(const std::string& stage);
  std::vector<store::StageRecord> begun_after(const std::string& stage) const;

  // ---- run.cpp: stages in general ----
  // Does the work unless the stage is finished; accounts time; throws on stop and when `until` is
  // reached.
  void stage(const std::string& name, const Work& work);
  // Stops the servers of roles that the stage does without.
  void place(const std::string& stage);
  void stop_here_when_asked(const std::string& finished_stage);
  StageEnd end_of(const std::string& stage, std::uint64_t in, std::string info = {});
  void check_complete(bool complete, const std::string& stage, const std::string& role);

  // ---- stages_data.cpp ----
  std::vector<dataset::DataRow> data_rows() const;
  StageEnd read_data(const std::string& stage);
  StageEnd ask_responses(const std::string& stage);
  StageEnd find_tasks(const std::string& stage);
  // D, and what is held out of it.
  std::vector<Instruction> rows_of_data() const;
  void load_corpus();

  // ---- stages_difficulty.cpp ----
  // `author` is who the answers are booked under; rows that have one are not answered again.
  StageEnd answer(const std::string& stage, const std::string& student, const std::string& author,
                  const std::vector<Instruction>& rows);
  // By S_0; cross-fitted, by the student of the other half. Booked as S_0's answers either way.
  StageEnd answer_for_difficulty(const std::string& stage, const std::vector<Instruction>& rows);
  // `options`: how it answers.
  void ask_student(const std::string& stage, const std::string& student, const std::string& author,
                   const std::vector<Instruction>& rows, const student::GenerateOptions& options);
  StageEnd measure_difficulty(const std::string& stage, const std::string& author,
                              const Corpus& rows);
  StageEnd select(const std::string& stage);
  // Rows outside D, judged too: the gap that S_0's memory of D hides.
  StageEnd judge_held_out(const std::string& stage);
  Corpus gym_rows_outside(const std::string& stage);  // written into the store
  Corpus some_held_out() const;                       // of data.held_out
  // ---- stages_judging.cpp ----
  StageEnd judge_rows(const std::string& stage, const std::string& author, const Corpus& rows);
  // By the requirements that the data's rows bring; `components` gets the figures by kind.
  difficulty::JudgeSummary judge_by_components(const std::vector<difficulty::Pair>& pairs,
                                               const std::string& author,
                                               const std::function<void(const Judgment&)>& keep,
                                               Json& components);
  // By the losses of the student that the author names, instead of a judge.
  StageEnd measure_losses(const std::string& stage, const std::string& author, const Corpus& rows);
  // A sample of S_0's pairs by the auditor, compared with the judge.
  StageEnd audit_judge(const std::string& stage, const Corpus& rows);
  // The rows that have both answers.
  std::vector<difficulty::Pair> pairs_of(const std::string& author, const Corpus& rows) const;
  void keep_fits(const std::string& stage, const std::vector<difficulty::Pair>& pairs);
  // All of D, or so many rows of it as the recipe says, drawn by the seed. Rows that are not judged
  // are in no stratum.
  Corpus rows_to_judge() const;
  std::set<std::string> hard_ids(const std::string& student) const;

  // ---- stages_teach.cpp ----
  Pool first_pool(const std::string& name, const Arm& arm) const;
  // The teacher's answers to those of the rows that are new instructions.
  void add_new_answers(Corpus& corpus) const;
  void rejudge_pool(const std::string& name, int round, Pool& pool);
  StageEnd expand(const std::string& stage, const std::string& name, const Arm& arm, int round,
                  const Pool& pool);
  void answer_new(const std::string& stage, const std::string& name, int round,
                  std::vector<teach::ExpandedRow>& made);
  // Answers in the style of each row's task, into the store; `failed` gets what failed for good.
  void ask_styled(const std::string& stage, const std::vector<teach::RefineRow>& rows,
                  const std::function<void(const std::string&, const std::string&)>& failed);
  std::map<std::string, std::int64_t> needed_rows(const std::string& name, const Arm& arm,
                                                  int round, const Pool& pool) const;
  StageEnd mix(const std::string& stage, const std::string& name, const Arm& arm, int round,
               const Pool& pool);
  // Items of evaluation sets among the rows to train on, into the stage's info.
  void look_for_copies(const std::vector<MixtureRow>& mixture, const Pool& pool, Json& info);
  StageEnd refine(const std::string& stage, const std::string& name, int round, const Pool& pool);
  void after_expand(const std::string& name, int round, Pool& pool) const;
  void after_mix(const std::string& name, int round, Pool& pool) const;
  // As the schedule has it, and as the gate on forgetting changes it.
  curriculum::RoundPlan round_plan(const std::string& name, int round) const;
  curriculum::Quotas quotas(const std::string& name, const Arm& arm, int round,
                            const Pool& pool) const;
  std::string style_author(const std::string& task) const;
  void export_mixture(const std::string& name, int round) const;

  // ---- stages_floor.cpp ----
  // The judge scores a sample of each task's new answers beside those of S_0; rows of tasks below
  // the floor are filtered.
  StageEnd check_floor(const std::string& stage, int round, const Pool& pool);
  // Takes the rows out that did not pass.
  void after_floor(const std::string& stage, Pool& pool) const;

  // ---- stages_train.cpp ----
  StageEnd train_s0(const std::string& stage);
  StageEnd train_half(const std::string& stage, std::size_t half);
  std::size_t half_of(const Instruction& row) const;  // 0 or 1, drawn by the seed
  student::TrainJob first_job(const std::string& student,
                              const std::vector<Instruction>& rows) const;
  StageEnd train_round(const std::string& stage, const std::string& name, int round);
  // With the student's folders and files.
  student::TrainJob placed(student::TrainJob job, const std::string& student) const;
  StageEnd train(const std::string& stage, const std::string& student,
                 const student::TrainJob& job);
  void publish_final();
  std::filesystem::path metrics_file(const std::string& student) const;

  // ---- stages_exam.cpp ----
  void put_judge_words(const std::string& stage, const evaluate::ExamItem& item,
                       const store::ExamRow& row);
  // How the answers to an exam look, and what is off about them, for the stage's info.
  Json look_at_answers(const std::string& student, const std::vector<evaluate::ExamItem>& items);
  bool learns_steps(const std::string& student) const;
  // Of the student of that round; 0: of S_0, whatever the arm.
  StageEnd exam(const std::string& stage, const std::string& arm, int round);
  void sit_gym_exam(const std::string& stage, const std::string& student,
                    const std::vector<evaluate::ExamItem>& items, bool with_words);
  // Rows that were set aside, and of evaluation sets: the student's answers are judged beside the
  // recorded ones, and its losses on those are taken.
  void sit_answered(const std::string& stage, const std::string& student, const Corpus& rows);
  Corpus answered_held_out() const;
  // ---- stages_benchmarks.cpp ----
  // AlpacaEval 2.0 and MT-Bench, where the recipe names their files.
  void sit_benchmarks();
  StageEnd answer_alpaca(const std::string& stage, const std::string& who);
  StageEnd judge_alpaca(const std::string& stage, const std::string& who);
  StageEnd answer_mt_bench(const std::string& stage, const std::string& who);
  StageEnd judge_mt_bench(const std::string& stage, const std::string& who);
  void ask_mt_turn(const std::string& stage, const std::string& who,
                   const std::vector<evaluate::MtQuestion>& questions, int turn);
  void keep_benchmark_rows(const std::string& stage, const std::string& who,
                           const std::vector<Instruction>& rows);
  // Its answers by instruction id.
  std::map<std::string, std::string> answers_of(const std::string& author) const;
  // "s0", "final", "plain/round-3"
  std::string student_called(const std::string& who) const;
  AskedModel benchmark_judge(const std::string& stage);
  // Of rows of the asking: what became of each; and rows without an answer to judge.
  StageEnd end_of_benchmark(const std::string& stage, const std::string& who, const AskedRows& rows,
                            std::int64_t unanswered, const Json& figures);
  std::filesystem::path benchmark_folder(const std::string& name) const {
    return options_.run_dir / "evaluation" / name;
  }
  // ---- stages_forgetting.cpp ----
  void keep_evaluation_sets(const std::string& stage);
  Corpus answered_evaluation_sets(const std::string& stage);
  void sit_safety_sets(const std::string& stage, const std::string& student);
  Json look_at_forgetting(const std::string& arm, int round) const;
  evaluate::GateWalk gate_walk(int round) const { return walk_gate_of(view(), round); }
  // Rounds before it that the gate answered with more replay.
  int replays_before(const std::string& name, int round) const;
  // What the gate does after a round. True: the rounds end here.
  bool gate_stops(const std::string& name, int round);

  Recipe recipe_;
  RunOptions options_;
  std::shared_ptr<const student::StudentEngine> engine_;
  StageName stage_name_;
  LabelledProgress progress_;
  std::stop_token stop_;
  std::unique_ptr<store::RunLock> lock_;
  std::unique_ptr<store::RunStore> store_;
  prompting::PromptSet prompts_;
  tasks::Taxonomy taxonomy_;
  std::vector<PlannedStage> plan_;
  std::vector<PlacedStage> placed_;  // empty: the recipe says nothing about resources
  std::unique_ptr<llm::Budget> budget_;
  Corpus corpus_;
  std::vector<Instruction> held_out_;  // sorted by id; answers stand in corpus_
  std::vector<EvaluationRow> sets_;    // of evaluate.sets
  // Last: their ends wait for requests, which need what stands above.
  std::unique_ptr<RoleModel> teacher_;
  std::unique_ptr<RoleModel> judge_;    // nullptr where pairs are scored by rule
  std::unique_ptr<RoleModel> auditor_;  // nullptr without an audit of its own
};

}  // namespace tapir::pipeline
