// `tapir eval compliance` on files: IFEval's form, our own, and what is wrong with either.
#include "pipeline/compliance_file.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "error_of.h"
#include "test_data.h"

namespace tapir::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kRows =
    R"({"key": 1, "prompt": "No commas.", "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"], "kwargs": [{}, {"relation": "at least", "num_words": 2}]}
{"id": "b", "messages": [{"role": "user", "content": "A title, politely."}], "components": [{"kind": "title"}, {"kind": "judged", "text": "It is polite."}]}
{"id": "c", "instruction": "Say hi.", "components": [{"kind": "words", "at_most": 1}, {"kind": "words", "at_least": 2}]}
{"id": "d", "instruction": "Anything."}
)";

class ComplianceFile : public ::testing::Test {
 protected:
  std::string file(const std::string& name) const { return (folder_.path() / name).string(); }

  ComplianceSummary check(const std::string& answers) {
    write_file(file("rows"), kRows);
    write_file(file("answers"), answers);
    options_.input = file("rows");
    options_.answers = file("answers");
    return check_compliance(options_);
  }
  std::string complaint(const std::string& answers) {
    return testing::complaint_of(ErrorKind::data, [&] { return check(answers); });
  }

  ComplianceOptions options_;
  testing::TemporaryFolder folder_;
};

TEST_F(ComplianceFile, CountsAndSaysWhatWasFound) {
  options_.output = file("found");
  const ComplianceSummary s = check(
      "{\"id\": 1, \"response\": \"one, two\"}\n{\"prompt\": \"A title, politely.\", \"response\": "
      "\"<<T>>\"}\n{\"id\": \"c\", \"response\": \"hi\"}\n");
  EXPECT_EQ(s.rows, 4);
  EXPECT_EQ(s.without, 1);
  EXPECT_EQ(s.answered, 3);
  EXPECT_EQ(s.judged, 1);
  EXPECT_TRUE(s.missing.empty());
  EXPECT_THAT(s.conflicts, ElementsAre("c: c1 and c2: at most 1 and at least 2"));
  const Json json = compliance_json(s);
  EXPECT_DOUBLE_EQ(json["strict"]["prompt_accuracy"].get<double>(), 1.0 / 3);
  EXPECT_DOUBLE_EQ(json["strict"]["instruction_accuracy"].get<double>(), 0.6);
  EXPECT_EQ(json["strict"]["by_instruction_id"]["punctuation:no_comma"]["kept"], 0);
  EXPECT_THAT(compliance_text(s), HasSubstr("3 prompts, 5 instructions"));
  std::vector<Json> found;
  for_each_jsonl(options_.output,
                 [&](const Json& row, const std::string&) { found.push_back(row); });
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0]["components"][0]["instruction_id"], "punctuation:no_comma");
  EXPECT_EQ(found[0]["components"][0]["found"], "\",\" is there");
  EXPECT_EQ(found[1]["follow_all_strict"], true);
}

TEST_F(ComplianceFile, NamesRowsWithoutAnAnswerAndLeavesThemOut) {
  const ComplianceSummary s = check("{\"id\": \"b\", \"response\": \"x\"}\n{\"id\": \"c\"}\n");
  EXPECT_EQ(s.answered, 1);
  EXPECT_THAT(s.missing, ElementsAre("1", "c"));
  EXPECT_THAT(compliance_text(s), HasSubstr("2 rows have no answer"));
}

TEST_F(ComplianceFile, AnswersToNoRowOrTwiceAreDecidedByFlags) {
  EXPECT_THAT(complaint("{\"id\": \"z\", \"response\": \"x\"}\n"),
              HasSubstr("answers:1: an answer to no row"));
  const std::string twice =
      "{\"id\": \"c\", \"response\": \"hi\"}\n{\"id\": \"c\", \"response\": \"hi there\"}\n";
  EXPECT_THAT(complaint(twice), HasSubstr("answers:2: row \"c\" has an answer already"));
  options_.duplicates = evaluate::Duplicates::first;
  EXPECT_EQ(check(twice).strict.by_kind.at("words").kept, 1);
  options_.duplicates = evaluate::Duplicates::last;
  EXPECT_EQ(check(twice).duplicate, 1);
  options_.allow_extra = true;
  EXPECT_EQ(check("{\"id\": \"z\", \"response\": \"x\"}\n").extra, 1);
}

TEST_F(ComplianceFile, AModelThatAlwaysSaysTheSameIsNamed) {
  std::string rows;
  std::string answers;
  for (int i = 0; i < 30; ++i) {
    const std::string id = std::to_string(i);
    rows += R"({"id": ")" + id + R"(", "prompt": "p)" + id +
            R"(", "components": [{"kind": "title"}]})"
            "\n";
    answers += R"({"id": ")" + id +
               R"(", "response": "<<I am the best>>"})"
               "\n";
  }
  write_file(file("rows"), rows);
  write_file(file("answers"), answers);
  options_.input = file("rows");
  options_.answers = file("answers");
  const ComplianceSummary s = check_compliance(options_);
  EXPECT_EQ(s.strict.prompts.share(), 1) << "it keeps everything that it is asked for";
  EXPECT_THAT(compliance_text(s),
              HasSubstr("warning: answers: 100.0 % of 30 answers are the same"));
  EXPECT_EQ(compliance_json(s)["signs"].size(), 1U);
}

TEST_F(ComplianceFile, WritesThePromptsAsRowsToAnswer) {
  write_file(file("rows"), kRows);
  EXPECT_EQ(write_compliance_prompts(file("rows"), file("prompts")), 4);
  EXPECT_THAT(
      read_file(file("prompts")),
      ::testing::StartsWith(R"({"id":"1","messages":[{"role":"user","content":"No commas."}]})"));
}

}  // namespace
}  // namespace tapir::pipeline
