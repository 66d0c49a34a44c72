// `tapir eval order` over runs whose student needs no torch.
#include "pipeline/order_trial.h"

#include <map>

#include <gmock/gmock.h>

#include "base/file.h"
#include "base/json.h"
#include "error_of.h"
#include "pipeline_fixture.h"

namespace tapir::pipeline {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

// The fake's trainings, counted and seen; in other orders than the run's they teach `teaches`.
class OrderEngine final : public student::StudentEngine {
 public:
  std::shared_ptr<const student::Student> load(const std::filesystem::path& folder) const override {
    return fake_.load(folder);
  }
  student::Preflight preflight(const student::TrainJob& job) const override {
    return fake_.preflight(job);
  }
  student::TrainResult train(const student::TrainJob& job, ProgressSink& progress,
                             std::stop_token stop) const override {
    const student::TrainResult result = fake_.train(job, progress, stop);
    if (!result.finished) return result;
    jobs.push_back(job);
    const double before = testing::read_fake_config(job.model_dir)["skill"];
    write_file(job.output_dir / "config.json", Json{{"skill", before + teaches}}.dump());
    if (jobs.size() == stop_after) stopping.request_stop();
    return result;
  }
  std::string version() const override { return machine; }

  mutable std::vector<student::TrainJob> jobs;
  mutable std::stop_source stopping;
  std::size_t stop_after = 0;  // trainings; 0: never
  double teaches = 0.1;        // as the fake does
  std::string machine = "fake 1";

 private:
  testing::FakeEngine fake_;
};

class OrderTest : public PipelineTest {
 protected:
  static std::vector<std::string> keys() {
    return {"evaluate.exam={uniform: 320, pool: 0, beyond: 0}", "arms={}"};
  }

  OrderTrial trial(const OrderEngine& engine, int orders = 3,
                   const std::function<void(OrderOptions&)>& change = {}) const {
    OrderOptions options{.run_dir = folder_.path() / "a", .orders = orders};
    if (change) change(options);
    return try_orders(recipe_of_run(options.run_dir, {}), options, engine, silent_progress(),
                      engine.stopping.get_token());
  }
};

TEST_F(OrderTest, OrdersThatTeachTheSameDoNotMatter) {
  run("a", keys());
  const std::string before = rows_of("a");
  const OrderEngine engine;
  const OrderTrial found = trial(engine);
  EXPECT_EQ(found.round, 2);
  ASSERT_EQ(found.students.size(), 3U);
  ASSERT_EQ(found.measures.size(), 1U);
  EXPECT_EQ(found.measures[0].name, "accuracy");
  const auto& overall = found.measures[0].figures.overall;
  ASSERT_TRUE(overall);
  EXPECT_EQ(overall->items, 320);
  EXPECT_EQ(overall->range, 0);
  EXPECT_EQ(overall->p, 1);
  EXPECT_THAT(order_text(found), HasSubstr("No sign that order matters"));
  EXPECT_EQ(rows_of("a"), before);
}

TEST_F(OrderTest, OnlyTheOrderDiffersFromTheRunsOwnTraining) {
  run("a", keys());
  const OrderEngine engine;
  const OrderTrial found = trial(engine);
  ASSERT_EQ(engine.jobs.size(), 2U);
  std::int64_t steps = 0;
  for (const store::TrainRecord& record : open("a")->trainings()) {
    if (record.student == "tapir/round-2") steps = record.steps;
  }
  for (const student::TrainJob& job : engine.jobs) {
    EXPECT_EQ(job.model_dir, folder_.path() / "a/students/round-1");
    EXPECT_EQ(job.examples, engine.jobs[0].examples);
    EXPECT_EQ(job.options.seed, engine.jobs[0].options.seed);
    EXPECT_EQ(job.options.max_steps, steps);
    EXPECT_TRUE(job.options.order_seed.has_value());
    // The fake's weights digest the rows: those of the run itself.
    EXPECT_EQ(read_file(job.output_dir / "model.safetensors"),
              read_file(folder_.path() / "a/students/round-2/model.safetensors"));
  }
  EXPECT_NE(engine.jobs[0].options.order_seed, engine.jobs[1].options.order_seed);
}

TEST_F(OrderTest, OrdersThatTeachOtherwiseMatter) {
  run("a", keys());
  OrderEngine engine;
  engine.teaches = -0.3;
  const OrderTrial found = trial(engine);
  const evaluate::OrderFigures& figures = found.measures.at(0).figures;
  EXPECT_GT(figures.overall->means[0], figures.overall->means[1] + 0.2);
  EXPECT_EQ(figures.overall->means[1], figures.overall->means[2]);
  EXPECT_LT(figures.overall->p, 0.01);
  ASSERT_EQ(figures.pairs.size(), 3U);
  EXPECT_LT(figures.pairs[0].p_holm, 0.01);
  EXPECT_EQ(figures.pairs[2].p, 1);
  EXPECT_THAT(order_text(found), HasSubstr("Order matters here"));
  // What the run has of its own student is what its exam says.
  const auto rows = open("a")->exam_rows("tapir/round-2");
  std::map<std::string, std::vector<double>> by_family;
  for (const store::ExamRow& row : rows) by_family[row.family].push_back(row.correct ? 1 : 0);
  for (const evaluate::OrderRow& row : figures.sets)
    EXPECT_NEAR(row.means[0], stats::mean(by_family.at(row.set)), 1e-12) << row.set;
  const Json json = order_json(found);
  EXPECT_EQ(json["measures"][0]["pairs"][0]["orders"], (Json{1, 2}));
  EXPECT_EQ(json["orders"].size(), 3U);
}

TEST_F(OrderTest, AStoppedTrialGoesOnAndMoreOrdersTrainTheMissingOnes) {
  run("a", keys());
  OrderEngine stopped;
  stopped.stop_after = 1;
  EXPECT_EQ(error_of([&] { trial(stopped, 4); }).kind(), ErrorKind::interrupted);
  const OrderEngine rest;
  const Json found = order_json(trial(rest, 4));
  EXPECT_EQ(rest.jobs.size(), 2U);
  const OrderEngine none;
  EXPECT_EQ(order_json(trial(none, 4)), found);
  EXPECT_TRUE(none.jobs.empty());
  const OrderEngine more;
  const Json five = order_json(trial(more, 5));
  EXPECT_EQ(more.jobs.size(), 1U);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(five["orders"][i], found["orders"][i]);
  const OrderEngine whole;
  const Json at_once =
      order_json(trial(whole, 4, [&](auto& o) { o.output = folder_.path() / "elsewhere"; }));
  EXPECT_EQ(at_once["measures"], found["measures"]);
}

TEST_F(OrderTest, SaysWhatCannotBeCompared) {
  RunOptions until;
  until.until = "tapir/round-2/train";
  run("a", keys(), until);
  const OrderEngine engine;
  const auto error = [&](int orders, const std::function<void(OrderOptions&)>& change) {
    return error_of([&] { trial(engine, orders, change); });
  };
  EXPECT_THAT(error(3, {}).what(), HasSubstr("has not come as far as the exam of tapir/round-2"));
  EXPECT_EQ(error(3, {}).kind(), ErrorKind::data);
  EXPECT_EQ(error(1, {}).kind(), ErrorKind::usage);
  EXPECT_THAT(error(3, [](auto& o) { o.round = 3; }).what(), HasSubstr("rounds 1 to 2, not 3"));
  const auto arm = [](auto& o) { o.arm = "plan"; };
  EXPECT_THAT(error(3, arm).what(), HasSubstr("no arm plan"));
  EXPECT_THAT(error(3, arm).hint(), HasSubstr("arms: tapir"));
  EXPECT_TRUE(engine.jobs.empty());
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "a/orders"));

  trial(engine, 2, [](auto& o) { o.round = 1; });  // an earlier one is far enough
  const auto other_seed = [](auto& o) { o.round = 1, o.seed = 5; };
  EXPECT_THAT(error(2, other_seed).what(), HasSubstr("holds orders of another"));
  OrderEngine elsewhere;
  elsewhere.machine = "fake 2";
  EXPECT_THAT(error_of([&] { trial(elsewhere, 2, [](auto& o) { o.round = 1; }); }).what(),
              HasSubstr("made on another machine"));
  write_file(folder_.path() / "a/students/round-1/model.safetensors", "other");
  EXPECT_THAT(error(2, [](auto& o) { o.round = 1; }).what(),
              HasSubstr("does not hold the student"));
}

}  // namespace
}  // namespace tapir::pipeline
