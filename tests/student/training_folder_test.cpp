// The folders that a training reads and writes: where they stand, and what makes them another job.
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "error_of.h"
#include "student/job.h"
#include "student/merge.h"
#include "student/token_cache.h"
#include "student/trainer.h"
#include "test_data.h"
#include "tiny_student.h"

namespace tapir::student {
namespace {

using tapir::testing::complaint_of;
using ::testing::HasSubstr;
using Path = std::filesystem::path;

class TrainingFolder : public ::testing::Test {
 protected:
  TrainingFolder() { make_new_student(tapir::testing::tiny_student(), folder_.path() / "base"); }

  TrainJob job(const std::string& output) const {
    TrainJob made;
    made.model_dir = folder_.path() / "base";
    made.output_dir = folder_.path() / output;
    made.examples = tapir::testing::sum_rows(10);
    made.options.batch_tokens = 150;
    made.options.max_steps = 2;
    return made;
  }
  TrainJob lora_job(const std::string& output) const {
    TrainJob made = job(output);
    made.options.finetuning_type = "lora";
    return made;
  }
  static TrainResult train_all(const TrainJob& job) {
    return train(job, "here", silent_progress(), {});
  }
  bool there(const std::string& name) const {
    return std::filesystem::exists(folder_.path() / name);
  }

  testing::TemporaryFolder folder_;
};

TEST_F(TrainingFolder, ASlashBehindTheOutputSaysNothing) {
  TrainJob made = job("out/");
  made.io.token_cache = beside(made.output_dir, ".work");
  EXPECT_TRUE(train_all(made).finished);
  EXPECT_TRUE(there("out/model.safetensors"));
  EXPECT_FALSE(there("out.work"));
  made.options.seed = 7;  // another training takes the folder's place
  EXPECT_TRUE(train_all(made).finished);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 2);
}

// Its name cannot be replaced, or what is in there would be lost: before anything is spent.
TEST_F(TrainingFolder, AnOutputThatCannotBeReplacedIsRefused) {
  create_directory(folder_.path() / "notes");
  write_file(folder_.path() / "notes" / "todo.txt", "mine");
  write_file(folder_.path() / "file", "mine");
  for (const auto& [output, words] :
       std::map<Path, std::string>{{".", "with a name"},
                                   {"..", "with a name"},
                                   {"/", "with a name"},
                                   {folder_.path() / "out" / ".", "with a name"},
                                   {folder_.path() / "notes", "todo.txt and no student"},
                                   {folder_.path() / "notes" / "", "todo.txt and no student"},
                                   {folder_.path() / "file", "a file"}}) {
    TrainJob made = job("out");
    made.output_dir = output;
    const auto refused = [&](const auto& call) {
      EXPECT_THAT(complaint_of(ErrorKind::usage, call), HasSubstr(words)) << output;
    };
    refused([&] { return preflight(made); });
    refused([&] { return train_all(made); });
  }
  EXPECT_EQ(read_file(folder_.path() / "notes" / "todo.txt"), "mine");
  EXPECT_FALSE(there("notes.work"));
  create_directory(folder_.path() / "empty");
  EXPECT_TRUE(train_all(job("empty")).finished);
}

TEST_F(TrainingFolder, MergingReplacesAFolderAndLeavesCheckpointsAlone) {
  const TrainJob adapter = lora_job("adapter");
  train_all(adapter);
  write_folder(folder_.path() / "whole.work",
               [](const Path& aside) { write_file(aside / "mine", "x"); });
  const Path whole = folder_.path() / "whole" / "";
  write_folder(whole, [](const Path& aside) { write_file(aside / "old", "x"); });
  EXPECT_THAT(
      complaint_of(ErrorKind::usage, [&] { return merge_student(adapter.output_dir, whole); }),
      HasSubstr("holds old"));
  write_file(whole / "config.json", "{}");  // a student's
  merge_student(adapter.output_dir, whole);
  EXPECT_TRUE(there("whole/model.safetensors"));
  EXPECT_FALSE(there("whole/old"));
  EXPECT_FALSE(there("whole.new"));
  EXPECT_TRUE(there("whole.work/mine"));
}

TEST_F(TrainingFolder, AnAdapterIsNotTrainedOnWithOtherTargets) {
  TrainJob first = lora_job("first");
  first.options.lora.lora_target = "q_proj,v_proj";
  train_all(first);
  TrainJob second = lora_job("second");
  second.model_dir = first.output_dir;
  second.options.lora.lora_target = "v_proj, q_proj";
  EXPECT_TRUE(train_all(second).finished);
  second.options.lora.lora_target = "q_proj";
  try {
    train_all(second);
    ADD_FAILURE() << "trained";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("lora_target q_proj,v_proj"));
  }
}

TEST_F(TrainingFolder, AnotherChatTemplateIsAnotherJob) {
  const TrainJob made = job("out");
  const std::string before = job_digest(made);
  const std::string key = token_cache_key(made.examples, made.model_dir, "auto", 32);
  write_file(made.model_dir / "chat_template.jinja", text::chat_template("compact"));
  EXPECT_NE(job_digest(made), before);
  EXPECT_NE(token_cache_key(made.examples, made.model_dir, "auto", 32), key);
  std::filesystem::remove(made.model_dir / "chat_template.jinja");
  EXPECT_NE(job_digest(made), before);
}

}  // namespace
}  // namespace tapir::student
