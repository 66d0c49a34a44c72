// A list of words on one line with marks around its items: "List : 1 (red), 2 (fig) total 2".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tapir::rubric {

enum class ListSeparator { none, comma, slash, bar };
enum class ListPrefix { none, number, dash, wrong };  // wrong: a number that is not its own
enum class ListBrackets { none, round, square, unpaired };
enum class ListEnd { none, total, end, wrong };  // wrong: a total that is not theirs

struct ListItem {
  std::string word;
  ListSeparator separator = ListSeparator::none;  // before it
  ListPrefix prefix = ListPrefix::none;
  ListBrackets brackets = ListBrackets::none;
};

struct InlineList {
  std::vector<ListItem> items;  // one or more
  bool titled = false;          // "List :"
  ListEnd end = ListEnd::none;
  std::vector<std::string> words() const;
};

// Nothing for any other text. Items are words of letters a-z; "total" and "end" are none.
std::optional<InlineList> read_inline_list(std::string_view text);

}  // namespace tapir::rubric
