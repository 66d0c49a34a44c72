// The stage "responses": a teacher behind an endpoint answers the instructions.
#include <map>
#include <mutex>
#include <set>

#include <gtest/gtest.h>

#include "fake_engine.h"
#include "llm/stub_server.h"
#include "pipeline/run.h"
#include "test_data.h"

namespace tapir::pipeline {
namespace {

// A run up to the teacher's answers to 40 instructions.
class Responses : public ::testing::Test {
 protected:
  Responses() { testing::make_fake_base(folder_.path() / "base"); }

  RunOutcome run(const testing::StubServer& teacher) {
    const std::string yaml =
        "student: {model_name_or_path: base}\n"
        "data: {gym: {rows: 40}, responses: reannotate}\n"
        "teacher: {kind: openai, model: m, endpoints: [{base_url: \"" +
        teacher.url() +
        "\"}]}\n"
        "tasks: {taxonomy: gym, label_rows: 20}\n";
    RunOptions options;
    options.run_dir = folder_.path() / "run";
    options.until = "responses";
    return pipeline::Run(parse_recipe(yaml, "test.yaml", folder_.path(), {}), options,
                         std::make_shared<testing::FakeEngine>(), silent_progress(), {})
        .go();
  }

  std::unique_ptr<store::RunStore> store() const {
    return store::RunStore::open(folder_.path() / "run/run.db", store::OpenMode::read_only);
  }

  testing::TemporaryFolder folder_;
};

// How often the teacher says nothing before it answers; 99: it never answers.
int silences(const std::string& question) {
  const std::size_t kind = question.size() % 3;
  return kind == 0 ? 99 : kind == 1 ? 1 : 0;
}

// Nothing can be learnt from an empty answer; asked again the teacher may give one.
TEST_F(Responses, AnEmptyAnswerIsAskedForAgainAndNeverKept) {
  std::mutex mutex;
  std::map<std::string, int> times;
  testing::StubServer teacher([&](const testing::StubRequest& got) {
    const std::lock_guard lock(mutex);
    const std::string question = got.json()["messages"][0]["content"];
    const bool silent = times[question]++ < silences(question);
    return testing::http_reply(200, testing::answer_json(silent ? " \n" : "An answer."));
  });
  run(teacher);
  std::set<std::string> hopeless;
  for (const Instruction& row : store()->instructions(0)) {
    if (silences(row.prompt()) > 1) hopeless.insert(row.id);
  }
  ASSERT_FALSE(hopeless.empty());
  const auto record = store()->stage("responses");
  ASSERT_TRUE(record);
  EXPECT_TRUE(record->ledger.balances());
  EXPECT_EQ(record->ledger.failed.at("empty"), hopeless.size());
  EXPECT_EQ(record->ledger.done, 40U - hopeless.size());
  const auto responses = store()->responses(kTeacherAuthor);
  EXPECT_EQ(responses.size(), record->ledger.done);
  for (const Response& response : responses) {
    EXPECT_EQ(response.text, "An answer.");
    EXPECT_FALSE(hopeless.contains(response.instruction_id));
  }
}

}  // namespace
}  // namespace tapir::pipeline
