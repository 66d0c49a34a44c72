// Line 5 of the algorithm: expansion, mixture and refinement of one round of one arm.
#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/json.h"
#include "pipeline/cleaning.h"
#include "pipeline/options.h"
#include "pipeline/run.h"
#include "pipeline/signs.h"
#include "teach/teach.h"

namespace tapir::pipeline {
namespace {

// In arms that do not balance, every row counts as of one task: shares come as they come.
constexpr const char* kAnyTask = "";

std::vector<curriculum::Candidate> candidates(const std::map<std::string, Instruction>& rows,
                                              const std::map<std::string, int>& uses,
                                              bool balance) {
  std::vector<curriculum::Candidate> out;
  for (const auto& [id, row] : rows) {
    const auto used = uses.find(id);
    out.push_back({id, balance ? row.task : kAnyTask, used == uses.end() ? 0 : used->second});
  }
  return out;
}

std::uint64_t unused(const std::vector<curriculum::Candidate>& rows) {
  return static_cast<std::uint64_t>(
      std::count_if(rows.begin(), rows.end(), [](const auto& c) { return c.uses == 0; }));
}

}  // namespace

Pool Run::first_pool(const std::string& name, const Arm& arm) const {
  // Rows whose judgment stayed unreadable are in neither stratum.
  std::set<std::string> judged;
  for (const Fit& fit : store_->fits("student/s0")) judged.insert(fit.instruction_id);
  std::set<std::string> chosen = hard_ids("s0");
  if (arm.select == "random") {
    std::vector<std::string> ids(judged.begin(), judged.end());
    RandomStream(recipe_.seed, "select_random", "").shuffle(ids);
    ids.resize(chosen.size());
    chosen = std::set<std::string>(ids.begin(), ids.end());
  }
  Pool pool;
  for (const Instruction& row : corpus_.rows) {
    if (chosen.contains(row.id)) {
      pool.hard.emplace(row.id, row);
    } else if (judged.contains(row.id)) {
      pool.easy.emplace(row.id, row);
    }
  }
  check(!pool.hard.empty(), "the hard stratum of arm " + name + " is not empty");
  return pool;
}

void Run::add_new_answers(Corpus& corpus) const {
  std::map<std::string, std::set<std::string>> answered;  // new instructions, by author
  for (const Instruction& row : corpus.rows) {
    if (row.round > 0) answered[style_author(row.task)].insert(row.id);
  }
  for (const auto& [author, ids] : answered) {
    for (Response& response : store_->responses(author)) {
      if (ids.contains(response.instruction_id))
        corpus.answers[response.instruction_id] = std::move(response.text);
    }
  }
}

void Run::rejudge_pool(const std::string& name, int round, Pool& pool) {
  const std::string before = student_name(name, round - 1);
  const std::string prefix = student_name(name, round);
  std::map<std::string, Instruction> all = pool.easy;
  all.insert(pool.hard.begin(), pool.hard.end());
  Corpus judged{{}, corpus_.answers};
  for (const auto& [id, row] : all) judged.rows.push_back(row);
  add_new_answers(judged);
  const std::string author = "student/" + before;
  if (recipe_.difficulty.method == "mfd") {
    stage(prefix + "/answers",
          [&](const auto& s) { return answer(s, before, author, judged.rows); });
  }
  stage(prefix + "/difficulty",
        [&](const auto& s) { return measure_difficulty(s, author, judged); });
  const std::set<std::string> hard = hard_ids(before);
  pool.hard.clear();
  pool.easy.clear();
  for (const auto& [id, row] : all) (hard.contains(id) ? pool.hard : pool.easy).emplace(id, row);
}

curriculum::RoundPlan Run::round_plan(const std::string& name, int round) const {
  const auto& c = recipe_.curriculum;
  const std::int64_t rows = c.rows > 0 ? c.rows : static_cast<std::int64_t>(corpus_.rows.size());
  const auto rounds =
      curriculum::schedule({static_cast<int>(c.rounds), c.alpha, c.alpha_step, rows});
  curriculum::RoundPlan plan = rounds.at(static_cast<std::size_t>(round - 1));
  plan.alpha =
      curriculum::with_more_replay(plan.alpha, replays_before(name, round), c.forgetting_replay);
  return plan;
}

curriculum::Quotas Run::quotas(const std::string& name, const Arm& arm, int round,
                               const Pool& pool) const {
  const curriculum::RoundPlan plan = round_plan(name, round);
  curriculum::QuotaInput input{plan.rows, plan.alpha, {}, {}};
  input.shares = arm.balance ? taxonomy_.shares() : std::map<std::string, double>{{kAnyTask, 1.0}};
  for (const auto& candidate : candidates(pool.easy, pool.uses, arm.balance)) {
    if (candidate.uses == 0) ++input.easy_available[candidate.task];
  }
  return curriculum::quotas(input);
}

std::string Run::style_author(const std::string& task) const {
  return "teacher/" + taxonomy_.style_of(task).first;
}

// New instructions that the hard part of the mixture lacks, by task.
std::map<std::string, std::int64_t> Run::needed_rows(const std::string& name, const Arm& arm,
                                                     int round, const Pool& pool) const {
  const auto hard = candidates(pool.hard, pool.uses, arm.balance);
  if (arm.balance) return curriculum::needed(quotas(name, arm, round, pool), hard);
  std::int64_t rows = 0;
  if (arm.expand_as_tapir && name != kMainArm) {
    for (const store::TeachRow& row : store_->teach_rows(kMainArm)) {
      rows += row.round == round && row.outcome == "kept" ? 1 : 0;
    }
  } else {
    for (const auto& [task, quota] : quotas(name, arm, round, pool).by_task) rows += quota.hard;
    rows = std::max<std::int64_t>(0, rows - static_cast<std::int64_t>(unused(hard)));
  }
  std::map<std::string, double> natural;
  for (const auto& [id, row] : pool.hard) natural[row.task] += 1;
  return curriculum::apportion(rows, natural);
}

Run::StageEnd Run::expand(const std::string& stage, const std::string& name, const Arm& arm,
                          int round, const Pool& pool) {
  if (!arm.expand) return end_of(stage, 0);
  std::map<std::string, std::vector<Instruction>> seeds;
  for (const auto& [id, row] : pool.hard) seeds[row.task].push_back(row);
  const auto needed = needed_rows(name, arm, round, pool);
  const std::unique_ptr<teach::Novelty> novelty = novelty_of(recipe_);
  for (const Instruction& row : corpus_.rows) novelty->add(row);
  for (const Instruction& row : held_out_) novelty->add(row);
  for (const EvaluationRow& row : sets_) novelty->add(row.instruction);
  for (const auto* rows : {&pool.hard, &pool.easy}) {
    for (const auto& [id, row] : *rows) {
      if (row.round > 0) novelty->add(row);  // the others are of the corpus
    }
  }
  const teach::ExpandOptions options = expand_options(recipe_, name, round);
  std::vector<teach::ExpandedRow> made;
  const auto summary = teach::expand(
      teacher_->model(), prompts_, taxonomy_, seeds, needed, *novelty, options,
      [&](const teach::ExpandedRow& row) { made.push_back(row); }, progress_, stop_);
  check_complete(summary.complete, stage, "teacher");
  answer_new(stage, name, round, made);
  Json missing = Json::object();
  for (const auto& [task, rows] : summary.missing) {
    if (rows > 0) missing[task] = rows;
  }
  return end_of(stage, made.size(),
                Json{{"waves", summary.waves}, {"missing", missing}, {"needed", needed}}.dump());
}

void Run::ask_styled(const std::string& stage, const std::vector<teach::RefineRow>& rows,
                     const std::function<void(const std::string&, const std::string&)>& failed) {
  teach::RefineOptions options;
  options.sampling = sampling_of(recipe_.teacher);
  options.max_in_flight = in_flight(recipe_.teacher);
  const auto keep = [&](const Response& response) { store_->put_response(stage, response); };
  const auto summary = teach::refine(teacher_->model(), prompts_, taxonomy_, rows, options, keep,
                                     failed, progress_, stop_);
  check_complete(summary.complete, stage, "teacher");
}

// A new instruction is answered once, directly in its task's style; without an answer it does not
// enter P_r.
void Run::answer_new(const std::string& stage, const std::string& name, int round,
                     std::vector<teach::ExpandedRow>& made) {
  std::vector<teach::RefineRow> rows;
  for (const teach::ExpandedRow& row : made) {
    if (row.outcome == "kept") rows.push_back({row.instruction, ""});
  }
  std::map<std::string, std::string> lost;
  ask_styled(stage, rows, [&](const auto& id, const auto& reason) { lost[id] = reason; });
  for (std::size_t i = 0; i < made.size(); ++i) {
    const Instruction& instruction = made[i].instruction;
    const auto failed = lost.find(instruction.id);
    const std::string outcome = failed != lost.end() ? "no_answer" : made[i].outcome;
    const std::string row_id = fmt::format("{}#{}", instruction.id, i);
    if (outcome == "kept") store_->put_instruction(stage, instruction);
    store_->put_teach_row(
        stage, {name, round, instruction.id, instruction.task, outcome, instruction.parent_id,
                outcome == "kept" || instruction.messages.empty() ? "" : instruction.prompt()});
    if (outcome == "kept") {
      store_->put_outcome(stage, row_id, Outcome::done, "");
    } else {
      const bool failure = failed != lost.end() || instruction.messages.empty();
      store_->put_outcome(stage, row_id, failure ? Outcome::failed : Outcome::filtered, outcome);
    }
  }
}

void Run::after_expand(const std::string& name, int round, Pool& pool) const {
  std::map<std::string, Instruction> made;
  for (Instruction& row : store_->instructions(round)) made.emplace(row.id, std::move(row));
  for (const store::TeachRow& row : store_->teach_rows(name)) {
    if (row.round != round || row.outcome != "kept") continue;
    const auto instruction = made.find(row.instruction_id);
    check(instruction != made.end(), "the kept row " + row.instruction_id + " is in the store");
    pool.hard.insert(*instruction);
  }
}

Run::StageEnd Run::mix(const std::string& stage, const std::string& name, const Arm& arm, int round,
                       const Pool& pool) {
  const curriculum::Quotas quota = quotas(name, arm, round, pool);
  RandomStream stream(recipe_.seed, "mix", std::to_string(round));
  curriculum::MixtureResult mixture =
      curriculum::mix(quota, candidates(pool.hard, pool.uses, arm.balance),
                      candidates(pool.easy, pool.uses, arm.balance), stream);
  std::map<std::string, std::int64_t> reached;
  std::int64_t hard = 0;
  for (MixtureRow& row : mixture.rows) {
    const bool in_hard = pool.hard.contains(row.instruction_id);
    const Instruction& instruction =
        in_hard ? pool.hard.at(row.instruction_id) : pool.easy.at(row.instruction_id);
    const bool refined =
        arm.refine == "all" || (arm.refine == "hard" && row.stratum == Stratum::hard);
    row.task = instruction.task;
    row.author = refined || instruction.round > 0 ? style_author(row.task) : "data";
    ++reached[row.task];
    hard += row.stratum == Stratum::hard ? 1 : 0;
  }
  store_->put_mixture(stage, name, round, mixture.rows);
  const double total = static_cast<double>(std::max<std::size_t>(1, mixture.rows.size()));
  Json shares = Json::object();
  const auto target = taxonomy_.shares();
  for (const std::string& task : taxonomy_.names()) {
    shares[task] = {arm.balance ? Json(target.at(task)) : Json(nullptr),
                    static_cast<double>(reached[task]) / total};
  }
  std::vector<std::string> relaxed = quota.relaxed;
  relaxed.insert(relaxed.end(), mixture.relaxed.begin(), mixture.relaxed.end());
  Json info = {{"alpha", round_plan(name, round).alpha},
               {"rows", mixture.rows.size()},
               {"hard", hard},
               {"easy", static_cast<std::int64_t>(mixture.rows.size()) - hard},
               {"shares", shares},
               {"repeated", mixture.repeated},
               {"relaxed", relaxed}};
  look_for_copies(mixture.rows, pool, info);
  StageEnd end{{}, info.dump()};
  end.ledger.in = end.ledger.done = mixture.rows.size();
  return end;
}

void Run::look_for_copies(const std::vector<MixtureRow>& mixture, const Pool& pool, Json& info) {
  std::map<std::string, Instruction> rows;  // distinct ones
  for (const MixtureRow& row : mixture) {
    const auto hard = pool.hard.find(row.instruction_id);
    rows.insert(hard != pool.hard.end() ? *hard : *pool.easy.find(row.instruction_id));
  }
  std::vector<Instruction> looked_at;
  for (auto& [id, row] : rows) looked_at.push_back(std::move(row));
  const auto copies = count_near_copies(recipe_, looked_at);
  info["near_copies"] = copies ? Json(*copies) : Json(nullptr);
  info["signs"] = Json::array();
  const auto all = static_cast<std::int64_t>(looked_at.size());
  if (const auto sign = evaluate::near_copy_warning(all, copies.value_or(0))) {
    info["signs"].push_back(*sign);
    progress_.message("warning: " + *sign);
  }
}

Run::StageEnd Run::refine(const std::string& stage, const std::string& name, int round,
                          const Pool& pool) {
  std::map<std::string, std::string> author_of_row;  // distinct rows that the teacher answers
  for (const MixtureRow& row : store_->mixture(name, round)) {
    if (row.author != "data") author_of_row[row.instruction_id] = row.author;
  }
  std::map<std::string, std::set<std::string>> answered;  // by author
  std::vector<teach::RefineRow> rows;
  for (const auto& [id, author] : author_of_row) {
    if (!answered.contains(author)) {
      for (const Response& response : store_->responses(author))
        answered[author].insert(response.instruction_id);
    }
    store_->put_outcome(stage, id, Outcome::done, "");
    if (answered[author].contains(id)) continue;
    const auto hard = pool.hard.find(id);
    const auto answer = corpus_.answers.find(id);
    rows.push_back({hard != pool.hard.end() ? hard->second : pool.easy.at(id),
                    answer == corpus_.answers.end() ? "" : answer->second});
  }
  ask_styled(stage, rows, [&](const auto& id, const auto& reason) {
    store_->put_outcome(stage, id, Outcome::failed, reason);
  });
  export_mixture(name, round);
  return end_of(stage, author_of_row.size());
}

void Run::after_mix(const std::string& name, int round, Pool& pool) const {
  for (const MixtureRow& row : store_->mixture(name, round)) ++pool.uses[row.instruction_id];
}

}  // namespace tapir::pipeline
