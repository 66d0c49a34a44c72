#include "dataset/export_data.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "dataset/read_instructions.h"
#include "error_of.h"
#include "test_data.h"

namespace tapir::dataset {
namespace {

using ::testing::HasSubstr;

std::vector<ExportRow> some_rows() {
  ExportRow first;
  first.instruction = {"i1",   {{Role::system, "Sys"}, {Role::user, "Add | \"1\" and 2.\nNow."}},
                       "Math", "d.json",
                       "i0",   1};
  first.response = "3 \xE2\x9C\x93 </script>";
  first.author = "teacher/steps";
  first.round = 1;
  first.stratum = Stratum::hard;
  first.teacher_score = 9;
  first.student_score = 4.5;
  ExportRow again = first;
  again.round = 2;
  again.repeat = 1;
  ExportRow turns;
  turns.instruction = {"i2",     {{Role::user, "q"}, {Role::assistant, "a"}, {Role::user, "r"}},
                       "Others", "d.json",
                       "",       0};
  turns.response = "s";
  turns.author = "data";
  turns.round = 2;
  return {first, again, turns};
}

const DataCard kCard = {"Rows of a test",
                        "0.1.0",
                        "abc123",
                        "name: test\n# ``` in the recipe\n",
                        {{"Student", "base"}},
                        {{"teacher", "some-model", 12, 3400, 560, 0.0125}},
                        {{"d.json", "CC BY 4.0"}}};

TEST(ExportData, MessagesRoundTrip) {
  const testing::TemporaryFolder folder;
  const auto files = export_data(some_rows(), kCard, {}, folder.path() / "out");
  ASSERT_EQ(files.size(), 3U);
  const auto rows = read_instructions(folder.path() / "out" / "train.jsonl");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].instruction.messages, some_rows()[0].instruction.messages);
  EXPECT_EQ(rows[0].response, some_rows()[0].response);
  EXPECT_EQ(rows[0].instruction.task, "Math");
  EXPECT_EQ(rows[0].instruction.parent_id, "i0");
  EXPECT_EQ(rows[1].instruction.id, "i1#2");
  EXPECT_EQ(rows[2].instruction.messages, some_rows()[2].instruction.messages);
}

TEST(ExportData, ColumnsOfTheMessagesFormat) {
  const std::string text = messages_jsonl(some_rows());
  const Json row = parse_json(text.substr(0, text.find('\n')), "row");
  for (const char* key :
       {"id", "messages", "parent_id", "round", "task", "mfd", "scores", "source"}) {
    EXPECT_TRUE(row.contains(key)) << key;
  }
  EXPECT_EQ(row["mfd"], 4.5) << "teacher minus student";
  EXPECT_EQ(row["scores"]["teacher"], 9);
  EXPECT_EQ(row["messages"].back()["role"], "assistant");
  const Json last = parse_json(text.substr(text.rfind('\n', text.size() - 2) + 1), "row");
  EXPECT_TRUE(last["mfd"].is_null()) << "not judged";
}

TEST(ExportData, AlpacaRoundTrip) {
  const testing::TemporaryFolder folder;
  export_data(some_rows(), kCard, {ExportFormat::alpaca, "tapir"}, folder.path());
  const auto rows = read_instructions(folder.path() / "tapir.json");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].instruction.messages, some_rows()[0].instruction.messages);
  EXPECT_EQ(rows[2].instruction.messages, some_rows()[2].instruction.messages) << "history";
  EXPECT_EQ(rows[2].response, "s");
  const Json info = parse_json(read_file(folder.path() / "dataset_info.json"), "info");
  EXPECT_EQ(info["tapir"]["file_name"], "tapir.json");
  EXPECT_EQ(info["tapir"]["columns"]["prompt"], "instruction");
}

// LLaMA-Factory asks every row for each column that dataset_info.json names.
TEST(ExportData, DatasetInfoNamesOnlyColumnsThatAreThere) {
  const ExportOptions options{ExportFormat::alpaca, "tapir"};
  auto rows = some_rows();
  const Json all = parse_json(dataset_info(rows, options), "info");
  EXPECT_TRUE(all["tapir"]["columns"].contains("system"));
  EXPECT_TRUE(all["tapir"]["columns"].contains("history"));
  rows.resize(1);
  rows[0].instruction.messages = {{Role::user, "q"}};
  const Json none = parse_json(dataset_info(rows, options), "info");
  EXPECT_FALSE(none["tapir"]["columns"].contains("system"));
  EXPECT_FALSE(none["tapir"]["columns"].contains("history"));
}

TEST(ExportData, DatasetInfoReadsWhatIsWritten) {
  for (const ExportFormat format : {ExportFormat::messages, ExportFormat::alpaca}) {
    const testing::TemporaryFolder folder;
    export_data(some_rows(), kCard, {format, "tapir"}, folder.path());
    const auto rows = read_instructions(folder.path() / "dataset_info.json:tapir");
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[2].instruction.messages, some_rows()[2].instruction.messages);
    EXPECT_EQ(rows[0].response, some_rows()[0].response);
  }
}

TEST(ExportData, AlpacaRefusesWhatItsColumnsCannotHold) {
  auto rows = some_rows();
  rows[2].instruction.messages = {{Role::user, "q"}, {Role::user, "r"}, {Role::user, "s"}};
  const Error error = testing::error_of([&] { alpaca_json(rows); });
  EXPECT_THAT(error.what(), HasSubstr("i2"));
  EXPECT_THAT(error.hint(), HasSubstr("messages"));
}

TEST(ExportData, CardCountsWhatIsThere) {
  const std::string card = data_card(some_rows(), kCard, {});
  EXPECT_THAT(card, HasSubstr("3 rows, 2 distinct instructions"));
  EXPECT_THAT(card, HasSubstr("| Math | 2 | 2 | 0 | 1 |"));
  EXPECT_THAT(card, HasSubstr("| Others | 1 | 0 | 1 | 0 |"));
  EXPECT_THAT(card, HasSubstr("- responses by teacher/steps: 2"));
  EXPECT_THAT(card, HasSubstr("- Student: base"));
  EXPECT_THAT(card, HasSubstr("| 1 | 1 | 1 | 0 | 1 |")) << "round 1: one hard row, expanded";
  EXPECT_THAT(card, HasSubstr("| 2 | 2 | 1 | 1 | 1 |"));
  EXPECT_THAT(card, HasSubstr("| teacher | some-model | 12 | 3400 | 560 | $0.012500 |"));
  EXPECT_THAT(card, HasSubstr("- instructions from d.json: 3; licence: CC BY 4.0"));
  EXPECT_THAT(card, HasSubstr("````yaml\n")) << "a longer fence than the one inside";
  EXPECT_EQ(card.rfind("---\n", 0), 0U);
}

TEST(ExportData, BadUse) {
  const testing::TemporaryFolder folder;
  EXPECT_THROW(export_data({}, kCard, {}, folder.path()), Error);
  write_file(folder.path() / "file", "x");
  EXPECT_THROW(export_data(some_rows(), kCard, {}, folder.path() / "file" / "sub"), Error);
  EXPECT_THROW(parse_export_format("csv"), Error);
  EXPECT_EQ(parse_export_format("alpaca"), ExportFormat::alpaca);
}

}  // namespace
}  // namespace tapir::dataset
