// Data files as examples: what is learnt, and where a row comes from.
#include "pipeline/training_rows.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "error_of.h"
#include "test_data.h"

namespace tapir::pipeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::string_view kTurns =
    R"({"id":"a","messages":[{"role":"system","content":"S"},{"role":"user","content":"Q"},)"
    R"({"role":"assistant","content":"A"},{"role":"user","content":"R"},)"
    R"({"role":"assistant","content":"B"}]})";

class TrainingRowsTest : public ::testing::Test {
 protected:
  TrainingRows read(std::string_view text, const LearnOptions& options = {}) const {
    write_file(folder_.path() / "rows.jsonl", text);
    return read_training_rows({folder_.path() / "rows.jsonl"}, options);
  }
  // The roles that are learnt, by their first letter; "-": not.
  static std::string learnt(const TrainingRows& rows) {
    std::string out;
    for (const Segment& segment : rows.examples.at(0).segments)
      out += segment.loss ? to_string(segment.role).substr(0, 1) : "-";
    return out;
  }
  static std::string failure(const std::function<void()>& action) {
    return testing::error_of(action).what();
  }

  const testing::TemporaryFolder folder_;
};

TEST_F(TrainingRowsTest, EveryAnswerIsLearntUnlessSaidOtherwise) {
  EXPECT_EQ(learnt(read(kTurns)), "--a-a");
  EXPECT_EQ(learnt(read(kTurns, {{Role::assistant}, /*mask_history=*/true})), "----a");
  EXPECT_EQ(learnt(read(kTurns, {{Role::assistant, Role::user}, false})), "-uaua");
  EXPECT_EQ(learnt(read(kTurns, {{Role::system}, false})), "s----");
  EXPECT_EQ(learnt(read(R"({"messages":[{"role":"user","content":"Q"},)"
                        R"({"role":"assistant","content":"A","weight":0},)"
                        R"({"role":"user","content":"R"},{"role":"assistant","content":"B"}]})")),
            "---a");
  EXPECT_EQ(learnt(read(R"({"prompt":[{"role":"user","content":"Q"},)"
                        R"({"role":"assistant","content":"A"},{"role":"user","content":"R"}],)"
                        R"("completion":[{"role":"assistant","content":"B"}]})")),
            "---a");
}

TEST_F(TrainingRowsTest, RowsWithoutAnAnswerAreRefusedWithTheirPlace) {
  EXPECT_THAT(failure([&] {
                read(std::string(kTurns) +
                     "\n"
                     R"({"instruction":"I"})");
              }),
              HasSubstr("rows.jsonl:2"));
  EXPECT_THAT(failure([&] {
                read(
                    "\n"
                    R"({"instruction":"I","output":" "})");
              }),
              AllOf(HasSubstr("rows.jsonl:2"), HasSubstr("empty answer")));
}

TEST_F(TrainingRowsTest, ErrorsOfExamplesGetTheirPlace) {
  const TrainingRows rows = read("\n" + std::string(kTurns));
  const auto thrown = [&](ErrorKind kind, const std::string& message) {
    return failure([&] { rows.with_places([&] { throw Error(kind, message); }); });
  };
  EXPECT_THAT(thrown(ErrorKind::data, "example a: roles"),
              AllOf(HasSubstr("rows.jsonl:2: example a: roles")));
  EXPECT_EQ(thrown(ErrorKind::data, "example b: roles"), "example b: roles");
  EXPECT_EQ(thrown(ErrorKind::data, "another thing"), "another thing");
  EXPECT_EQ(thrown(ErrorKind::usage, "example a: x"), "example a: x");
}

TEST(StopQuestions, AreThoseOfTheShortestRowsWhoseAnswerIsLearnt) {
  const auto row = [](const std::string& id, const std::string& answer, bool learnt) {
    return Example{id, {{Role::user, "Q" + id, false}, {Role::assistant, answer, learnt}}};
  };
  const std::vector<Example> rows = {row("a", "much too long", true), row("b", "short", true),
                                     row("c", "", false), row("d", "tiny", true)};
  const auto ids = [&](int count) {
    std::string out;
    for (const auto& question : stop_questions(rows, count)) {
      EXPECT_EQ(question.messages, (Messages{{Role::user, "Q" + question.id}}));
      out += question.id;
    }
    return out;
  };
  EXPECT_EQ(ids(0), "");
  EXPECT_EQ(ids(2), "db");
  EXPECT_EQ(ids(9), "dba");
}

}  // namespace
}  // namespace tapir::pipeline
