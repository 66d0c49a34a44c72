// What an estimate makes of the options that change what training takes.
#include "pipeline/estimate.h"

#include <gmock/gmock.h>

#include "fake_engine.h"
#include "test_data.h"

namespace tapir::pipeline {
namespace {

// Says back what it was asked: the memory of a plan made from the job's options alone.
class PlanningEngine final : public student::StudentEngine {
 public:
  std::shared_ptr<const student::Student> load(const std::filesystem::path&) const override {
    throw Error(ErrorKind::bug, "an estimate needs no weights");
  }
  student::Preflight preflight(const student::TrainJob& job) const override {
    EXPECT_FALSE(job.examples.empty());
    EXPECT_TRUE(std::filesystem::exists(job.model_dir));
    student::Preflight p;
    p.parameters = 1'000'000;
    p.trained_parameters = job.options.finetuning_type == "lora" ? 10'000 : p.parameters;
    const std::int64_t moment = job.options.optim_state_dtype == "bfloat16" ? 2 : 4;
    p.memory.weights = 4 * (p.parameters + p.trained_parameters % p.parameters);
    p.memory.optimizer = 2 * moment * p.trained_parameters;
    p.memory.activations = job.io.gradient_checkpointing ? 1'000'000 : 9'000'000;
    p.output_bytes = 4 * p.trained_parameters + p.memory.optimizer;
    return p;
  }
  student::TrainResult train(const student::TrainJob&, ProgressSink&,
                             std::stop_token) const override {
    throw Error(ErrorKind::bug, "an estimate trains nothing");
  }
  std::string version() const override { return "planning"; }
};

class EstimateTest : public ::testing::Test {
 protected:
  EstimateTest() { testing::make_fake_base(folder_.path() / "base"); }

  Estimate of(const std::vector<std::string>& settings) const {
    return estimate(parse_recipe("student: {model_name_or_path: base}\n"
                                 "data: {gym: {rows: 100}}\ncurriculum: {rounds: 2}\n",
                                 "recipe.yaml", folder_.path(), settings),
                    PlanningEngine());
  }
  static double training_seconds(const Estimate& e) {
    double seconds = 0;
    for (const StageEstimate& stage : e.stages) {
      if (stage.stage.ends_with("/train")) seconds += stage.seconds;
    }
    return seconds;
  }

  testing::TemporaryFolder folder_;
};

TEST_F(EstimateTest, KnowsWhatMakesTrainingSmallerOrSlower) {
  const Estimate usual = of({});
  const Estimate lora = of({"train.finetuning_type=lora"});
  const Estimate halves = of({"train.optim_state_dtype=bfloat16"});
  const Estimate again = of({"train.gradient_checkpointing=true"});
  EXPECT_EQ(usual.memory.total(), 21'000'000);
  EXPECT_EQ(halves.memory.total(), 17'000'000);
  EXPECT_EQ(again.memory.total(), 13'000'000);
  EXPECT_LT(lora.memory.optimizer, usual.memory.optimizer / 50);
  EXPECT_LT(lora.disk_bytes, usual.disk_bytes - 4 * 11'000'000);
  EXPECT_LT(halves.disk_bytes, usual.disk_bytes);
  EXPECT_NEAR(training_seconds(lora) / training_seconds(usual), 4.02 / 6, 1e-9);
  EXPECT_NEAR(training_seconds(again) / training_seconds(usual), 8.0 / 6, 1e-9);
  EXPECT_THAT(estimate_text(usual), ::testing::HasSubstr("0.01 optimizer"));
  EXPECT_EQ(estimate_json(usual)["memory"]["optimizer"], 8'000'000);
}

}  // namespace
}  // namespace tapir::pipeline
