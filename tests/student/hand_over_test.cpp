// A training that is told step by step, and students that come back from one.
#include "student/hand_over.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <span>

#include "student/job.h"
#include "student/prepared_job.h"
#include "student/safetensors.h"
#include "trainer_fixture.h"

namespace tapir::student {
namespace {

class HandOver : public Trainer {
 protected:
  TrainSteps steps_of(const TrainJob& job) const {
    return train_steps(job, folder_.path() / "start", device_);
  }
  static void accept(const Path&) {}

  // A copy of what this very training makes, as another program would hand it back.
  Path trained(const TrainJob& job, const std::string& name) const {
    const TrainJob elsewhere = moved(job, name);
    train_all(elsewhere);
    for (const char* file : {"trainer_state.json", "metrics.jsonl"})
      std::filesystem::remove(elsewhere.output_dir / file);
    return elsewhere.output_dir;
  }
  static TrainResult result() {
    TrainResult result;
    result.steps = 12;
    return result;
  }
  std::string refusal(const TrainJob& job, const Path& folder) const {
    const Error error = tapir::testing::error_of([&] {
      take_over(job, {folder, "there", result(), {}}, accept, device_);
    });
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_FALSE(std::filesystem::exists(job.output_dir));
    return error.what();
  }
  // Writes one value of the first tensor of a folder's weights over.
  static void spoil(const Path& file, float value) {
    std::string bytes = read_file(file);
    const SafetensorsFile weights(file);
    const std::string_view first = weights.tensors().begin()->second.bytes;
    const auto at = bytes.find(first);
    std::memcpy(bytes.data() + at, &value, sizeof value);
    write_file(file, bytes);
  }
};

void expect_same_training(const TrainSteps& steps, const TrainResult& result) {
  EXPECT_EQ(steps.steps.size(), static_cast<std::size_t>(result.steps));
  EXPECT_EQ(steps.tokens, result.tokens);
  EXPECT_EQ(steps.supervised_tokens, result.supervised_tokens);
  EXPECT_EQ(steps.row_count, result.rows);
}

TEST_F(HandOver, StepsAreThoseOfTheTraining) {
  TrainJob plain = job("plain");
  plain.io.logging_steps = 1;
  TrainJob by_tokens = job("by_tokens");
  by_tokens.options.batch_tokens = 64;
  TrainJob packed = job("packed");
  packed.options.packing = true;
  packed.options.total_batch_size = 1;
  packed.options.cutoff_len = 64;
  TrainJob held_out = job("held_out");
  held_out.options.val_size = 0.25;
  TrainJob later = job("later");
  later.options.schedule_total_steps = 40;
  later.options.schedule_first_step = 12;
  for (const TrainJob& each : {plain, by_tokens, packed, held_out, later, lora_job("lora")}) {
    SCOPED_TRACE(each.output_dir.filename());
    expect_same_training(steps_of(each), train_all(each));
  }
  const TrainSteps steps = steps_of(plain);
  std::size_t step = 0;
  for_each_jsonl(plain.output_dir / "metrics.jsonl", [&](const Json& row, const std::string&) {
    EXPECT_EQ(row.at("lr").get<double>(), steps.steps.at(step++).learning_rate);
  });
  EXPECT_EQ(step, steps.steps.size());
}

TEST_F(HandOver, RowsAreTokensMaskAndMessages) {
  const TrainJob made = job("rows");
  const TrainSteps steps = steps_of(made);
  ASSERT_EQ(steps.rows.size(), made.examples.size());
  const std::vector<EncodedRow> rows = prepare(made, device_).rows;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_TRUE(std::ranges::equal(steps.rows[i].tokens, rows[i].tokens));
    EXPECT_TRUE(std::ranges::equal(steps.rows[i].loss, rows[i].loss));
    EXPECT_EQ(steps.rows[i].messages.back().content, made.examples[i].segments.back().text);
  }
  EXPECT_EQ(steps.start, made.model_dir);
  EXPECT_EQ(steps.digest, job_digest(made));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "start"));
}

TEST_F(HandOver, AFreshAdapterIsWrittenToStartFrom) {
  const TrainJob made = lora_job("lora");
  const TrainSteps steps = steps_of(made);
  EXPECT_TRUE(steps.is_adapter);
  EXPECT_EQ(steps.start, folder_.path() / "start");
  EXPECT_EQ(steps.base, made.model_dir);
  // Going on from it is the very training that makes a fresh one itself.
  train_all(made);
  TrainJob from_start = moved(made, "from_start");
  from_start.model_dir = steps.start;
  train_all(from_start);
  EXPECT_EQ(read_file(made.output_dir / "adapter_model.safetensors"),
            read_file(from_start.output_dir / "adapter_model.safetensors"));
}

TEST_F(HandOver, TakesOverWhatItWouldHaveMade) {
  for (const TrainJob& made : {job("full"), lora_job("lora")}) {
    SCOPED_TRACE(made.output_dir.filename());
    const Path back = trained(made, made.output_dir.filename().string() + "-back");
    EXPECT_FALSE(finished_training(made, job_digest(made)));
    bool looked = false;
    TrainJob with_files = made;
    with_files.io.logging_steps = 1;
    take_over(
        with_files, {back, "there", result(), {{1, 2.5, 0.1, 1, 10, 5, 2}}},
        [&](const Path& aside) {
          looked = true;
          EXPECT_TRUE(holds_student(aside));
          EXPECT_FALSE(std::filesystem::exists(made.output_dir));
        },
        device_);
    EXPECT_TRUE(looked);
    const char* weights =
        made.options.finetuning_type == "lora" ? "adapter_model.safetensors" : "model.safetensors";
    EXPECT_EQ(read_file(back / weights), read_file(made.output_dir / weights));
    EXPECT_EQ(read_file(back / "optimizer.safetensors"),
              read_file(made.output_dir / "optimizer.safetensors"));
    EXPECT_THAT(read_file(made.output_dir / "metrics.jsonl"), ::testing::HasSubstr("2.5"));
    const auto found = finished_training(made, job_digest(made));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->steps, 12);
    EXPECT_EQ(train_all(made).steps, 12);  // not trained again
  }
}

TEST_F(HandOver, RefusesWeightsThatAreNotFinite) {
  const TrainJob made = job("made");
  const Path back = trained(made, "back");
  spoil(back / "model.safetensors", std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT(refusal(made, back), ::testing::HasSubstr("not finite, first in "));
}

TEST_F(HandOver, RefusesWhatIsAsItWas) {
  const TrainJob made = job("made");
  EXPECT_THAT(refusal(made, made.model_dir), ::testing::HasSubstr("nothing was learnt"));
}

TEST_F(HandOver, RefusesAnotherVocabulary) {
  const TrainJob made = job("made");
  const Path back = trained(made, "back");
  OrderedJson config = read_ordered_json_object(back / "config.json");
  const int before = config["vocab_size"].get<int>();
  config["vocab_size"] = before + 8;
  write_file(back / "config.json", config.dump());
  EXPECT_THAT(refusal(made, back),
              ::testing::HasSubstr("vocabulary of " + std::to_string(before + 8)));
}

TEST_F(HandOver, RefusesAnotherTokenizer) {
  const TrainJob made = job("made");
  const Path back = trained(made, "back");
  std::string words = read_file(back / "tokenizer.json");
  Json tokenizer = parse_json(words, "tokenizer.json");
  tokenizer["model"]["merges"] = Json::array();
  write_file(back / "tokenizer.json", tokenizer.dump());
  EXPECT_THAT(refusal(made, back), ::testing::HasSubstr("another tokenizer"));
}

TEST_F(HandOver, RefusesAnAdapterOfAnotherShape) {
  const TrainJob made = lora_job("made");
  TrainJob other = lora_job("back");
  other.options.lora.lora_rank = 2;
  train_all(other);
  EXPECT_THAT(refusal(made, other.output_dir), ::testing::HasSubstr("another shape"));
}

TEST_F(HandOver, WhatTheCallerRefusesIsNotPublished) {
  const TrainJob made = job("made");
  const Path back = trained(made, "back");
  EXPECT_THROW(take_over(
                   made, {back, "there", result(), {}},
                   [](const Path&) { throw Error(ErrorKind::data, "worse"); }, device_),
               Error);
  EXPECT_FALSE(std::filesystem::exists(made.output_dir));
}

}  // namespace
}  // namespace tapir::student
