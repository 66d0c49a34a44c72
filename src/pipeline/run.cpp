#include "pipeline/run.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "pipeline/generation_backend.h"
#include "pipeline/incomplete.h"
#include "pipeline/retries.h"
#include "pipeline/role_model.h"
#include "pipeline/training_backend.h"
#include "student/torch_device.h"

namespace tapir::pipeline {
namespace {

// Thrown when --until is reached; never leaves Run::go().
struct UntilReached {};

}  // namespace

Run::Run(Recipe recipe, RunOptions options, std::shared_ptr<const student::StudentEngine> engine,
         ProgressSink& progress, std::stop_token stop)
    : recipe_(std::move(recipe)),
      options_(std::move(options)),
      engine_(std::move(engine)),
      progress_(progress, stage_name_),
      stop_(std::move(stop)) {
  engine_ = with_training_backend(recipe_, options_.student, std::move(engine_));
  engine_ = with_generation_backend(recipe_, options_.run_dir, std::move(engine_), progress_);
  open();
}

Run::~Run() = default;

RunOutcome Run::go() {
  RunOutcome outcome;
  try {
    run_method();
    outcome.finished = true;
  } catch (const UntilReached&) {
    const char* why = options_.retry ? "as far as the run had come; `tapir run` goes on"
                                     : "as asked; the same command without --until goes on";
    progress_.message(fmt::format("stopped after {} {}", options_.until, why));
  }
  store_->flush();
  for (const store::StageRecord& record : store_->stages()) {
    outcome.rows_failed += static_cast<std::int64_t>(record.ledger.failed_total());
  }
  return outcome;
}

void Run::stage(const std::string& name, const Work& work) {
  if (stop_.stop_requested()) {
    throw Error(ErrorKind::interrupted, "interrupted before " + name,
                "the same command goes on from here");
  }
  const auto known = store_->stage(name);
  if (known && known->finished) {
    settle_retry(name);
    return stop_here_when_asked(name);
  }
  const auto planned =
      std::find_if(plan_.begin(), plan_.end(), [&](const auto& s) { return s.name == name; });
  check(planned != plan_.end(), "stage " + name + " is in the plan");
  place(name);
  store_->begin_stage(name, planned->fingerprint);
  stage_name_.set(name, read_retries(*store_, name).times);
  const auto start = std::chrono::steady_clock::now();
  StageEnd end;
  try {
    end = work(name);
    if (stop_.stop_requested()) {
      throw Error(ErrorKind::interrupted, "interrupted in " + name,
                  "the same command goes on from here");
    }
  } catch (...) {
    store_->add_stage_seconds(name, seconds_since(start));
    store_->flush();
    throw;
  }
  if (!end.ledger.balances()) {
    throw Error(
        ErrorKind::bug,
        fmt::format("the ledger of {} does not balance: in {} but done {}, failed {}, filtered {}",
                    name, end.ledger.in, end.ledger.done, end.ledger.failed_total(),
                    end.ledger.filtered_total()));
  }
  store_->finish_stage(name, end.ledger, seconds_since(start), end.info);
  store_->flush();
  settle_retry(name);
  stage_name_.set("");
  stop_here_when_asked(name);
}

void Run::place(const std::string& name) {
  const auto placed =
      std::find_if(placed_.begin(), placed_.end(), [&](const auto& s) { return s.stage == name; });
  if (placed == placed_.end()) return;
  for (const auto& [role, model] :
       {std::pair{RoleName::teacher, &teacher_}, std::pair{RoleName::judge, &judge_},
        std::pair{RoleName::auditor, &auditor_}}) {
    if (*model != nullptr && !placed->up.contains(role)) (*model)->rest();
  }
  if (!placed->up.empty()) student::release_gpu_reserve();  // for a server that starts now
}

void Run::stop_here_when_asked(const std::string& finished_stage) {
  if (!options_.until.empty() && options_.until == finished_stage) throw UntilReached{};
}

Run::StageEnd Run::end_of(const std::string& stage, std::uint64_t in, std::string info) {
  store_->flush();
  StageEnd end{store_->count_outcomes(stage), std::move(info)};
  end.ledger.in = in;
  return end;
}

void Run::check_complete(bool complete, const std::string& stage, const std::string& role) {
  if (complete) return;
  store_->flush();
  const RoleModel* model = nullptr;
  for (const auto& [name, one] : {std::pair{"teacher", &teacher_}, std::pair{"judge", &judge_},
                                  std::pair{"auditor", &auditor_}}) {
    if (name == role) model = one->get();
  }
  throw_incomplete({stage, role, model, *budget_, options_.run_dir, stop_.stop_requested()});
}

}  // namespace tapir::pipeline
