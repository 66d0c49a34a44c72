// Which stage uses which GPUs, and when servers are up.
#include "pipeline/timeline.h"

#include <algorithm>
#include <map>

#include <gmock/gmock.h>

#include "error_of.h"
#include "pipeline/stage_needs.h"
#include "pipeline_fixture.h"

namespace tapir::pipeline {
namespace {

using ::testing::HasSubstr;
constexpr std::int64_t kGb = 1'000'000'000;

class TimelineTest : public PipelineTest {
 protected:
  static std::vector<std::string> served(const std::string& role, const std::string& keep,
                                         std::vector<std::string> more = {}) {
    for (const std::string& setting : {role + ".kind=openai", role + ".model=big",
                                       "resources." + role + ".command=serve {model} --port {port}",
                                       "resources." + role + ".keep=" + keep}) {
      more.push_back(setting);
    }
    return more;
  }
  static Machine machine(std::size_t gpus, const std::string& device = "cuda:0") {
    Machine one;
    one.gpus.assign(gpus, 80 * kGb);
    one.training.device = device;
    one.training.process = kGb;
    one.training.weights = 6 * kGb;
    one.training.optimizer = 24 * kGb;
    return one;
  }
  std::vector<PlacedStage> stages(const Recipe& r, const Machine& m) const {
    return timeline(make_plan(r, {}), r, m);
  }
  std::string refused(const std::vector<std::string>& settings, const Machine& m) const {
    const Recipe r = recipe(settings);
    const Error error = testing::error_of([&] { check_timeline(stages(r, m), r, m); });
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return std::string(error.what()) + " -> " + error.hint();
  }
  static const PlacedStage& named(const std::vector<PlacedStage>& all, const std::string& name) {
    return *std::find_if(all.begin(), all.end(), [&](const auto& s) { return s.stage == name; });
  }
};

// What a run books under roles, stage by stage, is what the timeline says is asked.
TEST_F(TimelineTest, WhoIsAskedInARunIsAskedInTheTimeline) {
  const std::vector<std::vector<std::string>> variants = {
      {},
      {"judge.audit.role=auditor", "difficulty.held_out_rows=20"},
      {"curriculum.rejudge=true", "teach.floor.rows=2", "difficulty.cross_fit=true"},
      {"difficulty.method=ifd", "tasks.classifier=given"},
      {"teach.refine=none"}};
  int number = 0;
  for (const auto& settings : variants) {
    const std::string name = "run-" + std::to_string(number++);
    ASSERT_NO_THROW(run(name, settings)) << name;
    const Recipe r = recipe(settings);
    std::map<std::string, StageNeeds> needs;
    for (const PlannedStage& stage : make_plan(r, {})) needs[stage.name] = needs_of(r, stage);
    std::size_t asked = 0;
    for (const store::UsageRow& row : open(name)->usage()) {
      std::set<std::string> roles;
      for (const RoleName role : needs.at(row.stage).roles) roles.emplace(to_string(role));
      EXPECT_TRUE(roles.contains(row.role)) << name << ": " << row.stage << " asks " << row.role;
      ++asked;
    }
    EXPECT_GT(asked, 0U);
  }
}

// A job of another program has its GPUs to itself, one each for its processes.
TEST_F(TimelineTest, AJobTakesTheGpusOfTraining) {
  const std::vector<std::string> job = {"train.backend=trl", "train.processes=2",
                                        "student.device=auto", "resources.train.gpus=[1, 2]"};
  const Recipe r = recipe(job);
  const Machine m = machine(3);
  const std::vector<PlacedStage> all = stages(r, m);
  EXPECT_NO_THROW(check_timeline(all, r, m));
  std::vector<std::int64_t> gpus;
  for (const GpuUse& use : named(all, "s0/train").gpus) {
    gpus.push_back(use.gpu);
    EXPECT_EQ(use.bytes, kAllOfIt);
  }
  EXPECT_EQ(gpus, (std::vector<std::int64_t>{1, 2}));
  std::vector<std::string> three = job;
  three.emplace_back("train.processes=3");
  EXPECT_THAT(refused(three, m), HasSubstr("train.processes is 3, but training may use 2 GPUs"));
  std::vector<std::string> shared = served("teacher", "run", job);
  shared.emplace_back("resources.teacher.gpus=[2]");
  EXPECT_THAT(refused(shared, m), HasSubstr("resources.teacher"));
  std::vector<std::string> elsewhere = job;
  elsewhere.emplace_back("train.launch=sbatch --wait {job}/launch.sh");
  EXPECT_TRUE(named(stages(recipe(elsewhere), m), "s0/train").gpus.empty());
}

TEST_F(TimelineTest, AServerThatIsAskedIsUp) {
  for (const char* keep : {"run", "stage"}) {
    const Recipe r = recipe(served("teacher", keep, served("judge", keep)));
    const auto plan = make_plan(r, {});
    const auto all = timeline(plan, r, machine(1));
    ASSERT_EQ(all.size(), plan.size());
    int asked = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (const RoleName role : needs_of(r, plan[i]).roles) {
        EXPECT_TRUE(all[i].up.contains(role)) << all[i].stage;
        EXPECT_TRUE(all[i].asks.contains(role)) << all[i].stage;
        ++asked;
      }
    }
    EXPECT_GT(asked, 5);
  }
}

TEST_F(TimelineTest, StageStopsAServerBeforeOthersComputeAndNotBetweenItsOwnStages) {
  const Recipe r = recipe(served("teacher", "stage"));
  const auto all = stages(r, machine(1));
  EXPECT_FALSE(named(all, "data").up.contains(RoleName::teacher));
  EXPECT_TRUE(named(all, "tapir/round-1/expand").up.contains(RoleName::teacher));
  EXPECT_TRUE(named(all, "tapir/round-1/mix").up.contains(RoleName::teacher));  // computes nothing
  EXPECT_TRUE(named(all, "tapir/round-1/refine").up.contains(RoleName::teacher));
  for (const PlacedStage& stage : all) {
    const bool trains = stage.stage.ends_with("/train");
    EXPECT_TRUE(!trains || stage.up.empty()) << stage.stage;
  }
  EXPECT_NO_THROW(check_timeline(all, r, machine(1)));

  const Recipe kept = recipe(served("teacher", "run"));
  EXPECT_TRUE(named(stages(kept, machine(1)), "exam/s0").up.contains(RoleName::teacher));
}

TEST_F(TimelineTest, GpusAreUsedAsTheyAreNamed) {
  const Recipe r = recipe(served(
      "teacher", "run",
      {"resources.teacher.gpus=[4,5]", "resources.teacher.memory_gb=70", "resources.train.gpus=2",
       "resources.answers.gpus=[6,7]", "resources.answers.memory_gb=30",
       "student.generation.backend=command",
       "student.generation.command=serve {model} --port {port}", "student.generation.servers=3"}));
  const auto all = stages(r, machine(8, "cuda:2"));
  EXPECT_NO_THROW(check_timeline(all, r, machine(8, "cuda:2")));
  std::vector<std::string> uses;
  for (const GpuUse& use : named(all, "tapir/round-1/train").gpus)
    uses.push_back(std::to_string(use.gpu) + " " + use.by + " " + std::to_string(use.bytes / kGb));
  EXPECT_THAT(uses, ::testing::ElementsAre("2 training 30", "4 teacher's server 70",
                                           "5 teacher's server 70"));
  std::vector<std::int64_t> answering;
  for (const GpuUse& use : named(all, "s0/answers").gpus) {
    if (use.by == "answers") answering.push_back(use.gpu);
  }
  EXPECT_THAT(answering, ::testing::ElementsAre(6, 7, 6));
  EXPECT_THAT(timeline_text(all), HasSubstr("4: teacher's server 70.0 GB"));
  EXPECT_EQ(timeline_json(all).size(), all.size());
}

TEST_F(TimelineTest, WhatDoesNotFitIsRefusedWithTheWayOut) {
  EXPECT_THAT(refused(served("teacher", "run"), machine(1)),
              ::testing::AllOf(HasSubstr("s0/train does not fit on GPU 0: training 30.0 GB, "
                                         "teacher's server all of it; it has 80.0 GB"),
                               HasSubstr("resources.teacher.keep: stage stops the server")));
  EXPECT_THAT(refused(served("teacher", "run", {"resources.teacher.memory_gb=60"}), machine(1)),
              HasSubstr("training 30.0 GB, teacher's server 60.0 GB; it has 80.0 GB"));
  EXPECT_THAT(refused(served("judge", "stage", {"teach.floor.rows=2"}), machine(1)),
              HasSubstr("say in resources.judge.memory_gb"));
  Machine small = machine(1);
  small.gpus[0] = 24 * kGb;
  EXPECT_THAT(refused({"resources.gpus=0"}, small),
              HasSubstr("s0/train does not fit on GPU 0: training 30.0 GB; it has 24.0 GB"));
  const Recipe fits = recipe(served("teacher", "run", {"resources.teacher.memory_gb=50"}));
  EXPECT_NO_THROW(check_timeline(stages(fits, machine(1)), fits, machine(1)));
}

TEST_F(TimelineTest, GpusThatCannotBeAreRefused) {
  EXPECT_THAT(refused({"resources.gpus=[0,8]"}, machine(8)),
              HasSubstr("resources.gpus names GPU 8, but this machine has 8, counted from 0"));
  EXPECT_THAT(refused({"resources.train.gpus=0"}, machine(0, "cpu")),
              HasSubstr("this machine shows no GPU"));
  EXPECT_THAT(refused({"resources.gpus=[1,1]"}, machine(2)), HasSubstr("names GPU 1 twice"));
  EXPECT_THAT(
      refused(served("teacher", "run", {"resources.gpus=[0,1]", "resources.teacher.gpus=2"}),
              machine(4)),
      HasSubstr("resources.teacher.gpus names GPU 2, which is not among resources.gpus (0, 1)"));
  EXPECT_THAT(refused({"resources.train.gpus=1"}, machine(2, "cpu")),
              HasSubstr("resources.train.gpus is [1], but the engine computes on cpu"));
  EXPECT_THAT(refused({"resources.train.gpus=[0,1]"}, machine(2)),
              HasSubstr("training computes on one GPU"));
  EXPECT_THAT(refused({"resources.answers.gpus=1"}, machine(2)),
              HasSubstr("set student.generation.backend: command"));
}

TEST_F(TimelineTest, ResourcesAreNoPartOfAnyFingerprint) {
  const auto plan = make_plan(recipe({"teacher.kind=openai", "teacher.model=big",
                                      "teacher.endpoints=[{base_url: \"http://localhost:1/v1\"}]"}),
                              {});
  const auto placed = make_plan(
      recipe(served("teacher", "stage", {"resources.gpus=[0,1]", "resources.teacher.gpus=1"})), {});
  EXPECT_EQ(plan_fingerprint(plan), plan_fingerprint(placed));
}

TEST_F(TimelineTest, KeysThatContradictEachOther) {
  const auto message = [&](const std::vector<std::string>& settings) {
    return std::string(testing::error_of([&] { (void)recipe(settings); }).what());
  };
  const std::string command = "resources.judge.command=serve --port {port}";
  EXPECT_THAT(message({command}),
              HasSubstr("resources.judge.command is set, but judge.kind is gym"));
  EXPECT_THAT(message({command, "judge.kind=openai", "judge.model=m",
                       "judge.endpoints=[{base_url: \"http://localhost:1/v1\"}]"}),
              HasSubstr("judge.endpoints are both set"));
  EXPECT_THAT(
      message({"judge.kind=openai", "judge.model=m", "resources.judge.command=serve {model}"}),
      HasSubstr("resources.judge.command: the command has no slot {port}"));
  EXPECT_THAT(
      message({"judge.kind=openai", "judge.model=m", "resources.judge.command=x {port} {gguf}"}),
      HasSubstr("there is no slot {gguf}"));
  EXPECT_THAT(message({"resources.teacher.gpus=1"}), HasSubstr("resources.teacher.command is not"));
  EXPECT_THAT(message({"resources.gpus=[-1]"}), HasSubstr("resources.gpus"));
}

}  // namespace
}  // namespace tapir::pipeline
