#include "pipeline/file_stage.h"

#include <fmt/format.h>

#include "base/error.h"

namespace tapir::pipeline {

std::vector<dataset::DataRow> read_rows_of(const StageFiles& files) {
  return dataset::read_instructions({std::filesystem::path(files.input)}, {.keep_fields = true});
}

Json row_to_write(const dataset::DataRow& row) {
  Json out = row.fields;
  if (!out.contains("id") || out["id"].is_null()) out["id"] = row.instruction.id;
  return out;
}

FileStage::FileStage(Recipe recipe, const StageFiles& files, std::string stage,
                     ProgressSink& progress, std::stop_token stop)
    : recipe_(std::move(recipe)),
      name_(std::move(stage)),
      progress_(progress),
      stop_(std::move(stop)) {
  if (files.store.empty() && files.output == "-") {
    throw Error(ErrorKind::usage, "the output is standard output, so there is no place beside it",
                "add --store FOLDER: replies are kept there, and the next sitting goes on");
  }
  const std::filesystem::path folder =
      files.store.empty() ? std::filesystem::path(files.output + ".tapir") : files.store;
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) {
    throw Error(ErrorKind::data,
                "cannot make the folder " + folder.string() + ": " + failure.message(),
                "choose another with --store");
  }
  lock_ = std::make_unique<store::RunLock>(folder);
  store_ = store::RunStore::open(folder / "run.db", store::OpenMode::create);
  budget_ = make_budget(recipe_, *store_);
  spent_before_ = budget_->spent().usd();
  stage_.set(name_);
}

FileStage::~FileStage() = default;

llm::ChatModel& FileStage::model(RoleName role) {
  const auto found = models_.find(role);
  if (found != models_.end()) return found->second.model();
  return models_.try_emplace(role, recipe_, role, *store_, *budget_, stage_, progress_)
      .first->second.model();
}

double FileStage::usd() const { return budget_->spent().usd() - spent_before_; }

void FileStage::check_complete(bool complete, RoleName role) {
  if (complete) return;
  store_->flush();
  if (stop_.stop_requested()) {
    throw Error(ErrorKind::interrupted, "interrupted: nothing was written yet",
                "the replies are kept; the same command goes on from here");
  }
  if (budget_->exhausted()) {
    throw Error(
        ErrorKind::budget,
        fmt::format("{}: the budget is reached: ${:.2f} spent", name_, budget_->spent().usd()),
        "what was answered is kept; raise budget.max_usd or budget.max_tokens and run the same "
        "command again");
  }
  const std::string trouble = models_.contains(role) ? models_.at(role).trouble() : std::string();
  throw Error(ErrorKind::endpoint,
              fmt::format("{}: the {} left rows without an answer{}{}", name_, to_string(role),
                          trouble.empty() ? "" : ": ", trouble),
              "what was answered is kept; run the same command again when the endpoint is well");
}

}  // namespace tapir::pipeline
