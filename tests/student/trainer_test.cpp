// Training as a user meets it: whole folders in and out, stopped, killed and gone on.
#include "student/trainer.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "student/job.h"
#include "student/merge.h"
#include "student/student.h"
#include "student_folder.h"
#include "test_data.h"

namespace tapir::student {
namespace {

using tapir::testing::WatchedProgress;
using ::testing::HasSubstr;
using Path = std::filesystem::path;

class Trainer : public ::testing::Test {
 protected:
  Trainer() { make_new_student(tapir::testing::tiny_student(), folder_.path() / "base"); }

  TrainJob job(const std::string& output) const {
    TrainJob made;
    made.model_dir = folder_.path() / "base";
    made.output_dir = folder_.path() / output;
    made.examples = tapir::testing::sum_rows(40);
    made.options.learning_rate = 0.01;
    made.options.batch_tokens = 150;
    made.options.max_steps = 12;
    made.options.weight_decay = 0.01;
    made.io.logging_steps = 1;
    return made;
  }

  TrainJob lora_job(const std::string& output) const {
    TrainJob made = job(output);
    made.options.finetuning_type = "lora";
    made.options.lora.lora_rank = 4;
    made.options.lora.lora_alpha = 16;
    made.options.learning_rate = 0.03;
    return made;
  }

  // Trains until `step` and stops there.
  static TrainResult train_until(const TrainJob& job, std::uint64_t step) {
    std::stop_source source;
    WatchedProgress progress([&](const ProgressUpdate& update) {
      if (update.done == step) source.request_stop();
    });
    return train(job, "here", progress, source.get_token());
  }
  static TrainResult train_all(const TrainJob& job) {
    return train(job, "here", silent_progress(), {});
  }

  static std::string weights(const TrainJob& job) {
    return read_file(job.output_dir / "model.safetensors");
  }
  static std::string moments(const TrainJob& job) {
    return read_file(job.output_dir / "optimizer.safetensors");
  }

  // Steps and losses of metrics.jsonl.
  static std::vector<std::pair<int, double>> losses(const Path& file) {
    std::vector<std::pair<int, double>> rows;
    for_each_jsonl(file, [&](const Json& row, const std::string& where) {
      rows.emplace_back(json_get<int>(row, "step", where), json_get<double>(row, "loss", where));
    });
    return rows;
  }

  template <typename Call>
  static Error error_of(const Call& call) {
    try {
      call();
    } catch (const Error& e) {
      return e;
    }
    ADD_FAILURE() << "no error";
    return Error(ErrorKind::bug, "");
  }

  testing::TemporaryFolder folder_;
};

TEST_F(Trainer, LearnsAndPublishesAWholeFolder) {
  TrainJob made = job("out");
  made.options.max_steps = 150;
  const TrainResult result = train_all(made);
  EXPECT_TRUE(result.finished);
  EXPECT_EQ(result.steps, 150);
  EXPECT_NEAR(static_cast<double>(result.tokens), 150 * 150, 40);
  EXPECT_GT(result.first_loss, 4);
  EXPECT_LT(result.last_loss, 0.5);
  for (const char* name : {"config.json", "generation_config.json", "tokenizer.json",
                           "tokenizer_config.json", "special_tokens_map.json", "model.safetensors",
                           "optimizer.safetensors", "trainer_state.json", "metrics.jsonl"}) {
    EXPECT_TRUE(std::filesystem::exists(made.output_dir / name)) << name;
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "out.work"));
  const auto trained = make_student_engine()->load(made.output_dir);
  double mean = 0;
  for (const TokenLosses& row : trained->token_losses(made.examples)) mean += row.loss / 40;
  EXPECT_LT(mean, 0.5);
}

TEST_F(Trainer, SameJobSameBytes) {
  const TrainJob a = job("a");
  const TrainJob b = job("b");
  train_all(a);
  train_all(b);
  EXPECT_EQ(weights(a), weights(b));
  EXPECT_EQ(moments(a), moments(b));
}

TEST_F(Trainer, StoppedAnywhereItEndsWithTheSameBytes) {
  const TrainJob whole = job("whole");
  const TrainResult expected = train_all(whole);
  for (const std::uint64_t step : {1U, 5U, 11U}) {
    const TrainJob parts = job("parts" + std::to_string(step));
    const TrainResult stopped = train_until(parts, step);
    EXPECT_FALSE(stopped.finished);
    EXPECT_EQ(stopped.steps, static_cast<std::int64_t>(step));
    EXPECT_FALSE(std::filesystem::exists(parts.output_dir));
    const TrainResult result = train_all(parts);
    EXPECT_TRUE(result.finished);
    EXPECT_EQ(result.tokens, expected.tokens);
    EXPECT_EQ(result.rows, expected.rows);
    EXPECT_EQ(result.last_loss, expected.last_loss);
    EXPECT_EQ(weights(parts), weights(whole)) << "stopped at " << step;
    EXPECT_EQ(moments(parts), moments(whole));
    EXPECT_EQ(losses(parts.output_dir / "metrics.jsonl"),
              losses(whole.output_dir / "metrics.jsonl"));
  }
}

// What a SIGKILL leaves: the last checkpoint, metrics beyond it, a checkpoint half written.
TEST_F(Trainer, KilledAnywhereItEndsWithTheSameBytes) {
  const TrainJob whole = job("whole");
  train_all(whole);
  for (const std::uint64_t step : {2U, 7U, 10U}) {
    TrainJob killed = job("killed" + std::to_string(step));
    killed.io.save_steps = 3;
    const Path left = folder_.path() / ("left" + std::to_string(step));
    WatchedProgress progress([&](const ProgressUpdate& update) {
      if (update.done == step) {
        std::filesystem::copy(killed.output_dir.string() + ".work", left,
                              std::filesystem::copy_options::recursive);
      }
    });
    train(killed, "here", progress, {});
    std::filesystem::remove_all(killed.output_dir);
    std::filesystem::create_directories(left / "writing");
    write_file(left / "writing" / "model.safetensors", "half");
    std::filesystem::rename(left, killed.output_dir.string() + ".work");
    WatchedProgress again([](const ProgressUpdate&) {});
    EXPECT_TRUE(train(killed, "here", again, {}).finished);
    EXPECT_EQ(again.messages.size(), step >= 3 ? 1U : 0U);
    EXPECT_EQ(weights(killed), weights(whole)) << "killed at " << step;
    EXPECT_EQ(losses(killed.output_dir / "metrics.jsonl"),
              losses(whole.output_dir / "metrics.jsonl"));
  }
}

TEST_F(Trainer, FinishedIsNotDoneAgain) {
  const TrainJob made = job("out");
  const TrainResult first = train_all(made);
  int updates = 0;
  WatchedProgress progress([&](const ProgressUpdate&) { ++updates; });
  const TrainResult second = train(made, "here", progress, {});
  EXPECT_EQ(updates, 0);
  EXPECT_EQ(second.tokens, first.tokens);
  EXPECT_EQ(second.last_loss, first.last_loss);
  EXPECT_EQ(second.seconds, first.seconds);

  TrainJob other = made;
  other.options.learning_rate = 0.02;
  const std::string before = weights(made);
  train(other, "here", progress, {});
  EXPECT_EQ(updates, 12);
  EXPECT_NE(weights(other), before);
}

TEST_F(Trainer, CheckpointsOfAnotherJobAreDropped) {
  TrainJob first = job("out");
  train_until(first, 4);
  TrainJob second = first;
  second.examples.pop_back();
  TrainJob fresh = second;
  fresh.output_dir = folder_.path() / "fresh";
  train_all(second);
  train_all(fresh);
  EXPECT_EQ(weights(second), weights(fresh));
}

TEST_F(Trainer, CheckpointsOfAnotherMachineAreRefusedUnlessAllowed) {
  TrainJob made = job("out");
  train_until(made, 4);
  const Error error = error_of([&] { train(made, "elsewhere", silent_progress(), {}); });
  EXPECT_THAT(error.what(), HasSubstr("elsewhere"));
  made.io.allow_other_machine = true;
  EXPECT_TRUE(train(made, "elsewhere", silent_progress(), {}).finished);
}

TEST_F(Trainer, KeepsTheNewestCheckpoints) {
  TrainJob made = job("out");
  made.io.save_steps = 2;
  made.io.save_total_limit = 2;
  train_until(made, 9);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "out.work")) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("checkpoint-")) names.push_back(name);
  }
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("checkpoint-8", "checkpoint-9"));
  EXPECT_NO_THROW(make_student_engine()->load(folder_.path() / "out.work" / "checkpoint-9"));
}

// Two trainings under one schedule, the optimizer's state carried over, are one training.
TEST_F(Trainer, OneScheduleOverTwoTrainings) {
  TrainJob whole = job("whole");
  whole.options.shuffle = false;
  whole.options.batch_tokens = 0;
  whole.options.total_batch_size = 5;
  whole.options.max_steps = 0;
  whole.options.num_train_epochs = 1;
  train_all(whole);
  TrainJob first = whole;
  first.output_dir = folder_.path() / "first";
  first.examples.resize(15);
  first.options.schedule_total_steps = 8;
  train_all(first);
  TrainJob second = whole;
  second.output_dir = folder_.path() / "second";
  second.model_dir = first.output_dir;
  second.optimizer_from = first.output_dir;
  second.examples.erase(second.examples.begin(), second.examples.begin() + 15);
  second.options.schedule_total_steps = 8;
  second.options.schedule_first_step = 3;
  train_all(second);
  EXPECT_EQ(weights(second), weights(whole));
  EXPECT_EQ(moments(second), moments(whole));
}

TEST_F(Trainer, LanesAndMicroBatchesAgree) {
  std::vector<TrainResult> results;
  for (const int lanes : {1, 2, 4}) {
    for (const int micro : {0, 30}) {
      TrainJob made = job("lanes" + std::to_string(lanes) + "-" + std::to_string(micro));
      made.options.lanes = lanes;
      made.io.micro_batch_tokens = micro;
      results.push_back(train_all(made));
    }
  }
  for (const TrainResult& result : results) {
    EXPECT_EQ(result.first_loss, results[0].first_loss) << "sums of at most 1e-6 apart";
    EXPECT_NEAR(result.last_loss, results[0].last_loss, 1e-4);
  }
}

TEST_F(Trainer, MetricsAreAppendedToTheFileThatIsNamed) {
  TrainJob made = job("out");
  made.io.metrics = folder_.path() / "m.jsonl";
  made.io.stage = "round 1";
  made.io.logging_steps = 5;
  write_file(made.io.metrics,
             "{\"stage\":\"s0\",\"step\":99,\"loss\":1}\n{\"stage\":\"round "
             "1\",\"step\":3,\"loss\":1}\n{\"st");
  train_all(made);
  const auto rows = losses(made.io.metrics);
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_EQ(rows[0].first, 99);
  EXPECT_EQ(rows[1].first, 1);
  EXPECT_EQ(rows[2].first, 5);
  EXPECT_EQ(rows[4].first, 12);
  EXPECT_FALSE(std::filesystem::exists(made.output_dir / "metrics.jsonl"));
}

TEST_F(Trainer, PreflightCounts) {
  TrainJob made = job("out");
  const std::int64_t longest = preflight(made).longest;
  made.options.cutoff_len = static_cast<int>(longest) - 1;
  const Preflight seen = preflight(made);
  EXPECT_EQ(seen.rows, 40);
  EXPECT_EQ(seen.longest, longest - 1);
  EXPECT_GT(seen.truncated_rows, 0);
  EXPECT_LT(seen.truncated_rows, 40);
  EXPECT_GT(seen.tokens, seen.supervised_tokens);
  EXPECT_EQ(seen.steps, 12);
}

TEST_F(Trainer, RowsWithoutASupervisedTokenAreRefused) {
  TrainJob made = job("out");
  made.examples[3].segments[1].loss = false;
  EXPECT_EQ(preflight(made).ids_without_loss, std::vector<std::string>{"row3"});
  const Error error = error_of([&] { train_all(made); });
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_THAT(error.what(), HasSubstr("row3"));
  EXPECT_FALSE(std::filesystem::exists(made.output_dir));
}

TEST_F(Trainer, ImpossibleOptionsAreNamed) {
  const auto usage = [&](const std::function<void(TrainOptions&)>& change) {
    TrainJob made = job("out");
    change(made.options);
    const Error error = error_of([&] { train_all(made); });
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return std::string(error.what());
  };
  EXPECT_THAT(usage([](TrainOptions& o) { o.learning_rate = -1; }),
              HasSubstr("learning_rate: found -1"));
  EXPECT_THAT(usage([](TrainOptions& o) { o.learning_rate = std::nan(""); }),
              HasSubstr("learning_rate"));
  EXPECT_THAT(usage([](TrainOptions& o) { o.lanes = 0; }), HasSubstr("lanes"));
  EXPECT_THAT(usage([](TrainOptions& o) { o.warmup_ratio = 1.5; }),
              HasSubstr("warmup_ratio: found 1.5"));
  EXPECT_THAT(usage([](TrainOptions& o) { o.lr_scheduler_type = "step"; }),
              HasSubstr("lr_scheduler_type"));
  EXPECT_THAT(usage([](TrainOptions& o) { o.finetuning_type = "qlora"; }),
              HasSubstr("finetuning_type: found \"qlora\", expected full or lora"));
  EXPECT_THAT(usage([](TrainOptions& o) { o.lora.lora_dropout = 1; }), HasSubstr("lora_dropout"));
  EXPECT_THAT(usage([](TrainOptions& o) { o.optim_state_dtype = "int8"; }),
              HasSubstr("optim_state_dtype"));
  EXPECT_THAT(usage([](TrainOptions& o) {
                o.finetuning_type = "lora";
                o.lora.lora_target = "c_attn";
              }),
              HasSubstr("c_attn"));
  TrainJob empty = job("out");
  empty.examples.clear();
  EXPECT_EQ(error_of([&] { train_all(empty); }).kind(), ErrorKind::data);
}

TEST_F(Trainer, NonFiniteLossNamesStepAndRowsAndKeepsTheCheckpoint) {
  TrainJob made = job("out");
  made.options.learning_rate = 1e30;
  made.options.warmup_ratio = 0.3;  // rates of the first steps: 0, 2.5e29, ...
  made.io.save_steps = 1;
  const Error error = error_of([&] { train_all(made); });
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_THAT(error.what(), HasSubstr("step "));
  EXPECT_THAT(error.what(), HasSubstr("row"));
  EXPECT_TRUE(
      std::filesystem::exists(folder_.path() / "out.work" / "checkpoint-1" / "model.safetensors"));
}

// An adapter, stopped and killed anywhere, dropout and evaluation included.
TEST_F(Trainer, AnAdapterIsResumedToTheSameBytes) {
  TrainJob whole = lora_job("whole");
  whole.options.lora.lora_dropout = 0.2;
  whole.options.val_size = 5;
  whole.io.eval_steps = 4;
  const TrainResult expected = train_all(whole);
  EXPECT_LT(expected.last_loss, expected.first_loss);
  ASSERT_TRUE(expected.eval_loss.has_value());
  const std::string bytes = read_file(whole.output_dir / "adapter_model.safetensors");
  TrainJob parts = whole;
  parts.output_dir = folder_.path() / "parts";
  EXPECT_FALSE(train_until(parts, 5).finished);
  EXPECT_EQ(train_all(parts).eval_loss, expected.eval_loss);
  EXPECT_EQ(read_file(parts.output_dir / "adapter_model.safetensors"), bytes);
  EXPECT_EQ(moments(parts), moments(whole));
  EXPECT_EQ(losses(parts.output_dir / "metrics.jsonl"), losses(whole.output_dir / "metrics.jsonl"));
  // The files alone, as a kill leaves them between two checkpoints.
  TrainJob killed = whole;
  killed.output_dir = folder_.path() / "killed";
  killed.io.save_steps = 3;
  const Path left = folder_.path() / "left";
  WatchedProgress progress([&](const ProgressUpdate& update) {
    if (update.done == 8) {
      std::filesystem::copy(killed.output_dir.string() + ".work", left,
                            std::filesystem::copy_options::recursive);
    }
  });
  train(killed, "here", progress, {});
  std::filesystem::remove_all(killed.output_dir);
  std::filesystem::rename(left, killed.output_dir.string() + ".work");
  EXPECT_TRUE(train_all(killed).finished);
  EXPECT_EQ(read_file(killed.output_dir / "adapter_model.safetensors"), bytes);
}

TEST_F(Trainer, AnAdapterLeavesItsBaseAloneAndMergesIntoIt) {
  const TrainJob made = lora_job("adapter");
  const std::string base = read_file(made.model_dir / "model.safetensors");
  train_all(made);
  EXPECT_EQ(read_file(made.model_dir / "model.safetensors"), base);
  for (const char* name : {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json",
                           "tokenizer_config.json", "trainer_state.json"}) {
    EXPECT_TRUE(std::filesystem::exists(made.output_dir / name)) << name;
  }
  for (const char* name : {"config.json", "model.safetensors"}) {
    EXPECT_FALSE(std::filesystem::exists(made.output_dir / name)) << name;
  }
  merge_student(made.output_dir, folder_.path() / "merged");
  const auto engine = make_student_engine();
  const auto beside = engine->load(made.output_dir)->token_losses(made.examples);
  const auto merged = engine->load(folder_.path() / "merged")->token_losses(made.examples);
  const auto before = engine->load(made.model_dir)->token_losses(made.examples);
  double learnt = 0;
  for (std::size_t i = 0; i < merged.size(); ++i) {
    EXPECT_EQ(merged[i].logprobs, beside[i].logprobs);
    learnt += before[i].loss - merged[i].loss;
  }
  EXPECT_GT(learnt / static_cast<double>(merged.size()), 0.5);
  EXPECT_EQ(error_of([&] { merge_student(made.model_dir, folder_.path() / "x"); }).kind(),
            ErrorKind::usage);
}

// From an adapter: trained on as it is, or all weights from the merged ones.
TEST_F(Trainer, AnAdapterIsTrainedOn) {
  const TrainJob first = lora_job("first");
  train_all(first);
  TrainJob second = lora_job("second");
  second.model_dir = first.output_dir;
  const TrainResult result = train_all(second);
  EXPECT_LT(result.first_loss, 5);
  EXPECT_TRUE(std::filesystem::exists(second.output_dir / "adapter_config.json"));
  second.options.lora.lora_rank = 3;
  EXPECT_THAT(error_of([&] { train_all(second); }).what(), HasSubstr("lora_rank 4"));
  TrainJob full = job("full");
  full.model_dir = first.output_dir;
  train_all(full);
  EXPECT_TRUE(std::filesystem::exists(full.output_dir / "model.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(full.output_dir / "adapter_config.json"));
  EXPECT_NO_THROW(make_student_engine()->load(full.output_dir));
}

TEST_F(Trainer, HeldOutRowsAreNeitherLearntNorChangeTheBits) {
  TrainJob with = job("with");
  with.options.val_size = 0.25;
  with.io.eval_steps = 3;
  const Preflight seen = preflight(with);
  EXPECT_EQ(seen.validation_rows, 10);
  EXPECT_EQ(seen.rows, 40);
  train_all(with);
  std::vector<int> steps;
  for_each_jsonl(with.output_dir / "metrics.jsonl", [&](const Json& row, const std::string&) {
    if (row.contains("eval_loss")) steps.push_back(row.at("step").get<int>());
  });
  EXPECT_EQ(steps, (std::vector<int>{3, 6, 9, 12}));
  TrainJob seldom = with;
  seldom.output_dir = folder_.path() / "seldom";
  seldom.io.eval_steps = 0;
  train_all(seldom);
  EXPECT_EQ(weights(seldom), weights(with));
  with.options.val_size = 40;
  EXPECT_EQ(error_of([&] { train_all(with); }).kind(), ErrorKind::data);
}

// Repetitions of a row that is held out are held out too.
TEST_F(Trainer, HeldOutRowsTakeTheirRepetitionsAlong) {
  std::vector<EncodedRow> rows(40);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].id = "r" + std::to_string(i / 2) + (i % 2 == 1 ? "#2" : "");
  }
  TrainOptions options;
  options.val_size = 7;
  const RowSplit split = split_rows(rows, options);
  EXPECT_EQ(split.validation.size(), 8U);
  for (std::size_t i = 0; i < split.validation.size(); i += 2) {
    EXPECT_EQ(split.validation[i] + 1, split.validation[i + 1]);
  }
}

TEST_F(Trainer, PackedRowsFillTheirSequences) {
  TrainJob made = job("packed");
  made.options.packing = true;
  made.options.cutoff_len = 90;
  made.options.batch_tokens = 0;
  made.options.total_batch_size = 3;
  made.options.max_steps = 0;
  made.options.num_train_epochs = 2;
  const Preflight seen = preflight(made);
  EXPECT_LT(seen.packed_sequences, 40);
  EXPECT_GE(seen.packed_sequences * 90, seen.tokens);
  const TrainResult result = train_all(made);
  EXPECT_GE(result.rows, 80);
  TrainJob parts = made;
  parts.output_dir = folder_.path() / "parts";
  train_until(parts, 4);
  train_all(parts);
  EXPECT_EQ(weights(parts), weights(made));
}

// A cap halves the passes, not the optimizer's batch; what was come down to is kept by a resume.
TEST_F(Trainer, LittleMemoryHalvesThePasses) {
  TrainJob made = job("little");
  made.options.batch_tokens = 1200;
  const MemoryPlan plan = preflight(made).memory;
  EXPECT_EQ(plan.micro_batch_tokens, 512);
  EXPECT_GT(plan.activations, 0);
  EXPECT_GT(plan.limit, plan.total());
  made.io.memory_limit = 1;
  WatchedProgress progress([](const ProgressUpdate&) {});
  const TrainResult result = train(made, "here", progress, {});
  ASSERT_EQ(progress.messages.size(), 2U);
  EXPECT_THAT(progress.messages[0], HasSubstr("tokens instead of 512"));
  EXPECT_THAT(progress.messages[1], HasSubstr("gradient_checkpointing"));
  TrainJob roomy = job("roomy");
  roomy.options.batch_tokens = 1200;
  EXPECT_NEAR(train_all(roomy).last_loss, result.last_loss, 1e-3);
}

TEST_F(Trainer, MomentsInBfloat16AreResumedAndLearn) {
  TrainJob whole = job("whole");
  whole.options.optim_state_dtype = "bfloat16";
  const TrainResult expected = train_all(whole);
  TrainJob usual = job("usual");
  EXPECT_NEAR(train_all(usual).last_loss, expected.last_loss, 0.3);
  EXPECT_LT(moments(whole).size(), 0.6 * static_cast<double>(moments(usual).size()));
  TrainJob parts = whole;
  parts.output_dir = folder_.path() / "parts";
  train_until(parts, 7);
  train_all(parts);
  EXPECT_EQ(weights(parts), weights(whole));
  EXPECT_EQ(moments(parts), moments(whole));
}

// Segments with loss may stand anywhere: only they are learnt.
TEST_F(Trainer, EveryTurnWithLossIsLearntAndNoOther) {
  TrainJob made = job("turns");
  made.examples = {{"talk",
                    {{Role::user, "what is 1+1", false},
                     {Role::assistant, "it is 2", true},
                     {Role::user, "what is 2+2", false},
                     {Role::assistant, "it is 4", false},
                     {Role::user, "what is 3+3", false},
                     {Role::assistant, "it is 6", true}}}};
  const std::int64_t both = preflight(made).supervised_tokens;
  made.examples[0].segments[5].loss = false;
  const std::int64_t first = preflight(made).supervised_tokens;
  made.examples[0].segments[1].loss = false;
  made.examples[0].segments[5].loss = true;
  const std::int64_t last = preflight(made).supervised_tokens;
  EXPECT_EQ(first + last, both);
  EXPECT_GT(first, 1);
}

TEST_F(Trainer, OptimizerOfAnUnfinishedFolderIsRefused) {
  TrainJob made = job("out");
  made.optimizer_from = made.model_dir;
  EXPECT_THAT(error_of([&] { train_all(made); }).what(), HasSubstr("no optimizer state"));
}

}  // namespace
}  // namespace tapir::student
