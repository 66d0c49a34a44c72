// What the options of a training do, and which are refused.
#include <cmath>

#include <gmock/gmock.h>

#include "error_of.h"
#include "student/job.h"
#include "trainer_fixture.h"

namespace tapir::student {
namespace {

using tapir::testing::error_of;
using tapir::testing::WatchedProgress;
using ::testing::HasSubstr;

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
  expect_non_finite_loss_named();
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
  TrainJob seldom = moved(with, "seldom");
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
  const TrainJob parts = moved(made, "parts");
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
  const TrainJob parts = moved(whole, "parts");
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

}  // namespace
}  // namespace tapir::student
