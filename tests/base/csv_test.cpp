#include "base/csv.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "error_of.h"
#include "fuzzing.h"

namespace tapir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Csv, CellsQuotesAndLines) {
  const CsvTable table =
      parse_csv("\xEF\xBB\xBF,a,b\r\nx,\"1,5\",\"say \"\"no\"\"\"\n\ny,2,\n", "t");
  EXPECT_THAT(table.header, ElementsAre("", "a", "b"));
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_THAT(table.rows[0], ElementsAre("x", "1,5", "say \"no\""));
  EXPECT_THAT(table.rows[1], ElementsAre("y", "2", ""));
  EXPECT_THAT(table.lines, ElementsAre(2, 4));
  EXPECT_EQ(table.column("b"), 2U);
  EXPECT_EQ(table.find("c"), std::nullopt);
}

TEST(Csv, ALineBreakInQuotesCounts) {
  const CsvTable table = parse_csv("a\n\"one\ntwo\"\nthree\n", "t");
  EXPECT_THAT(table.rows[0], ElementsAre("one\ntwo"));
  EXPECT_THAT(table.lines, ElementsAre(2, 4));
}

TEST(Csv, Numbers) {
  const CsvTable table = parse_csv("n,\n1.5e-3,\n\"\",\nNaN,\nhalf,\ninf,\n", "t.csv");
  EXPECT_DOUBLE_EQ(*table.number(0, 0), 0.0015);
  EXPECT_EQ(table.number(1, 0), std::nullopt);
  EXPECT_EQ(table.number(2, 0), std::nullopt);
  for (const std::size_t row : {3U, 4U}) {
    const std::string words =
        testing::complaint_of(ErrorKind::data, [&] { return table.number(row, 0); });
    EXPECT_THAT(words, HasSubstr("t.csv:" + std::to_string(row + 2) + ": column \"n\""));
  }
}

TEST(Csv, WhatIsWrongIsNamed) {
  const auto complaint = [](const std::string& text) {
    return testing::complaint_of(ErrorKind::data, [&] { return parse_csv(text, "t.csv"); });
  };
  EXPECT_THAT(complaint(""), HasSubstr("t.csv: expected a header"));
  EXPECT_THAT(complaint("a,b\n1\n"), HasSubstr("t.csv:2: expected 2 cells, found 1"));
  EXPECT_THAT(complaint("a\n\"x\n"), HasSubstr("t.csv:2: a quote is opened"));
  EXPECT_THAT(complaint("a\n\"x\"y\n"), HasSubstr("t.csv:2: expected a comma"));
  EXPECT_THAT(testing::complaint_of(ErrorKind::data,
                                    [] { return parse_csv("a,b\n", "t.csv").column("c"); }),
              HasSubstr("expected a column \"c\", found a, b"));
}

TEST(Csv, WrittenCellsAreReadBack) {
  for (const std::string cell : {"plain", "a,b", "say \"no\"", "two\nlines", ""}) {
    const CsvTable table = parse_csv("x,y\n" + csv_cell(cell) + ",1\n", "t");
    EXPECT_EQ(table.rows[0][0], cell);
  }
}

TEST(CsvFuzz, IsReadOrRefused) {
  testing::fuzz({.name = "csv",
                 .corpus = {"a,b\n1,2\n", ",x\n\"q,\"\"r\",3\r\n\n4,5\n"},
                 .run =
                     [](const std::string& input) {
                       const CsvTable table = parse_csv(input, "fuzz");
                       for (const auto& row : table.rows)
                         EXPECT_EQ(row.size(), table.header.size());
                     },
                 .iterations = 2000});
}

}  // namespace
}  // namespace tapir
