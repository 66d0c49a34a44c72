// The floor under new instructions: a sample of each task's is judged before any of them is mixed.
#include "base/json.h"
#include "difficulty/floor.h"
#include "pipeline/floor_figures.h"
#include "pipeline/options.h"
#include "pipeline/run.h"

namespace tapir::pipeline {

// One judgment of the pair gives both figures: how good the teacher's answer is, and whether S_0
// fails at the instruction.
Run::StageEnd Run::check_floor(const std::string& stage, int round, const Pool& pool) {
  Corpus made;
  for (const auto& [id, row] : pool.hard) {
    if (row.round == round) made.rows.push_back(row);
  }
  add_new_answers(made);
  const auto& keys = recipe_.teach.floor;
  Corpus sample{{}, made.answers};
  std::set<std::string> drawn;
  for (const std::size_t place : difficulty::floor_sample(made.rows, keys.rows, recipe_.seed)) {
    sample.rows.push_back(made.rows[place]);
    drawn.insert(made.rows[place].id);
  }
  const std::string author = author_of("s0@" + stage);  // apart from S_0's answers to D
  ask_student(stage, "s0", author, sample.rows, generate_options(recipe_));
  Json info = parse_json(judge_rows(stage, author, sample).info, stage);

  const std::vector<Fit> fits = store_->fits(author);
  const auto floors = difficulty::floors_of(
      made.rows, fits, {recipe_.difficulty.threshold, recipe_.difficulty.strict});
  std::map<std::string, double> scores;  // of judged rows
  for (const Fit& fit : fits) scores[fit.instruction_id] = fit.teacher_score;
  std::map<std::string, std::int64_t> filtered;  // by task
  for (const Instruction& row : made.rows) {
    const auto score = scores.find(row.id);
    const bool judged = score != scores.end();
    if (drawn.contains(row.id) && !judged) continue;  // judge_rows() said what became of it
    const bool low = judged && score->second < keys.score;
    const bool below = floors.at(row.task).is_below(keys.score);
    filtered[row.task] += low || below ? 1 : 0;
    store_->put_outcome(stage, row.id, low || below ? Outcome::filtered : Outcome::done,
                        low     ? "answer_below_floor"
                        : below ? "task_below_floor"
                                : "");
  }
  info["floor"] = floor_figures(floors, filtered, keys.score);
  for (const std::string& warning : floor_warnings(info["floor"])) {
    info["signs"].push_back(stage + ": " + warning);
    progress_.message("warning: " + stage + ": " + warning);
  }
  progress_.message(stage + ": " + floor_line(info["floor"]));
  return end_of(stage, made.rows.size(), info.dump());
}

void Run::after_floor(const std::string& stage, Pool& pool) const {
  for (const auto& [id, outcome] : store_->outcomes(stage)) {
    if (outcome != Outcome::done) pool.hard.erase(id);
  }
}

}  // namespace tapir::pipeline
