// The exam after every round, and the gate on forgetting.
#include <fmt/format.h>

#include "base/error.h"
#include "base/json.h"
#include "evaluate/exam.h"
#include "pipeline/gym_binding.h"
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

Run::StageEnd Run::exam(const std::string& stage, const std::string& student, bool all_sets) {
  const std::vector<evaluate::ExamItem> all = gym_exam(recipe_, all_sets);
  std::vector<evaluate::ExamItem> items = all;
  std::set<std::string> sat;
  for (const store::ExamRow& row : store_->exam_rows(student)) {
    sat.insert(row.set + "|" + row.item_id);
    // Again: a kill may have come between the row and its outcome.
    store_->put_outcome(stage, row.set + "|" + row.item_id, Outcome::done, "");
  }
  std::erase_if(items, [&](const auto& item) { return sat.contains(item.set + "|" + item.id); });
  if (student == "s0") {
    for (const evaluate::ExamItem& item : items) {
      const GymRow record = gym_exam_record(item);
      store_->put_instruction(stage, record.instruction);
      store_->put_response(stage, {item.id, style_author(record.instruction.task), record.answer,
                                   FinishReason::stop, 0, ""});
    }
  }
  if (!items.empty()) {
    const auto loaded = engine_->load(options_.run_dir / student_folder(student));
    const auto grader = gym_grader();
    std::map<std::string, const evaluate::ExamItem*> by_id;
    for (const evaluate::ExamItem& item : items) by_id[item.id] = &item;
    evaluate::run_exam(
        *loaded, student, items, *grader, exam_options(recipe_),
        [&](const store::ExamRow& row) {
          if (all_sets) put_judge_words(stage, *by_id.at(row.item_id), row);
          store_->put_exam_row(stage, row);
          store_->put_outcome(stage, row.set + "|" + row.item_id, Outcome::done, "");
        },
        progress_, stop_);
  }
  return end_of(stage, all.size(), look_at_answers(student, all).dump());
}

// Of the set that every student sits.
Json Run::look_at_answers(const std::string& student,
                          const std::vector<evaluate::ExamItem>& items) {
  constexpr std::string_view kSet = "uniform";
  const auto answers_of = [&](const std::string& who) {
    std::vector<std::string> answers;
    for (store::ExamRow& row : store_->exam_rows(who)) {
      if (row.set == kSet) answers.push_back(std::move(row.answer));
    }
    return evaluate::look_at(answers);
  };
  std::vector<std::string> right;
  for (const evaluate::ExamItem& item : items) {
    if (item.set == kSet) right.push_back(gym_right_answer(item, learns_steps(student)));
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

bool Run::gate_stops(const std::string& name, int round) {
  const auto gate = recipe_.curriculum.forgetting_gate;
  if (gate == "off" || name != kMainArm) return false;
  std::vector<evaluate::ExamSummary> rounds;
  for (int r = 0; r <= round; ++r)
    rounds.push_back(evaluate::summarise(store_->exam_rows(student_name(name, r)), "uniform"));
  const auto result = evaluate::forgetting_gate(rounds, recipe_.curriculum.forgetting_tolerance);
  if (!result.tripped) return false;
  progress_.message(fmt::format("forgetting after round {}: {}", round, result.words));
  if (gate != "stop") return false;
  store_->set_meta("final", student_name(name, round - 1));
  progress_.message(fmt::format("the gate stops the rounds: the final student is {}",
                                student_name(name, round - 1)));
  return true;
}

}  // namespace tapir::pipeline
