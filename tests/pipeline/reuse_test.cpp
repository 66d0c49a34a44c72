// Over HTTP, where requests are counted as they arrive: --reuse buys nothing twice.
#include <atomic>
#include <mutex>
#include <set>

#include <gmock/gmock.h>

#include "gym/models.h"
#include "pipeline_fixture.h"
#include "serve/server.h"

namespace tapir::pipeline {
namespace {

// Passes on, and counts.
class CountingModel final : public llm::ChatModel {
 public:
  explicit CountingModel(std::unique_ptr<llm::ChatModel> inner) : inner_(std::move(inner)) {}
  const llm::ModelIdentity& identity() const override { return inner_->identity(); }
  void submit(llm::ChatRequest request, llm::Completion done, std::stop_token stop) override {
    {
      const std::lock_guard lock(mutex_);
      ++sends_;
      distinct_.insert(llm::reply_key(inner_->identity(), request));
    }
    inner_->submit(std::move(request), std::move(done), std::move(stop));
  }
  std::int64_t sends() const {
    const std::lock_guard lock(mutex_);
    return sends_;
  }
  std::int64_t distinct() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::int64_t>(distinct_.size());
  }

 private:
  const std::unique_ptr<llm::ChatModel> inner_;
  mutable std::mutex mutex_;
  std::int64_t sends_ = 0;
  std::set<std::string> distinct_;
};

class ReuseTest : public PipelineTest {
 protected:
  static serve::ServeOptions serving() {
    serve::ServeOptions options;
    options.api.draw_seeds = false;
    options.api.max_queue = 4096;
    return options;
  }
  std::vector<std::string> over_http(const std::vector<std::string>& more) const {
    const std::string endpoint = "[{base_url: \"" + server_.url() + "/v1\"}]";
    std::vector<std::string> settings = {"teacher.kind=openai",
                                         "teacher.model=gym-teacher",
                                         "teacher.endpoints=" + endpoint,
                                         "judge.kind=openai",
                                         "judge.model=gym-judge",
                                         "judge.endpoints=" + endpoint,
                                         "arms={}"};
    settings.insert(settings.end(), more.begin(), more.end());
    return settings;
  }
  CountingModel teacher_{gym::make_teacher({.seed = 42})};
  CountingModel judge_{gym::make_judge({.seed = 42})};
  serve::Server server_{{{"gym-teacher", teacher_}, {"gym-judge", judge_}}, serving()};
};

TEST_F(ReuseTest, AnotherAlphaBuysNothingTwice) {
  EXPECT_TRUE(run("a", over_http({})).finished);
  const std::int64_t judged = judge_.sends();
  const std::int64_t taught = teacher_.sends();
  EXPECT_GT(judged, 300);
  EXPECT_GT(taught, 300);
  RunOptions reuse;
  reuse.reuse = folder_.path() / "a";
  EXPECT_TRUE(run("b", over_http({"curriculum.alpha=0.5"}), reuse).finished);
  EXPECT_EQ(judge_.sends(), judged) << "another alpha changes nothing that is judged";
  EXPECT_GT(teacher_.sends(), taught) << "it needs more new rows";
  EXPECT_EQ(teacher_.sends(), teacher_.distinct()) << "no request has come twice";
  EXPECT_EQ(judge_.sends(), judge_.distinct());
  // As a run that reuses nothing: what is taken over is what would have been bought.
  EXPECT_TRUE(run("c", over_http({"curriculum.alpha=0.5"})).finished);
  EXPECT_EQ(rows_of("b"), rows_of("c"));
  EXPECT_EQ(final_bytes("b"), final_bytes("c"));
}

// Every reply of a sample is one that the run needs.
TEST_F(ReuseTest, ASampleIsUsedByTheRun) {
  const auto settings = over_http(
      {"data.responses=reannotate", "teacher.price_per_million={input: 1000, output: 2000}"});
  Sample sample;
  {
    pipeline::Run run(recipe(settings), options("a"), std::make_shared<testing::FakeEngine>(),
                      silent_progress(), {});
    sample = run.sample(20);
  }
  EXPECT_EQ(teacher_.sends(), 40);
  ASSERT_EQ(sample.stages.size(), 2U);
  for (const auto& [stage, figures] : sample.stages) {
    EXPECT_EQ(figures.rows, 20) << stage;
    EXPECT_EQ(figures.calls, 1) << stage;
    EXPECT_GT(figures.completion_tokens, 0) << stage;
    EXPECT_LT(figures.usd_low, figures.usd) << stage;
    EXPECT_LT(figures.usd, figures.usd_high) << stage;
  }
  EXPECT_GT(sample.usd, 0);
  EXPECT_TRUE(run("a", settings).finished);
  EXPECT_EQ(teacher_.sends(), teacher_.distinct());
  const auto store = open("a");
  double answers = 0;
  for (const store::UsageRow& row : store->usage())
    answers += row.stage == "responses" ? row.usd : 0;
  const Json estimated = parse_json(*store->meta("estimate"), "estimate")["stages"]["responses"];
  EXPECT_TRUE(estimated["sampled"].get<bool>());
  EXPECT_LT(estimated["usd_low"].get<double>(), answers);
  EXPECT_GT(estimated["usd_high"].get<double>(), answers);
  // And as a run without a sample.
  EXPECT_TRUE(run("b", settings).finished);
  EXPECT_EQ(rows_of("a"), rows_of("b"));
}

}  // namespace
}  // namespace tapir::pipeline
