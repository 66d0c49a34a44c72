// The exam after every round, and the gate on forgetting.
#include <fmt/format.h>

#include "base/error.h"
#include "evaluate/exam.h"
#include "pipeline/gym_binding.h"
#include "pipeline/options.h"
#include "pipeline/run.h"

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
  std::vector<evaluate::ExamItem> items = gym_exam(recipe_, all_sets);
  const std::uint64_t in = items.size();
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
  return end_of(stage, in);
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
