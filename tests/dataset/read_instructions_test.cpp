#include "dataset/read_instructions.h"

#include <iostream>
#include <sstream>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "dataset/duplicates.h"
#include "error_of.h"
#include "test_data.h"

namespace tapir::dataset {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ReadInstructions : public ::testing::Test {
 protected:
  std::filesystem::path file(const std::string& name, std::string_view text) const {
    const auto path = folder_.path() / name;
    write_file(path, text);
    return path;
  }
  std::vector<DataRow> read(const std::string& name, std::string_view text) const {
    return read_instructions(file(name, text));
  }
  // The message of the Error{data} that reading ends with.
  std::string failure(const std::string& name, std::string_view text) const {
    SCOPED_TRACE(text);
    return testing::complaint_of(ErrorKind::data, [&] { read(name, text); });
  }

  const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  testing::TemporaryFolder folder_;
};

TEST_F(ReadInstructions, AlpacaArray) {
  const auto rows = read("a.json", R"([
    {"instruction": "Add.", "input": "1 2", "output": "3"},
    {"instruction": "Say hi.", "input": "<noinput>", "output": " "},
    {"instruction": "And?", "input": "", "system": "Be brief.", "history": [["q", "a"]], "output": "yes"}])");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].instruction.messages, (Messages{{Role::user, "Add.\n\n1 2"}}));
  EXPECT_EQ(rows[0].response, "3");
  EXPECT_EQ(rows[0].instruction.source, "a.json");
  EXPECT_EQ(rows[0].instruction.id, instruction_id("a", "data", "", 0));
  EXPECT_THAT(rows[0].where, HasSubstr("a.json:2 (element 1)"));
  EXPECT_EQ(rows[1].instruction.prompt(), "Say hi.");
  EXPECT_EQ(rows[1].response, std::nullopt) << "a blank answer is a missing one";
  EXPECT_EQ(rows[2].instruction.messages, (Messages{{Role::system, "Be brief."},
                                                    {Role::user, "q"},
                                                    {Role::assistant, "a"},
                                                    {Role::user, "And?"}}));
}

TEST_F(ReadInstructions, LinesWithBlankOnesCarriageReturnsAndByteOrderMark) {
  const auto rows = read("a.jsonl",
                         "\xEF\xBB\xBF{\"instruction\": \"one\", \"output\": \"1\"}\r\n\n  "
                         "\n{\"instruction\": \"two\"}");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_THAT(rows[1].where, HasSubstr("a.jsonl:4"));
  EXPECT_EQ(rows[1].response, std::nullopt);
  EXPECT_EQ(rows[1].instruction.id, instruction_id("a", "data", "", 1));
}

// Standard input had a reader of its own, which knew lines only.
TEST_F(ReadInstructions, StandardInputIsReadAsAFileIs) {
  std::istringstream text("\xEF\xBB\xBF[{\"instruction\": \"one\"}, {\"instruction\": \"two\"}]");
  std::streambuf* const before = std::cin.rdbuf(text.rdbuf());
  const auto rows = read_instructions(std::filesystem::path("-"));
  std::cin.rdbuf(before);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1].instruction.prompt(), "two");
  EXPECT_EQ(rows[1].instruction.source, "stdin");
  EXPECT_EQ(rows[1].instruction.id, instruction_id("stdin", "data", "", 1));
}

TEST_F(ReadInstructions, OwnRows) {
  const auto rows = read(
      "rows.jsonl",
      R"({"id":"x1","instruction":"Do","response":"done","task":"Math","parent_id":"x0","round":2})"
      "\n"
      R"({"id":17,"instruction":"Do more","response":null,"task":null})");
  EXPECT_EQ(rows[0].instruction,
            (Instruction{"x1", {{Role::user, "Do"}}, "Math", "rows.jsonl", "x0", 2}));
  EXPECT_EQ(rows[0].response, "done");
  EXPECT_EQ(rows[1].instruction.id, "17");
  EXPECT_EQ(rows[1].instruction.task, "");
}

TEST_F(ReadInstructions, Messages) {
  const auto rows = read(
      "m.jsonl",
      R"({"id":"a","messages":[{"role":"system","content":"S"},)"
      R"({"role":"user","content":"U"},{"role":"assistant","content":"A"},{"role":"user","content":"V"},{"role":"assistant","content":"B"}]})"
      "\n"
      R"({"id":"b","messages":[{"role":"user","content":[{"type":"text","text":"one "},{"type":"text","text":"two"}]}],"response":"C"})");
  EXPECT_EQ(rows[0].instruction.messages.size(), 4U);
  EXPECT_EQ(rows[0].instruction.prompt(), "V");
  EXPECT_EQ(rows[0].response, "B");
  EXPECT_EQ(rows[1].instruction.prompt(), "one two");
  EXPECT_EQ(rows[1].response, "C");
}

TEST_F(ReadInstructions, PromptCompletion) {
  const auto rows = read(
      "p.jsonl",
      R"({"prompt":"P","completion":" C"})"
      "\n"
      R"({"prompt":[{"role":"user","content":"Q"}],"completion":[{"role":"assistant","content":"D"}]})");
  EXPECT_EQ(rows[0].instruction.prompt(), "P");
  EXPECT_EQ(rows[0].response, " C");
  EXPECT_EQ(rows[1].instruction.messages, (Messages{{Role::user, "Q"}}));
  EXPECT_EQ(rows[1].response, "D");
}

TEST_F(ReadInstructions, ShareGpt) {
  const auto rows = read("s.json", R"([{"id":"s","system":"Sys","conversations":[
     {"from":"human","value":"H"},{"from":"gpt","value":"G"},{"from":"human","value":"I"},{"from":"gpt","value":"J"}]}])");
  EXPECT_EQ(
      rows[0].instruction.messages,
      (Messages{
          {Role::system, "Sys"}, {Role::user, "H"}, {Role::assistant, "G"}, {Role::user, "I"}}));
  EXPECT_EQ(rows[0].response, "J");
}

TEST_F(ReadInstructions, MalformedLineIsNamedWithFileAndLine) {
  std::string text;
  for (int i = 1; i <= 16; ++i) text += "{\"instruction\": \"row\", \"output\": \"x\"}\n";
  EXPECT_THAT(failure("bad.jsonl", text + "{\"instruction\": \"cut of"), HasSubstr("bad.jsonl:17"));
  EXPECT_THAT(failure("bad.jsonl", text + "[1]"), HasSubstr("bad.jsonl:17"));
  EXPECT_THAT(failure("bad.jsonl", text + "{\"instruction\": 5}"),
              AllOf(HasSubstr("bad.jsonl:17"), HasSubstr("instruction")));
  EXPECT_THAT(failure("bad.jsonl", text + "{\"instruction\": \"\xff\"}"),
              HasSubstr("bad.jsonl:17"));
  EXPECT_THAT(failure("bad.jsonl", text + "{\"prompt\": \"p\"}"),
              AllOf(HasSubstr("bad.jsonl:17"), HasSubstr("\"instruction\" is missing")));
}

TEST_F(ReadInstructions, BadRows) {
  EXPECT_THAT(failure("a.json", R"([{"instruction":"ok"},{"instruction":" \n"}])"),
              AllOf(HasSubstr("element 2"), HasSubstr("empty")));
  EXPECT_THAT(failure("a.json", R"([{"text":"x","label":1}])"), AllOf(HasSubstr("{label, text}")));
  EXPECT_THAT(failure("a.json", R"(["x"])"), HasSubstr("JSON string"));
  EXPECT_THAT(failure("a.json", R"([{"messages":[]}])"), HasSubstr("no user message"));
  EXPECT_THAT(failure("a.json", R"([{"messages":[{"role":"assistant","content":"x"}]}])"),
              HasSubstr("no user message"));
  EXPECT_THAT(failure("a.json", R"([{"messages":[{"role":"robot","content":"x"}]}])"),
              HasSubstr("robot"));
  EXPECT_THAT(failure("a.json", R"([{"messages":{"role":"user"}}])"),
              HasSubstr("list of messages"));
  EXPECT_THAT(
      failure("a.json", R"([{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}])"),
      HasSubstr("not text"));
  EXPECT_THAT(failure("a.json", R"([{"conversations":[{"from":"alien","value":"x"}]}])"),
              HasSubstr("alien"));
  EXPECT_THAT(failure("a.json", R"([{"instruction":"x","history":[["only one"]]}])"),
              HasSubstr("history"));
  EXPECT_THAT(failure("a.json", R"([{"id":"","instruction":"x"}])"), HasSubstr("id is empty"));
  EXPECT_THAT(failure("a.json", R"([{"instruction":"x"},)"), HasSubstr("a.json"));
}

TEST_F(ReadInstructions, EmptyFiles) {
  for (const char* text : {"", " \n\n", "[]", "[ ]\n"}) {
    EXPECT_THAT(failure("empty.json", text), AllOf(HasSubstr("empty.json"), HasSubstr("no row")));
  }
  EXPECT_THROW(read_instructions(std::filesystem::path("/nowhere/at/all.json")), Error);
}

TEST_F(ReadInstructions, DuplicateIdsNameBothPlaces) {
  EXPECT_THAT(failure("d.jsonl",
                      "{\"id\":\"x\",\"instruction\":\"a\"}\n{\"id\":\"x\",\"instruction\":\"b\"}"),
              AllOf(HasSubstr("d.jsonl:2"), HasSubstr("\"x\""), HasSubstr("d.jsonl:1")));
  const auto one = file("one.jsonl", R"({"id":"x","instruction":"a"})");
  const auto two = file("two.jsonl", R"({"id":"x","instruction":"b"})");
  EXPECT_THROW(read_instructions({one, two}), Error);
}

TEST_F(ReadInstructions, FilesOfOneStemGetDistinctIds) {
  const auto one = file("same.json", R"([{"instruction":"a"}])");
  const auto two = file("same.jsonl", R"({"instruction":"b"})");
  const auto rows = read_instructions({one, two});
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_NE(rows[0].instruction.id, rows[1].instruction.id);
  EXPECT_EQ(rows[0].instruction.id, read_instructions(one)[0].instruction.id);
}

TEST_F(ReadInstructions, RealFiles) {
  TAPIR_NEEDS_TEST_DATA("instructions");
  const auto data = testing::test_data() / "instructions";
  const auto alpaca = read_instructions(data / "alpaca_en_demo.json.gz");
  EXPECT_GT(alpaca.size(), 900U);
  EXPECT_EQ(alpaca[0].instruction.prompt(), "Describe a process of making crepes.");
  EXPECT_EQ(alpaca[0].instruction.id, instruction_id("alpaca_en_demo", "data", "", 0));
  const auto gsm8k = read_instructions(data / "test.jsonl.gz");
  EXPECT_EQ(gsm8k.size(), 1319U);
  EXPECT_THAT(*gsm8k[0].response, HasSubstr("#### 18"));
}

TEST(ExactDuplicates, WhiteSpaceIsFolded) {
  const std::vector<Instruction> rows = {
      {"1", {{Role::user, "a b"}}}, {"2", {{Role::user, "c"}}}, {"3", {{Role::user, " a\nb"}}},
      {"4", {{Role::user, "c"}}},   {"5", {{Role::user, "d"}}}, {"6", {{Role::user, "a  b "}}}};
  EXPECT_THAT(exact_duplicates(rows), ElementsAre(ElementsAre(0, 2, 5), ElementsAre(1, 3)));
}

}  // namespace
}  // namespace tapir::dataset
