#include "report/html.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"

namespace tapir::report {
namespace {

// The longest prefix of at most `limit` bytes that ends between characters.
std::string_view cut(std::string_view utf8, std::size_t limit) {
  if (utf8.size() <= limit) return utf8;
  while (limit > 0 && (static_cast<unsigned char>(utf8[limit]) & 0xC0) == 0x80) --limit;
  return utf8.substr(0, limit);
}

double in_percent(double share) {
  const double value = 100 * share;
  return std::fabs(value) < 0.05 ? 0 : value;  // no "-0.0"
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (const char c : valid_utf8(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default: {
        const auto byte = static_cast<unsigned char>(c);
        const bool control = (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F;
        if (control) {
          out += "\xEF\xBF\xBD";
        } else {
          out += c;
        }
      }
    }
  }
  return out;
}

std::string excerpt(std::string_view text, std::size_t limit) {
  const std::string valid = valid_utf8(text);
  const std::string_view head = cut(valid, limit);
  if (head.size() == valid.size()) return escape(valid);
  return escape(head) +
         fmt::format(
             "<span class=\"more\"> ... {} more characters</span>",
             number(static_cast<std::int64_t>(count_code_points(valid.substr(head.size())))));
}

std::string one_line(std::string_view text, std::size_t limit) {
  const std::string folded = join(split_whitespace(valid_utf8(text)), " ");
  const std::string_view head = cut(folded, limit);
  return escape(head) + (head.size() < folded.size() ? "\xE2\x80\xA6" : "");
}

std::string number(std::int64_t value) {
  const std::string digits = std::to_string(value < 0 ? -value : value);
  std::string text = value < 0 ? "\xE2\x88\x92" : "";
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string decimal(double value, int digits) {
  if (!std::isfinite(value)) return "\xE2\x80\x93";
  std::string text = fmt::format("{:.{}f}", value, digits);
  const bool zero = text.find_first_not_of("-0.") == std::string::npos;
  if (zero && text.front() == '-') text.erase(0, 1);
  return replace_all(text, "-", "\xE2\x88\x92");
}

std::string percent(double share, int digits) { return decimal(100 * share, digits) + "\xC2\xA0%"; }

std::string points(double difference) {
  const double value = in_percent(difference);
  return fmt::format("{}{}", value >= 0 ? "+" : "", decimal(value, 1));
}

std::string interval(const stats::Interval& bounds) {
  return fmt::format("[{}, {}]", decimal(100 * bounds.low, 1), decimal(100 * bounds.high, 1));
}

std::string point_interval(const stats::Interval& bounds) {
  return fmt::format("[{}, {}]", points(bounds.low), points(bounds.high));
}

std::string p_value(double p) {
  return p < 0.001 ? "&lt;\xC2\xA0"
                     "0.001"
                   : decimal(p, 3);
}

std::string in_words(std::string_view key) {
  return escape(replace_all(std::string(key), "_", " "));
}

std::string duration(double seconds) {
  if (seconds < 10) return decimal(seconds, 1) + " s";
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string money(double usd) { return fmt::format("${}", decimal(usd, 2)); }

std::string series_class(std::string_view arm, bool main, std::size_t place) {
  if (arm.empty()) return "s0";
  if (main) return "main";
  return fmt::format("c{}", 1 + place % 5);
}

Table::Table(std::vector<Column> columns, std::string caption)
    : columns_(std::move(columns)), caption_(std::move(caption)) {}

void Table::row(const std::vector<std::string>& html, std::string_view css_class) {
  check(html.size() == columns_.size(), "report: a table's row has as many cells as columns");
  body_ += css_class.empty() ? "<tr>" : fmt::format("<tr class=\"{}\">", css_class);
  for (std::size_t i = 0; i < html.size(); ++i) {
    const char* tag = i == 0 ? "th scope=\"row\"" : "td";
    body_ += fmt::format("<{}{}>{}</{}>", tag, columns_[i].numeric ? " class=\"n\"" : "", html[i],
                         i == 0 ? "th" : "td");
  }
  body_ += "</tr>\n";
  ++rows_;
}

std::string Table::html() const {
  std::string head;
  for (const Column& column : columns_) {
    head += fmt::format("<th scope=\"col\"{}>{}</th>", column.numeric ? " class=\"n\"" : "",
                        escape(column.title));
  }
  const std::string caption =
      caption_.empty() ? "" : fmt::format("<caption>{}</caption>", escape(caption_));
  return fmt::format(
      "<div class=\"scroll\" "
      "tabindex=\"0\"><table>{}<thead><tr>{}</tr></thead>\n<tbody>{}</tbody></table></div>\n",
      caption, head, body_);
}

std::string section(std::string_view id, std::string_view title, std::string_view lead_html,
                    std::string_view body_html) {
  return fmt::format("<section id=\"{}\"><h2>{}</h2>\n{}{}</section>\n", id, escape(title),
                     lead_html.empty() ? "" : fmt::format("<p class=\"lead\">{}</p>\n", lead_html),
                     body_html);
}

std::string card(std::string_view title, std::string_view html, std::string_view note_html) {
  return fmt::format("<div class=\"card\">{}{}{}</div>\n",
                     title.empty() ? "" : fmt::format("<h3>{}</h3>\n", escape(title)), html,
                     note_html.empty() ? "" : fmt::format("<p class=\"note\">{}</p>", note_html));
}

std::string fold(std::string_view summary_html, std::string_view html, bool open) {
  return fmt::format("<details{}><summary>{}</summary>\n<div class=\"body\">{}</div></details>\n",
                     open ? " open" : "", summary_html, html);
}

std::string grid(const std::vector<std::string>& cards, std::string_view css_class) {
  std::string inside;
  for (const std::string& html : cards) inside += html;
  return fmt::format("<div class=\"grid {}\">{}</div>\n", css_class, inside);
}

std::string not_yet(std::string_view words) {
  return fmt::format("<p class=\"notyet\">{}</p>\n", escape(words));
}

}  // namespace tapir::report
