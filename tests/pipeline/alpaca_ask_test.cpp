// `tapir eval alpaca answer` and `judge` on files, as far as nobody but the gym has to be asked.
#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "base/strings.h"
#include "error_of.h"
#include "evaluate/alpaca_records.h"
#include "gym/family.h"
#include "pipeline/alpaca_ask_files.h"
#include "test_data.h"

namespace tapir::pipeline {
namespace {

using evaluate::ModelOutput;
using testing::complaint_of;
using ::testing::HasSubstr;

class AlpacaFiles : public ::testing::Test {
 protected:
  std::string written(const std::string& name, const std::vector<ModelOutput>& rows) {
    std::vector<OrderedJson> json;
    for (const ModelOutput& row : rows) json.push_back(evaluate::to_json(row));
    const std::filesystem::path path = folder.path() / name;
    write_file(path, evaluate::json_array_text(json));
    return path.string();
  }

  AlpacaJudgeFiles judging(const std::vector<ModelOutput>& outputs) {
    AlpacaJudgeFiles files;
    files.baseline = written("base.json", {row("a", "base"), row("b", "base"), row("c", "base")});
    files.outputs = written("outputs.json", outputs);
    files.output = (folder.path() / "annotations.json").string();
    return files;
  }

  // A judge that cannot be asked: what is refused is refused before.
  std::string refused(const AlpacaJudgeFiles& files) {
    return complaint_of(ErrorKind::data, [&] {
      return judge_alpaca_file(load_settings("", {"judge.kind=overlap"}), files, silent_progress(),
                               {});
    });
  }

  static ModelOutput row(const std::string& instruction, const std::string& model = "mine") {
    return {instruction, "output of " + model, model, "", ""};
  }

  testing::TemporaryFolder folder;
};

TEST_F(AlpacaFiles, TheCandidateAnswersInTheOrderOfTheSet) {
  RandomStream stream(1, "alpaca");
  const gym::Family& family = *gym::families().front();
  const std::string first = family.make(2, stream);
  const std::string last = family.make(5, stream);
  AlpacaAnswerFiles files;
  files.instructions = written("set.json", {row(first), row("Is it so?"), row(last)});
  files.output = (folder.path() / "outputs.json").string();
  files.name = "someone";
  const auto summary =
      answer_alpaca_file(load_settings("", {"candidate.kind=gym"}), files, silent_progress(), {});
  // The gym's teacher refuses what is no item of the gym: that row is left out, and counted.
  EXPECT_EQ(summary.rows, 3);
  EXPECT_EQ(summary.answered, 2);
  EXPECT_EQ(summary.failed.at("invalid_request"), 1);
  const auto rows = evaluate::read_model_outputs(read_file(files.output), files.output);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].instruction, first);
  EXPECT_EQ(rows[1].instruction, last);
  for (const ModelOutput& one : rows) {
    EXPECT_EQ(one.generator, "someone");
    EXPECT_TRUE(family.judge(one.instruction, one.output).right());
  }
}

TEST_F(AlpacaFiles, TheSetHasToBeNamed) {
  AlpacaAnswerFiles files;
  files.output = (folder.path() / "outputs.json").string();
  EXPECT_THAT(
      complaint_of(
          ErrorKind::usage,
          [&] { return answer_alpaca_file(load_settings("", {}), files, silent_progress(), {}); }),
      HasSubstr("--instructions"));
}

TEST_F(AlpacaFiles, MissingOutputsAreRefusedBeforeAnybodyIsAsked) {
  const std::string words = refused(judging({row("a"), row("c")}));
  EXPECT_THAT(words, HasSubstr("1 instructions without an output of the model: \"b\""));
  EXPECT_THAT(words, HasSubstr("--allow-missing"));
}

TEST_F(AlpacaFiles, UnknownOutputsAreRefused) {
  EXPECT_THAT(refused(judging({row("a"), row("b"), row("c"), row("d")})),
              HasSubstr("1 outputs whose instruction the baseline does not have"));
}

TEST_F(AlpacaFiles, DoubleOutputsAreRefused) {
  EXPECT_THAT(refused(judging({row("a"), row("b"), row("c"), row("b")})),
              HasSubstr("1 outputs on an instruction that came before"));
}

// The flags decide; then the judge would be asked, and this one cannot be.
TEST_F(AlpacaFiles, TheFlagsDecide) {
  AlpacaJudgeFiles files = judging({row("a"), row("a"), row("d")});
  files.allow_missing = files.drop_unknown = true;
  files.duplicates = evaluate::Duplicates::last;
  EXPECT_THAT(complaint_of(ErrorKind::usage,
                           [&] {
                             return judge_alpaca_file(load_settings("", {"judge.kind=overlap"}),
                                                      files, silent_progress(), {});
                           }),
              HasSubstr("overlap is no model that can be asked"));
}

// Nobody is asked about equal outputs, so that this works with any judge.
TEST_F(AlpacaFiles, EqualOutputsAreDraws) {
  const AlpacaJudgeFiles files = judging({row("a", "base"), row("b", "base"), row("c", "base")});
  const auto summary =
      judge_alpaca_file(load_settings("", {"judge.kind=gym"}), files, silent_progress(), {});
  EXPECT_EQ(summary.judged, 3);
  EXPECT_EQ(summary.equal, 3);
  EXPECT_THAT(summary.annotator, HasSubstr("template: built in"));
  for (const evaluate::Annotation& one :
       evaluate::read_annotations(read_file(files.output), files.output)) {
    EXPECT_EQ(one.preference, 1.5);
    EXPECT_EQ(one.annotator, summary.annotator);
  }
}

}  // namespace
}  // namespace tapir::pipeline
