// A whole student on a device: beside the CPU's own kernels.
#include <future>
#include <map>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "student/student.h"
#include "student/student_chat_model.h"
#include "student/torch_device.h"
#include "test_data.h"
#include "tiny_student.h"

namespace tapir::student {
namespace {

class TorchStudent : public ::testing::Test {
 protected:
  TorchStudent() { make_new_student(tapir::testing::tiny_student(), base()); }

  void SetUp() override {
    try {
      (void)find_device(TAPIR_TEST_DEVICE);
    } catch (const Error& e) {
      GTEST_SKIP() << e.what();
    }
  }

  std::filesystem::path base() const { return folder_.path() / "base"; }

  static std::map<std::string, Generation> answers(const Student& student, int slots) {
    std::vector<GenerateRequest> requests;
    for (const Example& row : tapir::testing::sum_rows(7)) {
      requests.push_back({row.id, {{Role::user, row.segments[0].text}}, ""});
    }
    requests.push_back({"raw", {}, "what is"});
    requests.push_back({"long", {}, std::string(400, 'x')});
    GenerateOptions options;
    options.sampling.max_new_tokens = 20;
    options.slots = slots;
    std::map<std::string, Generation> found;
    student.generate(requests, options, [&](Generation g) { found[g.id] = g; }, {});
    return found;
  }

  testing::TemporaryFolder folder_;
};

TEST_F(TorchStudent, GreedyAnswersAreTheCpus) {
  const auto expected = answers(*make_student_engine("cpu")->load(base()), 4);
  const auto student = make_student_engine(TAPIR_TEST_DEVICE)->load(base());
  for (const int slots : {1, 4, 16}) {
    const auto found = answers(*student, slots);
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [id, answer] : expected) {
      EXPECT_EQ(found.at(id).text, answer.text) << id;
      EXPECT_EQ(found.at(id).completion_tokens, answer.completion_tokens) << id;
      EXPECT_EQ(found.at(id).failure, answer.failure) << id;
    }
  }
  EXPECT_EQ(expected.at("long").failure, "too_long");
}

TEST_F(TorchStudent, LossesAreTheCpus) {
  const auto own = make_student_engine("cpu")->load(base());
  const auto student = make_student_engine(TAPIR_TEST_DEVICE)->load(base());
  EXPECT_EQ(student->parameter_count(), own->parameter_count());
  const std::vector<Example> rows = tapir::testing::sum_rows(6);
  const auto expected = own->token_losses(rows);
  const auto found = student->token_losses(rows);
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].tokens, expected[i].tokens);
    EXPECT_NEAR(found[i].loss, expected[i].loss, 1e-4);
  }
  EXPECT_NEAR(student->completion_losses("what is", " 3+4").loss,
              own->completion_losses("what is", " 3+4").loss, 1e-4);
}

// What `tapir chat` and `tapir serve` ask, several requests at once.
TEST_F(TorchStudent, GreedyRepliesAreTheCpus) {
  const auto replies = [&](const std::string& device) {
    StudentChatOptions options;
    options.device = device;
    options.slots = 3;
    const auto model = make_student_chat_model(base(), options);
    std::vector<std::promise<std::string>> done(7);
    for (std::size_t i = 0; i < done.size(); ++i) {
      llm::ChatRequest request;
      request.messages = {{Role::user, "what is " + std::to_string(i) + "+2"}};
      request.sampling.max_tokens = 12;
      model->submit(request, [&, i](const llm::ChatReply& r) { done[i].set_value(r.text); }, {});
    }
    std::vector<std::string> texts;
    for (auto& one : done) texts.push_back(one.get_future().get());
    return texts;
  };
  EXPECT_EQ(replies(TAPIR_TEST_DEVICE), replies("cpu"));
}

TEST_F(TorchStudent, TheEngineTrainsWhereItComputes) {
  TrainJob job;
  job.model_dir = base();
  job.output_dir = folder_.path() / "trained";
  job.examples = tapir::testing::sum_rows(10);
  job.options.max_steps = 2;
  const auto engine = make_student_engine(TAPIR_TEST_DEVICE);
  EXPECT_EQ(engine->preflight(job).memory.device, find_device(TAPIR_TEST_DEVICE).name);
  EXPECT_TRUE(engine->train(job, silent_progress(), {}).finished);
  const Json state = parse_json(read_file(job.output_dir / "trainer_state.json"), "state");
  EXPECT_EQ(state.at("version"), engine->version());
}

TEST_F(TorchStudent, TheMachineLineSaysWhichDevice) {
  const std::string own = make_student_engine("cpu")->version();
  const std::string version = make_student_engine(TAPIR_TEST_DEVICE)->version();
  EXPECT_NE(version, own);
  EXPECT_NE(version.find(find_device(TAPIR_TEST_DEVICE).kind()), std::string::npos);
}

}  // namespace
}  // namespace tapir::student
