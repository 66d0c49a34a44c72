// The forms of training data beyond the plain ones: speakers, weights, LLaMA-Factory's data sets,
// places in errors.
#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "dataset/read_instructions.h"
#include "error_of.h"
#include "read_fuzz.h"
#include "test_data.h"

namespace tapir::dataset {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DataForms : public ::testing::Test {
 protected:
  std::vector<DataRow> read(const std::string& name, std::string_view text) const {
    write_file(folder_.path() / name, text);
    return read_instructions(folder_.path() / name);
  }
  std::string failure(const std::function<void()>& action) const {
    return testing::complaint_of(ErrorKind::data, action);
  }
  std::string failure(const std::string& name, std::string_view text) const {
    return failure([&] { read(name, text); });
  }
  // A folder with this entry "set" in dataset_info.json, and the file data.json.
  std::vector<DataRow> read_set(const std::string& entry, std::string_view data = "[]") const {
    write_file(folder_.path() / "data.json", data);
    write_file(folder_.path() / "dataset_info.json", "{\"set\": " + entry + "}");
    return read_instructions(folder_.path() / "dataset_info.json:set");
  }

  const testing::TemporaryFolder folder_;
};

TEST_F(DataForms, SpeakersOfShareGpt) {
  const auto rows = read("s.json", R"([{"system":"row","conversations":[
    {"from":"system","value":"turn"},{"from":"human","value":"H"},{"from":"function_call","value":"{}"},
    {"from":"observation","value":"O"},{"from":"gpt","value":"G"}]},
    {"conversations":[{"role":"user","content":"U"},{"role":"assistant","content":"A"}]}])");
  EXPECT_EQ(
      rows[0].instruction.messages,
      (Messages{
          {Role::system, "turn"}, {Role::user, "H"}, {Role::assistant, "{}"}, {Role::tool, "O"}}));
  EXPECT_EQ(rows[0].response, "G");
  EXPECT_EQ(rows[1].instruction.messages, (Messages{{Role::user, "U"}}));
  EXPECT_EQ(rows[1].response, "A");
}

TEST_F(DataForms, WhatIsNotToBeLearntIsMarked) {
  const auto rows = read(
      "m.jsonl",
      R"({"messages":[{"role":"user","content":"U"},{"role":"assistant","content":"A","weight":0},)"
      R"({"role":"user","content":"V"},{"role":"assistant","content":"B","weight":1}]})"
      "\n"
      R"({"messages":[{"role":"user","content":"U"},{"role":"assistant","content":"A","weight":0}]})");
  EXPECT_THAT(rows[0].not_learnt, ElementsAre(1));
  EXPECT_THAT(rows[1].not_learnt, ElementsAre(1)) << "the response itself";
  const auto prompts =
      read("p.jsonl",
           R"({"prompt":[{"role":"user","content":"U"},{"role":"assistant","content":"A"},)"
           R"({"role":"user","content":"V"}],"completion":[{"role":"assistant","content":"B"}]})");
  EXPECT_THAT(prompts[0].not_learnt, ElementsAre(0, 1, 2));
  EXPECT_THAT(read("a.json", R"([{"instruction":"I","output":"O"}])")[0].not_learnt, IsEmpty());
}

TEST_F(DataForms, CallsRankingsAndPicturesAreRefused) {
  EXPECT_THAT(
      failure("m.jsonl", R"({"messages":[{"role":"user","content":"U"},)"
                         R"({"role":"assistant","content":null,"tool_calls":[{"id":"1"}]}]})"),
      AllOf(HasSubstr("m.jsonl:1"), HasSubstr("tool_calls")));
  EXPECT_THAT(failure("d.json", R"([{"prompt":"P","chosen":"C","rejected":"R"}])"),
              HasSubstr("ranks answers"));
  EXPECT_THAT(failure("i.json", R"([{"instruction":"I","output":"O","images":["a.png"]}])"),
              HasSubstr("images"));
  EXPECT_THAT(failure("w.jsonl", R"({"messages":[{"role":"user","content":"U","weight":0.5}]})"),
              HasSubstr("a weight is 0 or 1"));
}

TEST_F(DataForms, EmptyAnswersAndUnknownRolesHaveAPlace) {
  EXPECT_THAT(failure("e.json", R"([
    {"instruction":"I","output":"O"},

    {"instruction":"I","output":"O","history":[["q"," "]]}])"),
              AllOf(HasSubstr("e.json:4 (element 2)"), HasSubstr("message 2, the assistant's")));
  EXPECT_THAT(failure("r.jsonl",
                      "\n\n"
                      R"({"messages":[{"role":"narrator","content":"x"}]})"),
              AllOf(HasSubstr("r.jsonl:3"), HasSubstr("unknown role \"narrator\""),
                    HasSubstr("known: assistant")));
}

TEST_F(DataForms, BrokenArraysHaveAPlace) {
  const std::string good = "[\n {\"instruction\": \"a, ]}\\\" b\"},\n {\"instruction\": \"c\"}";
  EXPECT_EQ(read("g.json", good + "\n]\n").size(), 2U);
  EXPECT_THAT(failure("cut.json", good), AllOf(HasSubstr("cut.json:3"), HasSubstr("cut off")));
  EXPECT_THAT(failure("comma.json", good + ",\n]"), HasSubstr("comma.json:4"));
  EXPECT_THAT(failure("more.json", good + "]\n[]"), HasSubstr("more behind the end"));
  EXPECT_THAT(failure("bad.json", good + ",\n {\"instruction\": x}]"),
              HasSubstr("bad.json:4 (element 3)"));
  EXPECT_THAT(failure("two.json", good + " {}]"), HasSubstr("two.json:3"));
}

TEST_F(DataForms, DataSetsOfLlamaFactory) {
  const auto alpaca = read_set(R"({"file_name": "data.json", "num_samples": 1,
      "columns": {"prompt": "q", "query": "context", "response": "a", "system": "sys",
                  "history": "before"}})",
                               R"([{"q":"Q","context":"C","a":"A","sys":"S","before":[["x","y"]]},
                                   {"q":"R","context":"","a":"B","sys":"","before":[]}])");
  ASSERT_EQ(alpaca.size(), 1U) << "num_samples";
  EXPECT_EQ(
      alpaca[0].instruction.messages,
      (Messages{
          {Role::system, "S"}, {Role::user, "x"}, {Role::assistant, "y"}, {Role::user, "Q\nC"}}));
  EXPECT_EQ(alpaca[0].response, "A");
  EXPECT_EQ(alpaca[0].instruction.source, "data.json");
  // What "columns" leaves out does not exist.
  const auto bare = read_set(R"({"file_name": "data.json", "columns": {"prompt": "instruction",
                                 "response": "output"}})",
                             R"([{"instruction":"Q","input":"ignored","output":"A"}])");
  EXPECT_EQ(bare[0].instruction.prompt(), "Q");
  const auto turns = read_set(R"({"file_name": "data.json", "formatting": "sharegpt",
      "columns": {"messages": "messages"}, "tags": {"role_tag": "role", "content_tag": "content",
      "user_tag": "user", "assistant_tag": "assistant", "system_tag": "system"}})",
                              R"([{"messages":[{"role":"system","content":"S"},
                                  {"role":"user","content":"U"},
                                  {"role":"assistant","content":"A"}]}])");
  EXPECT_EQ(turns[0].instruction.messages, (Messages{{Role::system, "S"}, {Role::user, "U"}}));
  EXPECT_EQ(turns[0].response, "A");
}

TEST_F(DataForms, DataSetsAreNamedOrTheOnlyOne) {
  write_file(folder_.path() / "data.json", R"([{"instruction":"Q","output":"A"}])");
  const auto info = folder_.path() / "dataset_info.json";
  write_file(info, R"({"one": {"file_name": "data.json"}})");
  EXPECT_EQ(read_instructions(info).size(), 1U);
  write_file(info, R"({"one": {"file_name": "data.json"}, "two": {"file_name": "none.json"}})");
  EXPECT_EQ(read_instructions(info.string() + ":one").size(), 1U);
  EXPECT_THAT(failure([&] { read_instructions(info); }),
              AllOf(HasSubstr("several data sets"), HasSubstr("one, two")));
  EXPECT_THAT(failure([&] { read_instructions(info.string() + ":three"); }),
              HasSubstr("no data set \"three\""));
  EXPECT_THAT(failure([&] { read_instructions(info.string() + ":two"); }), HasSubstr("none.json"));
}

// It was of each file, and rows behind it were read: one that is no instruction stopped the
// reading.
TEST_F(DataForms, NumSamplesIsOfAllFilesTogether) {
  const auto part = folder_.path() / "parts";
  std::filesystem::create_directories(part);
  write_file(part / "a.jsonl", "{\"instruction\":\"1\"}\n{\"instruction\":\"2\"}\n");
  write_file(part / "b.jsonl", "{\"instruction\":\"3\"}\n{\"instruction\":4}\n");
  write_file(part / "c.jsonl", "no row at all");
  const auto rows = read_set(R"({"file_name": "parts", "num_samples": 3})");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[2].instruction.prompt(), "3");
  EXPECT_THAT(failure([&] { read_set(R"({"file_name": "parts", "num_samples": 4})"); }),
              HasSubstr("b.jsonl:2"));
}

TEST_F(DataForms, DataSetsThatCannotBeLearntSayWhy) {
  EXPECT_THAT(failure([&] { read_set(R"({"hf_hub_url": "a/b"})"); }),
              AllOf(HasSubstr("dataset_info.json: set"), HasSubstr("nothing is downloaded")));
  EXPECT_THAT(failure([&] { read_set(R"({"file_name": "data.json", "ranking": true})"); }),
              HasSubstr("ranks or rates"));
  EXPECT_THAT(
      failure([&] { read_set(R"({"file_name": "data.json", "columns": {"images": "images"}})"); }),
      HasSubstr("only text"));
  EXPECT_THAT(failure([&] { read_set(R"({"file_name": "data.json", "formatting": "parquet"})"); }),
              HasSubstr("known: alpaca, sharegpt, openai"));
  EXPECT_THAT(failure([&] { read_set("[]"); }), HasSubstr("expected an object"));
  EXPECT_THAT(failure([&] {
                read_set(R"({"file_name": "data.json", "formatting": "sharegpt"})",
                         R"([{"conversations":[{"from":"user","value":"x"}]}])");
              }),
              AllOf(HasSubstr("data.json:1"), HasSubstr("the tags say: function_call, gpt")));
}

TEST_F(DataForms, DamagedFilesEndInRowsOrInADataError) {
  for (const bool lines : {true, false}) {
    testing::FuzzPlan plan = read_fuzz_plan(lines, folder_.path());
    plan.iterations = 250;
    const auto count = testing::fuzz(plan);
    EXPECT_GT(count.refused, 50U);
    EXPECT_LT(count.refused, count.inputs - 10);
  }
}

}  // namespace
}  // namespace tapir::dataset
