// What an estimate makes of the options that change what training takes.
#include "pipeline/estimate.h"

#include <cmath>

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

StageEstimate stage_of(const Estimate& e, const std::string& name) {
  for (const StageEstimate& stage : e.stages) {
    if (stage.stage == name) return stage;
  }
  ADD_FAILURE() << "no stage " << name;
  return {};
}

std::vector<std::string> judge_over(const std::string& endpoints,
                                    std::vector<std::string> more = {}) {
  more.insert(more.end(), {"judge.kind=openai", "judge.model=m", "judge.orders=single",
                           "judge.endpoints=" + endpoints, "judge.max_concurrent_requests=1000",
                           "judge.price_per_million={input: 2, output: 8, batch_discount: 0.25}"});
  return more;
}

// 100 judgments: what holds longest sets the time.
TEST_F(EstimateTest, LimitsPerMinuteOfAllEndpointsSetTheTime) {
  const std::string one = "[{base_url: \"http://a/v1\"}]";
  const auto seconds = [&](const std::string& endpoints, const std::vector<std::string>& more) {
    return stage_of(of(judge_over(endpoints, more)), "difficulty").seconds;
  };
  const double free = seconds(one, {});
  EXPECT_LT(free, 10);
  EXPECT_NEAR(seconds(one, {"judge.requests_per_minute=50"}), 120 / 0.98, 0.01);
  EXPECT_NEAR(seconds("[{base_url: \"http://a/v1\", requests_per_minute: 30}, {base_url: "
                      "\"http://b/v1\"}]",
                      {"judge.requests_per_minute=20"}),
              120 / 0.98, 0.01);
  EXPECT_DOUBLE_EQ(seconds("[{base_url: \"http://a/v1\", requests_per_minute: 0}, {base_url: "
                           "\"http://b/v1\"}]",
                           {"judge.requests_per_minute=20"}),
                   free)
      << "one endpoint has no limit";
  const StageEstimate by_tokens =
      stage_of(of(judge_over(one, {"judge.tokens_per_minute=1000"})), "difficulty");
  EXPECT_NEAR(by_tokens.seconds, static_cast<double>(by_tokens.tokens) * 60 / 980, 0.1);
  EXPECT_EQ(by_tokens.tokens, by_tokens.prompt_tokens + by_tokens.completion_tokens);
}

TEST_F(EstimateTest, BatchesHaveTheirPriceAndNoHours) {
  const StageEstimate online =
      stage_of(of(judge_over("[{base_url: \"http://a/v1\"}]")), "difficulty");
  const Estimate batch = of(judge_over("[]", {"judge.mode=batch"}));
  const StageEstimate judged = stage_of(batch, "difficulty");
  EXPECT_NEAR(judged.usd, 0.75 * online.usd, 1e-9);
  EXPECT_NEAR(online.usd,
              (static_cast<double>(online.prompt_tokens) * 2 +
               static_cast<double>(online.completion_tokens) * 8) /
                  1e6,
              1e-4);
  EXPECT_EQ(judged.seconds, 0);
  EXPECT_EQ(judged.batches, 1);
  EXPECT_EQ(batch.batches, 1);
  EXPECT_THAT(estimate_text(batch), ::testing::HasSubstr("+ 1 batches"));
}

TEST_F(EstimateTest, BenchmarksAreStagesOfTheirOwn) {
  std::filesystem::create_directories(folder_.path() / "alpaca");
  std::filesystem::create_directories(folder_.path() / "mt");
  write_file(folder_.path() / "alpaca/alpaca_eval_gpt4_baseline.json",
             R"([{"instruction": "a", "output": "bbb"}, {"instruction": "c", "output": "ddd"}])");
  write_file(folder_.path() / "mt/question.jsonl",
             R"({"question_id": 1, "category": "math", "turns": ["one", "two"]})"
             "\n");
  const Estimate e = of(judge_over("[{base_url: \"http://a/v1\"}]",
                                   {"evaluate.alpaca_eval={data_dir: alpaca}",
                                    "evaluate.mt_bench={data_dir: mt, references: none}"}));
  for (const std::string who : {"s0", "final"}) {
    EXPECT_EQ(stage_of(e, "alpaca_eval/" + who).calls, 2);
    EXPECT_EQ(stage_of(e, "alpaca_eval/" + who).completion_tokens, 2) << "a letter each";
    EXPECT_EQ(stage_of(e, "mt_bench/" + who).calls, 2) << "two turns";
    EXPECT_GT(stage_of(e, "mt_bench/" + who).usd, 0);
    EXPECT_GT(stage_of(e, "mt_bench/" + who + "/answers").tokens, 0);
  }
}

TEST_F(EstimateTest, MissingAnswersAreCounted) {
  write_file(folder_.path() / "rows.jsonl",
             "{\"instruction\": \"a\", \"output\": \"b\"}\n{\"instruction\": \"c\"}\n"
             "{\"instruction\": \"d\"}\n");
  const std::vector<std::string> files = {"data.gym.rows=0", "data.instructions=[rows.jsonl]"};
  const auto responses = [&](const std::string& how) {
    auto settings = files;
    settings.push_back("data.responses=" + how);
    return stage_of(of(settings), "responses").calls;
  };
  EXPECT_EQ(responses("missing"), 2);
  EXPECT_EQ(responses("reannotate"), 3);
}

TEST_F(EstimateTest, ASampleTakesThePlaceOfWhatIsAssumed) {
  const std::vector<std::string> settings = {"data.responses=reannotate", "tasks.taxonomy=gym"};
  const Recipe recipe = parse_recipe(
      "student: {model_name_or_path: base}\n"
      "data: {gym: {rows: 100}}\ncurriculum: {rounds: 2}\n",
      "recipe.yaml", folder_.path(), settings);
  Sample sample;
  sample.stages["responses"] = {25, 1.2, 40, 500, 0.02, 0.01, 0.03};
  const Estimate before = estimate(recipe, PlanningEngine());
  const Estimate after = estimate(recipe, PlanningEngine(), sample);
  const StageEstimate seen = stage_of(after, "responses");
  EXPECT_TRUE(seen.sampled);
  EXPECT_EQ(seen.calls, 120);
  EXPECT_EQ(seen.completion_tokens, 50'000);
  EXPECT_DOUBLE_EQ(seen.usd, 2);
  const double half = std::sqrt(0.75);  // a quarter of the rows is known
  EXPECT_NEAR(seen.usd_low, 2 - half, 1e-9);
  EXPECT_NEAR(seen.usd_high, 2 + half, 1e-9);
  EXPECT_NEAR(after.usd_high - after.usd_low, 2 * half, 1e-9);
  EXPECT_GT(stage_of(after, "difficulty").prompt_tokens,
            stage_of(before, "difficulty").prompt_tokens + 50'000)
      << "the judge reads the longer answers";
  EXPECT_EQ(plan_sample(before, recipe, 10).calls, 20);
  const Recipe nothing = parse_recipe(
      "student: {model_name_or_path: base}\n"
      "data: {gym: {rows: 100}}\ntasks: {classifier: given}\n",
      "recipe.yaml", folder_.path(), {});
  EXPECT_THROW(plan_sample(estimate(nothing, PlanningEngine()), nothing, 10), Error);
}

TEST_F(EstimateTest, CountsTheJudgmentsOfNewRows) {
  const auto floor_calls = [](const Estimate& e) {
    std::int64_t calls = 0;
    for (const StageEstimate& stage : e.stages)
      calls += stage.stage.ends_with("/floor") ? stage.calls : 0;
    return calls;
  };
  const Estimate without = of({});
  EXPECT_EQ(floor_calls(without), 0);
  // New rows of two rounds of 50: 0.6 for each of 0.3 x 50 and of 0.5 x 50 hard ones.
  const Estimate all = of({"teach.floor.rows=100", "judge.orders=both"});
  EXPECT_EQ(floor_calls(all), 2 * (9 + 15));
  EXPECT_EQ(all.calls - of({"judge.orders=both"}).calls, 2 * (9 + 15));
  const Estimate few = of({"teach.floor.rows=1", "judge.orders=single", "tasks.taxonomy=gym"});
  EXPECT_GT(floor_calls(few), 0);
  EXPECT_LT(floor_calls(few), 24);
  EXPECT_EQ(floor_calls(of({"teach.floor={rows: 100, score: 1}", "judge.kind=overlap"})), 0);
}

}  // namespace
}  // namespace tapir::pipeline
