#include "report/html.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/random.h"
#include "base/strings.h"
#include "report/chart.h"

namespace tapir::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Escape, MarkupQuotesControlsAndBrokenBytes) {
  EXPECT_EQ(escape("<a href=\"x\">'&'</a>"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
  EXPECT_EQ(escape("line\n\ttab"), "line\n\ttab");
  EXPECT_EQ(escape(std::string("a\0b\x07", 4)),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
  EXPECT_EQ(escape("\xC3"), "\xEF\xBF\xBD");
}

TEST(Escape, AnyBytesBecomeHarmlessUtf8) {
  for (int trial = 0; trial < 300; ++trial) {
    RandomStream stream(1, "escape", std::to_string(trial));
    std::string text;
    for (std::uint64_t i = stream.below(80); i > 0; --i)
      text += static_cast<char>(stream.below(256));
    for (const std::string& out : {escape(text), excerpt(text, 20), one_line(text, 15)}) {
      ASSERT_TRUE(is_valid_utf8(out));
      std::string rest = replace_all(out, "<span class=\"more\">", "");
      rest = replace_all(rest, "</span>", "");
      ASSERT_EQ(rest.find('<'), std::string::npos);
      ASSERT_EQ(rest.find('>'), std::string::npos);
    }
    ASSERT_EQ(escape(text).find('"'), std::string::npos);
  }
}

TEST(Excerpt, CutsBetweenCharactersAndSaysHowMuch) {
  EXPECT_EQ(excerpt("short"), "short");
  const std::string cut = excerpt("\xC3\xA9\xC3\xA9\xC3\xA9", 3);
  EXPECT_THAT(cut, HasSubstr("\xC3\xA9<span"));
  EXPECT_THAT(cut, HasSubstr("2 more characters"));
  EXPECT_EQ(one_line("a\n  b"), "a b");
}

TEST(Numbers, AsPeopleReadThem) {
  EXPECT_EQ(number(0), "0");
  EXPECT_EQ(number(999), "999");
  EXPECT_EQ(number(1234567), "1,234,567");
  EXPECT_EQ(number(-1234),
            "\xE2\x88\x92"
            "1,234");
  EXPECT_EQ(percent(0.6312), "63.1\xC2\xA0%");
  EXPECT_EQ(points(0.123), "+12.3");
  EXPECT_EQ(points(-0.123),
            "\xE2\x88\x92"
            "12.3");
  EXPECT_EQ(points(-0.0001), "+0.0");
  EXPECT_EQ(decimal(-0.001, 1), "0.0");
  EXPECT_EQ(decimal(std::numeric_limits<double>::quiet_NaN(), 1), "\xE2\x80\x93");
  EXPECT_EQ(p_value(0.0004),
            "&lt;\xC2\xA0"
            "0.001");
  EXPECT_EQ(p_value(0.0312), "0.031");
  EXPECT_EQ(duration(3.24), "3.2 s");
  EXPECT_EQ(duration(59.6), "1 min 00 s");
  EXPECT_EQ(duration(252), "4 min 12 s");
  EXPECT_EQ(duration(3600 * 2 + 65), "2 h 01 min");
  EXPECT_EQ(in_words("near_duplicate"), "near duplicate");
}

TEST(Table, CellsAndColumnsMustAgree) {
  Table table({{"a<b", false}, {"n"}});
  table.row({"x", "1"}, "main");
  EXPECT_THAT(table.html(), HasSubstr("a&lt;b"));
  EXPECT_THAT(table.html(),
              HasSubstr("<tr class=\"main\"><th scope=\"row\">x</th><td class=\"n\">1</td></tr>"));
  EXPECT_THROW(table.row({"only one"}), Error);
}

TEST(Ticks, RoundValuesInsideTheRange) {
  EXPECT_THAT(nice_ticks(0, 1, 5),
              ElementsAre(0, ::testing::DoubleEq(0.2), ::testing::DoubleEq(0.4),
                          ::testing::DoubleNear(0.6, 1e-12), ::testing::DoubleEq(0.8),
                          ::testing::DoubleEq(1)));
  EXPECT_THAT(nice_ticks(3, 3, 4), ElementsAre(3));
  RandomStream stream(2, "ticks");
  for (int trial = 0; trial < 500; ++trial) {
    const double low = 100 * stream.normal();
    const double high = low + std::pow(10, 4 * stream.uniform() - 2);
    const auto ticks = nice_ticks(low, high, 4);
    ASSERT_GE(ticks.size(), 2U);
    ASSERT_LE(ticks.size(), 8U);
    for (const double tick : ticks) {
      ASSERT_GE(tick, low - 1e-6 * std::fabs(high - low));
      ASSERT_LE(tick, high + 1e-6 * std::fabs(high - low));
    }
  }
}

TEST(Plot, PositionsAreShareOfTheAxes) {
  Plot plot({.title = "T", .description = "D", .height = 100}, {0, 10, "x", {0, 5, 10}},
            {0, 4, "y", {0, 4}});
  EXPECT_EQ(plot.x(2.5), "25.000%");
  EXPECT_DOUBLE_EQ(plot.y(1), 75);
  EXPECT_EQ(plot.x(1e9), "105.000%") << "far outside: clamped";
  plot.bar(0, 5, 2, "bar", "<hint>");
  EXPECT_THAT(plot.html(), HasSubstr("role=\"img\" aria-label=\"T. D\""));
  EXPECT_THAT(plot.html(), HasSubstr("<title>&lt;hint&gt;</title>"));
}

TEST(Histogram, HardBarsFromTheThreshold) {
  const std::string html =
      histogram({{1.5, 3}, {2.0, 4}, {7.0, 1}}, {.title = "T", .description = "D", .threshold = 2});
  std::size_t easy = 0;
  std::size_t hard = 0;
  for (std::size_t at = html.find("\"bar-easy\""); at != std::string::npos;
       at = html.find("\"bar-easy\"", at + 1))
    ++easy;
  for (std::size_t at = html.find("\"bar-hard\""); at != std::string::npos;
       at = html.find("\"bar-hard\"", at + 1))
    ++hard;
  EXPECT_EQ(easy, 1U);
  EXPECT_EQ(hard, 2U);
  EXPECT_THAT(histogram({}, {.title = "T"}), Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace tapir::report
