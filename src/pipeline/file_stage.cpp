#include "pipeline/file_stage.h"

#include "base/error.h"
#include "pipeline/incomplete.h"
#include "pipeline/retries.h"

namespace tapir::pipeline {

std::vector<dataset::DataRow> read_rows_of(const StageFiles& files) {
  return dataset::read_instructions({std::filesystem::path(files.input)}, {.keep_fields = true});
}

Json row_to_write(const dataset::DataRow& row) {
  Json out = row.fields;
  if (!out.contains("id") || out["id"].is_null()) out["id"] = row.instruction.id;
  return out;
}

LateFileStage::~LateFileStage() = default;

AskedModel LateFileStage::asked(RoleName role) {
  return {[this, role]() -> llm::ChatModel& {
            if (stage_ == nullptr) stage_ = open_();
            return stage_->model(role);
          },
          [this, role](bool complete) {
            if (stage_ != nullptr) stage_->check_complete(complete, role);
          }};
}

double LateFileStage::usd() const { return stage_ == nullptr ? 0 : stage_->usd(); }

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
  folder_ = files.store.empty() ? std::filesystem::path(files.output + ".tapir") : files.store;
  std::error_code failure;
  std::filesystem::create_directories(folder_, failure);
  if (failure) {
    throw Error(ErrorKind::data,
                "cannot make the folder " + folder_.string() + ": " + failure.message(),
                "choose another with --store");
  }
  lock_ = std::make_unique<store::RunLock>(folder_);
  store_ = store::RunStore::open(folder_ / "run.db", store::OpenMode::create);
  store_->outdate_waiting();
  budget_ = make_budget(recipe_, *store_);
  spent_before_ = budget_->spent().usd();
  if (files.retry && note_retry(*store_, name_) > 0) store_->drop_stage(name_);
  stage_.set(name_, read_retries(*store_, name_).times);
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
  const auto model = models_.find(role);
  throw_incomplete({name_, std::string(to_string(role)),
                    model == models_.end() ? nullptr : &model->second, *budget_, folder_,
                    stop_.stop_requested()});
}

void FileStage::finish(const std::map<std::string, std::string>& failed) {
  store_->drop_stage(name_);
  for (const auto& [row, reason] : failed) store_->put_outcome(name_, row, Outcome::failed, reason);
  Retries retries = read_retries(*store_, name_);
  if (!retries.pending.empty()) {  // on files nothing is made from these rows but the output
    retries.pending.clear();
    write_retries(*store_, name_, retries);
  }
  store_->flush();
}

}  // namespace tapir::pipeline
