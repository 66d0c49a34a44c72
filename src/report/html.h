// Small pieces of HTML. Whatever comes from a model, a file or a user goes through escape().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "stats/intervals.h"

namespace tapir::report {

// Safe inside elements and quoted attributes; invalid UTF-8 and control characters become U+FFFD.
std::string escape(std::string_view text);
// The same, cut after `limit` bytes (at a character), saying how much is left out.
std::string excerpt(std::string_view text, std::size_t limit = 4000);
// One line for a heading: white space folded, cut.
std::string one_line(std::string_view text, std::size_t limit = 110);

std::string number(std::int64_t value);                     // 12,345
std::string decimal(double value, int digits);              // 1.23
std::string percent(double share, int digits = 1);          // 63.1 %
std::string points(double difference);                      // +24.0: percentage points
std::string interval(const stats::Interval& bounds);        // [60.2, 65.9], of shares in percent
std::string point_interval(const stats::Interval& bounds);  // [+1.0, +3.2]
std::string p_value(double p);                              // < 0.001
std::string in_words(std::string_view key);  // near_duplicate -> near duplicate, escaped
std::string duration(double seconds);        // 4 min 12 s
std::string money(double usd);               // $0.12

// Class of the colour of a series: S_0, the main arm, the others by their place.
std::string series_class(std::string_view arm, bool main, std::size_t place);

// ---- blocks; arguments named html are taken as they are ----
struct Column {
  std::string title;    // escaped
  bool numeric = true;  // right-aligned
};
class Table {
 public:
  explicit Table(std::vector<Column> columns, std::string caption = {});
  void row(const std::vector<std::string>& html, std::string_view css_class = {});
  bool empty() const { return rows_ == 0; }
  std::string html() const;

 private:
  std::vector<Column> columns_;
  std::string caption_;
  std::string body_;
  int rows_ = 0;
};

std::string section(std::string_view id, std::string_view title, std::string_view lead_html,
                    std::string_view body_html);
std::string card(std::string_view title, std::string_view html, std::string_view note_html = {});
std::string fold(std::string_view summary_html, std::string_view html, bool open = false);
std::string grid(const std::vector<std::string>& cards, std::string_view css_class = {});
std::string not_yet(std::string_view words);  // what is missing, and when it comes

}  // namespace tapir::report
