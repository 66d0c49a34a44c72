// What the stages on files (judge, classify, ...) share: instruction rows in, and the models of a
// recipe's roles over a store beside the output, so that the same command goes on where it stopped.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/progress.h"
#include "dataset/read_instructions.h"
#include "pipeline/asked_model.h"
#include "pipeline/recipe.h"
#include "pipeline/role_model.h"
#include "pipeline/stage_labels.h"
#include "store/run_store.h"

namespace tapir::pipeline {

struct StageFiles {
  std::string input;            // JSONL of instruction rows; "-" is standard input
  std::string output;           // JSONL; "-" is standard output
  std::filesystem::path store;  // folder of the replies; empty: "<output>.tapir"
  bool retry = false;           // ask again about the rows that failed for good in the last sitting
};

// Rows of the input with all their fields (DataRow::fields). Error{data} as read_instructions().
std::vector<dataset::DataRow> read_rows_of(const StageFiles& files);
// The row as it came, with its id (which may have been made) first in.
Json row_to_write(const dataset::DataRow& row);

class FileStage;

// A stage that is opened when its model is needed: what is wrong with its input is said before.
class LateFileStage {
 public:
  explicit LateFileStage(std::function<std::unique_ptr<FileStage>()> open)
      : open_(std::move(open)) {}
  ~LateFileStage();
  AskedModel asked(RoleName role);
  double usd() const;  // spent in this sitting

 private:
  std::function<std::unique_ptr<FileStage>()> open_;
  std::unique_ptr<FileStage> stage_;
};

// One sitting of a stage on a file. Replies are kept in the store's folder, where the next sitting
// finds them, and which rows failed; nothing else is. Not thread-safe.
class FileStage {
 public:
  // stage: its name in the accounts. Error{usage}: the folder is locked by another process, or the
  // output is standard output and no folder is named. progress outlives it.
  FileStage(Recipe recipe, const StageFiles& files, std::string stage, ProgressSink& progress,
            std::stop_token stop);
  ~FileStage();

  const Recipe& recipe() const { return recipe_; }
  // Made at the first call. The stage's end waits for its requests.
  llm::ChatModel& model(RoleName role);
  double usd() const;  // spent in this sitting
  // Throws Error{interrupted}, {waiting}, {budget} or {endpoint} when the stage could not be
  // completed.
  void check_complete(bool complete, RoleName role);
  // Notes the rows that failed for good, by id, with the reason: what StageFiles::retry goes by.
  void finish(const std::map<std::string, std::string>& failed);

 private:
  Recipe recipe_;
  std::string name_;
  ProgressSink& progress_;
  std::filesystem::path folder_;
  std::stop_token stop_;
  StageName stage_;
  std::unique_ptr<store::RunLock> lock_;
  std::unique_ptr<store::RunStore> store_;
  std::unique_ptr<llm::Budget> budget_;
  double spent_before_ = 0;
  std::map<RoleName, RoleModel> models_;
};

}  // namespace tapir::pipeline
