// The exam after every round.
#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "base/error.h"
#include "base/json.h"
#include "difficulty/difficulty.h"
#include "evaluate/exam.h"
#include "evaluate/held_out.h"
#include "pipeline/forgetting_figures.h"
#include "pipeline/gym_binding.h"
#include "pipeline/held_out_figures.h"
#include "pipeline/options.h"
#include "pipeline/run.h"
#include "pipeline/signs.h"

namespace tapir::pipeline {

// What the report shows of single items: the judge's words on one answer.
void Run::put_judge_words(const std::string& stage, const evaluate::ExamItem& item,
                          const store::ExamRow& row) {
  Judgment judgment{.instruction_id = row.item_id, .author = "exam/" + row.student};
  judgment.student_score = row.score;
  judgment.teacher_score = 10;
  judgment.text = gym_judge_words(item, row.answer);
  store_->put_judgment(stage, judgment);
}

Run::StageEnd Run::exam(const std::string& stage, const std::string& arm, int round) {
  const std::string student = student_name(arm, round);
  const bool all_sets = round == 0 || round == recipe_.curriculum.rounds;
  std::vector<evaluate::ExamItem> items;
  if (in_gym(recipe_)) items = gym_exam(recipe_, all_sets);
  const std::uint64_t in = items.size() + held_out_.size() + sets_.size();
  if (in == 0) return end_of(stage, 0);
  if (!items.empty()) sit_gym_exam(stage, student, items, /*with_words=*/all_sets);
  for (const Instruction& row : held_out_) {
    // What the teacher left unanswered has nothing to compare with.
    if (!corpus_.answers.contains(row.id))
      store_->put_outcome(stage, row.id, Outcome::filtered, "no_answer");
  }
  if (round == 0) keep_evaluation_sets(stage);
  const Corpus held_out = answered_held_out();
  Corpus answered = answered_evaluation_sets(stage);
  answered.rows.insert(answered.rows.begin(), held_out.rows.begin(), held_out.rows.end());
  answered.answers.insert(held_out.answers.begin(), held_out.answers.end());
  if (!answered.rows.empty()) sit_answered(stage, student, answered);
  sit_safety_sets(stage, student);
  if (!held_out_.empty())
    store_->set_meta(kHeldOutFigures, held_out_json(*store_, held_out, recipe_.seed).dump());
  Json info = Json::object();
  if (!items.empty() || !held_out_.empty()) info = look_at_answers(student, items);
  if (round > 0) info[kForgettingFigures] = look_at_forgetting(arm, round);
  return end_of(stage, in, info.dump());
}

void Run::sit_gym_exam(const std::string& stage, const std::string& student,
                       const std::vector<evaluate::ExamItem>& all, bool with_words) {
  const std::set<std::string> gym_sets = {"uniform", "pool", "beyond"};
  std::set<std::string> sat;
  for (const store::ExamRow& row : store_->exam_rows(student)) {
    if (!gym_sets.contains(row.set)) continue;
    sat.insert(row.set + "|" + row.item_id);
    // Again: a kill may have come between the row and its outcome.
    store_->put_outcome(stage, row.set + "|" + row.item_id, Outcome::done, "");
  }
  std::vector<evaluate::ExamItem> items;
  std::copy_if(all.begin(), all.end(), std::back_inserter(items),
               [&](const auto& item) { return !sat.contains(item.set + "|" + item.id); });
  if (student == "s0") {
    for (const evaluate::ExamItem& item : items) {
      const GymRow record = gym_exam_record(item);
      store_->put_instruction(stage, record.instruction);
      store_->put_response(stage, {item.id, style_author(record.instruction.task), record.answer,
                                   FinishReason::stop, 0, ""});
    }
  }
  if (items.empty()) return;
  const auto loaded = engine_->load(options_.run_dir / student_folder(student));
  const auto grader = gym_grader();
  std::map<std::string, const evaluate::ExamItem*> by_id;
  for (const evaluate::ExamItem& item : items) by_id[item.id] = &item;
  evaluate::run_exam(
      *loaded, student, items, *grader, exam_options(recipe_),
      [&](const store::ExamRow& row) {
        if (with_words) put_judge_words(stage, *by_id.at(row.item_id), row);
        store_->put_exam_row(stage, row);
        store_->put_outcome(stage, row.set + "|" + row.item_id, Outcome::done, "");
      },
      progress_, stop_);
}

Corpus Run::answered_held_out() const {
  Corpus answered;
  for (const Instruction& row : held_out_) {
    const auto answer = corpus_.answers.find(row.id);
    if (answer == corpus_.answers.end()) continue;
    answered.rows.push_back(row);
    answered.answers.insert(*answer);
  }
  return answered;
}

void Run::sit_answered(const std::string& stage, const std::string& student, const Corpus& rows) {
  const std::string author = "exam/" + student;
  ask_student(stage, student, author, rows.rows, exam_options(recipe_));
  if (stop_.stop_requested()) return;
  judge_rows(stage, author, rows);
  std::map<std::string, evaluate::HeldOutRow> sat;
  for (const Instruction& row : rows.rows)
    sat[row.id] = {.instruction = row, .reference = rows.answers.at(row.id)};
  for (const EvaluationRow& row : sets_) {
    const auto found = sat.find(row.instruction.id);
    if (found != sat.end()) found->second.set = to_string(row.kind);
  }
  for (const Response& response : store_->responses(author)) {
    const auto row = sat.find(response.instruction_id);
    if (row != sat.end()) row->second.answer = response.text;
  }
  for (const Fit& fit : store_->fits(author)) {
    const auto row = sat.find(fit.instruction_id);
    if (row == sat.end()) continue;
    row->second.score = fit.student_score;
    row->second.reached = !difficulty::is_hard(fit, select_options(recipe_));
  }
  std::vector<evaluate::HeldOutRow> scored;  // the others stand in the ledger
  for (auto& [id, row] : sat) {
    if (row.score) scored.push_back(std::move(row));
  }
  const auto loaded = engine_->load(options_.run_dir / student_folder(student));
  evaluate::measure_held_out(
      *loaded, student, scored,
      [&](const store::ExamRow& row) { store_->put_exam_row(stage, row); }, progress_, stop_);
}

// Of the set that every student sits.
Json Run::look_at_answers(const std::string& student,
                          const std::vector<evaluate::ExamItem>& items) {
  const std::string_view set = items.empty() ? store::kHeldOutSet : "uniform";
  const auto answers_of = [&](const std::string& who) {
    std::vector<std::string> answers;
    for (store::ExamRow& row : store_->exam_rows(who)) {
      if (row.set == set) answers.push_back(std::move(row.answer));
    }
    return evaluate::look_at(answers);
  };
  std::vector<std::string> right;
  for (const evaluate::ExamItem& item : items) {
    if (item.set == set) right.push_back(gym_right_answer(item, learns_steps(student)));
  }
  if (items.empty()) {
    for (const auto& [id, answer] : answered_held_out().answers) right.push_back(answer);
  }
  evaluate::OutputCheck check;
  check.who = student;
  check.asked = static_cast<std::int64_t>(right.size());
  check.own = answers_of(student);
  check.reference = evaluate::look_at(right);
  if (const std::string before = round_before(student); !before.empty())
    check.before = answers_of(before);
  const std::vector<std::string> signs = evaluate::output_warnings(check);
  for (const std::string& sign : signs) progress_.message("warning: " + sign);
  return {{"outputs", output_figures(check)}, {"signs", signs}};
}

// D is terse; what is refined is in steps.
bool Run::learns_steps(const std::string& student) const {
  for (const auto& [name, arm] : arms_of(recipe_)) {
    if (student.starts_with(name + "/")) return arm.refine != "none";
  }
  return false;
}

}  // namespace tapir::pipeline
