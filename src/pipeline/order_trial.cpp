#include "pipeline/order_trial.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/strings.h"
#include "evaluate/exam.h"
#include "evaluate/held_out.h"
#include "pipeline/gym_binding.h"
#include "pipeline/options.h"
#include "pipeline/plan.h"
#include "pipeline/rounds.h"
#include "store/run_store.h"
#include "student/student_folder.h"

namespace tapir::pipeline {
namespace {

constexpr std::string_view kGymSet = "uniform";  // the one that is sat after every round
constexpr const char* kLossSet = "loss";         // of rows of the trial: loss only, no answer

std::string order_name(int order) { return fmt::format("order-{}", order); }

bool has_loss(const store::ExamRow& row) { return row.set != kGymSet && row.loss.has_value(); }

class Trial {
 public:
  Trial(const Recipe& recipe, const OrderOptions& options, const student::StudentEngine& engine,
        ProgressSink& progress, std::stop_token stop)
      : recipe_(recipe),
        options_(options),
        engine_(engine),
        progress_(progress),
        stop_(std::move(stop)) {
    if (options_.orders < 2) {
      throw Error(ErrorKind::usage,
                  fmt::format("--orders: expected 2 or more, found {}", options_.orders),
                  "one order has nothing to be compared with");
    }
    run_ = store::RunStore::open(options_.run_dir / "run.db", store::OpenMode::read_only);
    find_round();
    find_items();
    open_output();
  }

  OrderTrial go() {
    OrderTrial trial{options_.arm, options_.round, options_.seed, {}, {}};
    const student::TrainJob job =
        round_job({recipe_, *run_, engine_, options_.run_dir}, options_.arm, options_.round);
    tell_cost();
    trial.students.push_back(
        student_of(order_name(1), recorded_, options_.run_dir / student_folder(student_)));
    for (int order = 2; order <= options_.orders; ++order) {
      const std::string name = order_name(order);
      const store::TrainRecord record = train(name, order, job);
      examine(name);
      trial.students.push_back(student_of(name, record, output_ / name));
    }
    measure(trial);
    return trial;
  }

 private:
  void find_round();
  void find_items();
  void open_output();
  void check_machine(const store::RunStore& store, const std::string& what) const;
  void tell_cost() const;
  store::TrainRecord train(const std::string& name, int order, const student::TrainJob& job);
  std::optional<store::TrainRecord> trained(const std::string& name) const;
  void examine(const std::string& name);
  bool sit_gym(const student::Student& student, const std::string& name,
               const std::set<std::string>& done);
  bool take_losses(const student::Student& student, const std::string& name,
                   const std::set<std::string>& done);
  void measure(OrderTrial& trial) const;
  std::vector<store::ExamRow> rows_of(int order) const;

  static OrderStudent student_of(const std::string& name, const store::TrainRecord& record,
                                 std::filesystem::path folder) {
    return {name, record.steps, record.tokens, record.seconds, std::move(folder)};
  }
  [[noreturn]] void interrupted() const {
    throw Error(ErrorKind::interrupted, "interrupted in the trial of orders",
                "the same command goes on from here");
  }

  const Recipe& recipe_;
  OrderOptions options_;
  const student::StudentEngine& engine_;
  ProgressSink& progress_;
  std::stop_token stop_;
  std::unique_ptr<store::RunStore> run_;
  std::string student_;              // of the round
  store::TrainRecord recorded_;      // its training in the run
  std::vector<store::ExamRow> sat_;  // what of its exam costs nothing to sit again
  std::filesystem::path output_;
  std::unique_ptr<store::RunLock> lock_;
  std::unique_ptr<store::RunStore> store_;  // of the trial
};

void Trial::find_round() {
  std::vector<std::string> arms;
  for (const auto& [name, arm] : arms_of(recipe_)) arms.push_back(name);
  if (std::find(arms.begin(), arms.end(), options_.arm) == arms.end()) {
    throw Error(ErrorKind::usage, "--arm: the run has no arm " + options_.arm,
                "arms: " + join(arms, ", "));
  }
  const auto rounds = static_cast<int>(recipe_.curriculum.rounds);
  if (options_.round == 0) options_.round = rounds;
  if (options_.round < 1 || options_.round > rounds) {
    throw Error(ErrorKind::usage,
                fmt::format("--round: the run has rounds 1 to {}, not {}", rounds, options_.round));
  }
  student_ = student_name(options_.arm, options_.round);
  const auto exam = run_->stage("exam/" + student_);
  if (!exam || !exam->finished) {
    throw Error(ErrorKind::data, "the run has not come as far as the exam of " + student_,
                "let `tapir run` go on, or name an earlier round with --round");
  }
  for (const store::TrainRecord& record : run_->trainings()) {
    if (record.student == student_) recorded_ = record;
  }
  const std::filesystem::path folder = options_.run_dir / student_folder(student_);
  if (!student::holds_student(folder) || student::student_digest(folder) != recorded_.digest) {
    throw Error(ErrorKind::data,
                folder.string() + " does not hold the student that the run trained there",
                "put it back: it is one of the orders that are compared");
  }
  check_machine(*run_, "the run");
}

void Trial::find_items() {
  for (const store::ExamRow& row : run_->exam_rows(student_)) {
    if (row.set == kGymSet || has_loss(row)) sat_.push_back(row);
  }
  if (sat_.empty()) {
    throw Error(ErrorKind::data,
                "the exam of " + student_ + " has neither items of the gym nor losses",
                "set rows aside with data.held_out, so that students can be compared");
  }
}

void Trial::open_output() {
  output_ = options_.output;
  if (output_.empty()) {
    output_ =
        options_.run_dir / "orders" / fmt::format("{}-round-{}", options_.arm, options_.round);
  }
  std::filesystem::create_directories(output_);
  lock_ = std::make_unique<store::RunLock>(output_);
  store_ = store::RunStore::open(output_ / "run.db", store::OpenMode::create);
  // The digest of what the round made stands for all that went in.
  const std::string fingerprint = hash_fields(
      {"orders 1", options_.arm, student_, recorded_.digest, std::to_string(options_.seed)});
  const auto found = store_->meta("fingerprint");
  if (found && *found != fingerprint) {
    throw Error(ErrorKind::usage,
                output_.string() + " holds orders of another round, run or --seed",
                "name another folder with --output");
  }
  check_machine(*store_, output_.string());
  store_->set_meta("fingerprint", fingerprint);
  if (!store_->meta("machine")) store_->set_meta("machine", engine_.version());
  store_->flush();
}

void Trial::check_machine(const store::RunStore& store, const std::string& what) const {
  const auto machine = store.meta("machine");
  if (!machine || *machine == engine_.version() || options_.allow_other_machine) return;
  throw Error(ErrorKind::usage,
              fmt::format("{} was made on another machine: {}; here: {}", what, *machine,
                          engine_.version()),
              "then more than the order differs; --allow-other-machine compares all the same");
}

void Trial::tell_cost() const {
  int missing = 0;
  for (int order = 2; order <= options_.orders; ++order) {
    const auto stage = store_->stage(order_name(order));
    missing += stage && stage->finished ? 0 : 1;
  }
  progress_.message(fmt::format(
      "{} of {} orders of {} are still to be trained and examined: about {} tokens each ({} steps, "
      "{:.0f} s in the run), then {} items; nobody is asked, so nothing is paid",
      missing, options_.orders, student_, recorded_.tokens, recorded_.steps, recorded_.seconds,
      sat_.size()));
}

std::optional<store::TrainRecord> Trial::trained(const std::string& name) const {
  for (const store::TrainRecord& record : store_->trainings()) {
    if (record.student == name) return record;
  }
  return std::nullopt;
}

store::TrainRecord Trial::train(const std::string& name, int order, const student::TrainJob& job) {
  store_->begin_stage(name, *store_->meta("fingerprint"));
  if (const auto known = trained(name)) {
    if (student::holds_student(output_ / name)) return *known;
  }
  if (stop_.stop_requested()) interrupted();
  student::TrainJob mine = job;
  mine.options.order_seed = RandomStream(options_.seed, "order", std::to_string(order)).next();
  mine.output_dir = output_ / name;
  mine.io.stage = name + "/train";
  mine.io.token_cache = beside(mine.output_dir, ".work");
  mine.io.metrics = output_ / "metrics" / (name + ".jsonl");
  mine.io.logging_dir = output_ / "metrics" / name;
  mine.io.allow_other_machine = options_.allow_other_machine;
  std::filesystem::create_directories(output_ / "metrics");
  refuse_rows_without_loss(engine_.preflight(mine), mine.io.stage);
  const student::TrainResult result = engine_.train(mine, progress_, stop_);
  if (!result.finished) interrupted();
  store::TrainRecord record = {.student = name,
                               .steps = result.steps,
                               .tokens = result.tokens,
                               .supervised_tokens = result.supervised_tokens,
                               .rows = result.rows,
                               .first_loss = result.first_loss,
                               .last_loss = result.last_loss,
                               .seconds = result.seconds,
                               .folder = name,
                               .digest = student::student_digest(mine.output_dir)};
  store_->put_training(name, record);
  store_->flush();
  return record;
}

void Trial::examine(const std::string& name) {
  if (store_->stage(name)->finished) return;
  std::set<std::string> done;
  for (const store::ExamRow& row : store_->exam_rows(name)) done.insert(row.item_id);
  const auto student = engine_.load(output_ / name);
  const bool complete = sit_gym(*student, name, done) && take_losses(*student, name, done);
  store_->flush();
  if (!complete || stop_.stop_requested()) interrupted();
  Ledger ledger;
  ledger.in = ledger.done = sat_.size();
  store_->finish_stage(name, ledger, 0, {});
}

bool Trial::sit_gym(const student::Student& student, const std::string& name,
                    const std::set<std::string>& done) {
  std::set<std::string> wanted;
  for (const store::ExamRow& row : sat_) {
    if (row.set == kGymSet && !done.contains(row.item_id)) wanted.insert(row.item_id);
  }
  if (wanted.empty()) return true;
  std::vector<evaluate::ExamItem> items;
  for (evaluate::ExamItem& item : gym_exam(recipe_, /*all_sets=*/false)) {
    if (wanted.contains(item.id)) items.push_back(std::move(item));
  }
  check(items.size() == wanted.size(), "the exam of a run is drawn again as it was");
  return evaluate::run_exam(
      student, name, items, *gym_grader(), exam_options(recipe_),
      [&](const store::ExamRow& row) { store_->put_exam_row(name, row); }, progress_, stop_);
}

bool Trial::take_losses(const student::Student& student, const std::string& name,
                        const std::set<std::string>& done) {
  const std::map<std::string, std::string> answers = recorded_answers(*run_);
  std::vector<const store::ExamRow*> wanted;
  std::vector<Example> examples;
  for (const store::ExamRow& row : sat_) {
    if (!has_loss(row) || done.contains(row.item_id)) continue;
    const auto instruction = run_->instruction(row.item_id);
    const auto answer = answers.find(row.item_id);
    check(instruction && answer != answers.end(), "a row with a loss has a recorded answer");
    wanted.push_back(&row);
    examples.push_back(make_example(*instruction, answer->second));
  }
  if (wanted.empty()) return true;
  return evaluate::take_losses(
      student, name, examples,
      [&](std::size_t place, const student::TokenLosses& losses) {
        store_->put_exam_row(name,
                             {.student = name,
                              .item_id = wanted[place]->item_id,
                              .set = kLossSet,
                              .family = wanted[place]->family,
                              .loss = losses.loss,
                              .loss_tokens = static_cast<std::int64_t>(losses.logprobs.size())});
      },
      progress_, stop_);
}

std::vector<store::ExamRow> Trial::rows_of(int order) const {
  return order == 1 ? sat_ : store_->exam_rows(order_name(order));
}

evaluate::SetKind kind_of(const std::string& set) {
  for (const evaluate::SetKind kind :
       {evaluate::SetKind::general, evaluate::SetKind::instruction}) {
    if (to_string(kind) == set) return kind;
  }
  return evaluate::SetKind::own;
}

void Trial::measure(OrderTrial& trial) const {
  std::map<std::string, evaluate::OrderItem> accuracy;
  std::map<std::string, evaluate::OrderItem> loss;
  for (const store::ExamRow& row : sat_) {
    auto& items = row.set == kGymSet ? accuracy : loss;
    items[row.item_id] = {row.family, kind_of(row.set), row.item_id, {}};
  }
  for (int order = 1; order <= options_.orders; ++order) {
    for (const store::ExamRow& row : rows_of(order)) {
      if (row.set == kGymSet) {
        accuracy.at(row.item_id).values.push_back(row.correct ? 1 : 0);
      } else {
        loss.at(row.item_id).values.push_back(*row.loss);
      }
    }
  }
  for (const auto& [name, items] : {std::pair{"accuracy", &accuracy}, std::pair{"loss", &loss}}) {
    if (items->empty()) continue;
    std::vector<evaluate::OrderItem> list;
    for (const auto& [key, item] : *items) list.push_back(item);
    trial.measures.push_back({name, evaluate::order_figures(list, options_.seed)});
  }
}

}  // namespace

OrderTrial try_orders(const Recipe& recipe, const OrderOptions& options,
                      const student::StudentEngine& engine, ProgressSink& progress,
                      std::stop_token stop) {
  return Trial(recipe, options, engine, progress, std::move(stop)).go();
}

}  // namespace tapir::pipeline
