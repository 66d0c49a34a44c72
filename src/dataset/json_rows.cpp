#include "dataset/json_rows.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace tapir::dataset {
namespace {

using Row = std::function<void(const Json&, const std::string&)>;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Cuts an array into its elements without reading them, so that each has its line and only one is
// in memory as a tree.
class ArrayRows {
 public:
  ArrayRows(std::string_view text, const std::string& file, const Row& row)
      : text_(text), file_(file), row_(row) {}

  void run() {
    at_ = text_.find('[') + 1;
    line_ = 1 + count_lines(0, at_);
    skip_space();
    while (at_ < text_.size() && text_[at_] != ']') {
      read_element();
      skip_space();
      if (at_ < text_.size() && text_[at_] == ',') {
        ++at_;
        skip_space();
        if (at_ < text_.size() && text_[at_] == ']') fail("a comma stands before the end");
      } else if (at_ < text_.size() && text_[at_] != ']') {
        fail("expected ',' or ']' between elements, found '" + std::string(1, text_[at_]) + "'");
      }
    }
    if (at_ >= text_.size()) fail("the array does not end: the file seems to be cut off");
    ++at_;
    skip_space();
    if (at_ < text_.size()) fail("there is more behind the end of the array");
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::data, file_ + ":" + std::to_string(line_) + ": " + what);
  }
  std::size_t count_lines(std::size_t begin, std::size_t end) const {
    return static_cast<std::size_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(begin),
                                               text_.begin() + static_cast<std::ptrdiff_t>(end),
                                               '\n'));
  }
  void skip_space() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return;
      if (c == '\n') ++line_;
    }
  }

  void read_element() {
    const std::size_t begin = at_;
    const std::string where =
        file_ + ":" + std::to_string(line_) + " (element " + std::to_string(++element_) + ")";
    at_ = element_end();
    row_(parse_json(text_.substr(begin, at_ - begin), where), where);
    line_ += count_lines(begin, at_);
  }

  // Behind the element that begins at at_: at the "," or "]" of the array.
  std::size_t element_end() const {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = at_; i < text_.size(); ++i) {
      const char c = text_[i];
      if (quoted) {
        if (c == '\\') ++i;
        if (c == '"') quoted = false;
        continue;
      }
      if (c == '"') quoted = true;
      if (depth == 0 && (c == ',' || c == ']')) return i;
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
    }
    return text_.size();
  }

  std::string_view text_;
  const std::string& file_;
  const Row& row_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t element_ = 0;
};

}  // namespace

void for_each_json_row(std::string_view text, const std::string& file, const Row& row) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const std::string_view begin = trim(text);
  if (begin.starts_with('[')) return ArrayRows(text, file, row).run();
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.empty()) continue;
    const std::string where = file + ":" + std::to_string(number);
    row(parse_json(line, where), where);
  }
}

}  // namespace tapir::dataset
