// What the gate does with a run whose rounds are made to forget: they hold hard rows only.
#include <algorithm>
#include <set>

#include <gmock/gmock.h>

#include "base/file.h"
#include "base/json.h"
#include "error_of.h"
#include "pipeline/status.h"
#include "pipeline_fixture.h"

namespace tapir::pipeline {
namespace {

class ForgettingTest : public PipelineTest {
 protected:
  ForgettingTest() {
    write_file(folder_.path() / "base/config.json", R"({"skill": 0.4, "forgets": true})");
  }

  static std::vector<std::string> keys(const std::string& gate,
                                       const std::vector<std::string>& more = {}) {
    std::vector<std::string> out = {"curriculum={rounds: 2, rows: 80, alpha: 1}",
                                    "curriculum.forgetting_gate=" + gate,
                                    "curriculum.forgetting_replay=0.8",
                                    "teach.expand=false",
                                    "teach.balance=false",
                                    "evaluate.exam={uniform: 800, pool: 0, beyond: 0}",
                                    "arms={}"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }

  double skill(const std::string& student) const {
    return testing::read_fake_config(folder_.path() / student)["skill"].get<double>();
  }
  std::string bytes(const std::string& student) const {
    return read_file(folder_.path() / student / "model.safetensors");
  }
  Json figures(const std::string& name) const {
    return status_json(*open(name), folder_.path() / name)["forgetting"][0];
  }
  double hard_share(const std::string& name, int round) const {
    const auto rows = open(name)->mixture("tapir", round);
    const auto hard = std::count_if(rows.begin(), rows.end(),
                                    [](const auto& r) { return r.stratum == Stratum::hard; });
    return static_cast<double>(hard) / static_cast<double>(rows.size());
  }
};

TEST_F(ForgettingTest, WarnsAndGoesOn) {
  run("a", keys("warn"));
  EXPECT_NEAR(skill("a/students/s0"), 0.5, 1e-9);
  EXPECT_NEAR(skill("a/students/round-1"), 0.2, 1e-9);
  EXPECT_NEAR(skill("a/students/round-2"), 0.0, 1e-9);
  EXPECT_EQ(final_bytes("a"), bytes("a/students/round-2"));
  const Json gate = figures("a")["gate"];
  ASSERT_EQ(gate.size(), 2U);
  for (const Json& round : gate) EXPECT_TRUE(round["tripped"].get<bool>()) << round.dump();
  EXPECT_EQ(gate[1]["from"], 1);
  EXPECT_LT(figures("a")["backward_transfer"]["interval"][1].get<double>(), -0.3);
  EXPECT_THAT(status_text(status_json(*open("a"), "a")), ::testing::HasSubstr("round 1 forgot: "));
}

TEST_F(ForgettingTest, OffLooksAtNothing) {
  run("a", keys("off"));
  EXPECT_FALSE(figures("a").contains("gate"));
  EXPECT_EQ(final_bytes("a"), bytes("a/students/round-2"));
}

TEST_F(ForgettingTest, StopsWithTheStudentBefore) {
  run("a", keys("stop"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "a/students/round-2"));
  EXPECT_EQ(final_bytes("a"), bytes("a/students/s0"));
}

TEST_F(ForgettingTest, FallsBackToTheBestStudent) {
  run("a", keys("fall_back"));
  EXPECT_NEAR(skill("a/students/round-2"), 0.2, 1e-9) << "from S_0's 0.5, not from round 1's 0.2";
  EXPECT_EQ(final_bytes("a"), bytes("a/students/s0")) << "round 2 forgot as well";
  const Json gate = figures("a")["gate"];
  EXPECT_EQ(gate[1]["from"], 0);
  EXPECT_TRUE(gate[1]["tripped"].get<bool>());
  EXPECT_THAT(status_text(status_json(*open("a"), "a")),
              ::testing::HasSubstr("round 2 started from s0"));
}

TEST_F(ForgettingTest, ReplaysMoreInTheNextRound) {
  run("a", keys("replay"));
  EXPECT_EQ(hard_share("a", 1), 1.0);
  EXPECT_NEAR(hard_share("a", 2), 0.2, 0.01);
  EXPECT_NEAR(skill("a/students/round-2"), 0.3, 1e-9) << "what it knew was among the rows";
  EXPECT_FALSE(figures("a")["gate"][1]["words"].get<std::string>().empty())
      << "still below S_0, its best";
  const Json info = parse_json(open("a")->stage("tapir/round-2/mix")->info, "info");
  EXPECT_NEAR(info["alpha"].get<double>(), 0.2, 1e-9);
}

// A student that does not forget: every gate leaves the run as it is.
TEST_F(ForgettingTest, ARoundThatForgetsNothingIsLeftAlone) {
  std::set<std::string> finals;
  for (const char* gate : {"off", "warn", "stop", "fall_back", "replay"}) {
    run(gate, keys(gate, {"curriculum.alpha=0.3"}));
    EXPECT_NEAR(skill(std::string(gate) + "/students/final"), 0.7, 1e-9) << gate;
    finals.insert(final_bytes(gate));
  }
  EXPECT_EQ(finals.size(), 1U);
}

TEST_F(ForgettingTest, StoppingAfterAnyStageChangesNothing) {
  for (const char* gate : {"fall_back", "replay"}) {
    const std::string whole = std::string(gate) + "-whole";
    run(whole, keys(gate));
    for (const Json& name : parse_json(*open(whole)->meta("plan"), "plan")) {
      RunOptions until;
      until.until = name;
      run(gate, keys(gate), until);
    }
    run(gate, keys(gate));
    EXPECT_EQ(rows_of(whole), rows_of(gate));
    EXPECT_EQ(final_bytes(whole), final_bytes(gate));
  }
}

TEST_F(ForgettingTest, TheGateIsInTheFingerprint) {
  run("a", keys("fall_back"));
  const Error e = testing::error_of(
      [&] { run("a", keys("fall_back", {"curriculum.forgetting_tolerance=1"})); });
  EXPECT_THAT(e.what(), ::testing::HasSubstr("exam/tapir/round-1"));
  EXPECT_THAT(e.what(), ::testing::HasSubstr("tapir/round-2/train")) << "it may start elsewhere";
  EXPECT_THAT(e.what(), ::testing::Not(::testing::HasSubstr("tapir/round-1/train")));
  run("b", keys("replay"));
  const Error more =
      testing::error_of([&] { run("b", keys("replay", {"curriculum.forgetting_replay=0.5"})); });
  EXPECT_THAT(more.what(), ::testing::HasSubstr("tapir/round-2/expand"));
  EXPECT_THROW(recipe(keys("fall_back", {"curriculum.rejudge=true"})), Error);
}

}  // namespace
}  // namespace tapir::pipeline
