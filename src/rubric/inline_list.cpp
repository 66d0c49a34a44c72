#include "rubric/inline_list.h"

#include <algorithm>

#include "base/strings.h"
#include "rubric/checkers.h"
#include "rubric/word_reader.h"

namespace tapir::rubric {
namespace {

// The values that components name, in the order of the enumerations.
const Words kSeparatorNames = {"none", "comma", "slash", "bar"};
const Words kPrefixNames = {"none", "number", "dash", "a wrong number"};
const Words kBracketNames = {"none", "round", "square", "unpaired"};
const Words kEndNames = {"none", "total", "end", "a wrong total"};

const Words kSeparators = {"", ",", "/", "|"};  // the empty ones are never read
const Words kOpen = {"", "(", "["};
const Words kClose = {"", ")", "]"};

bool is_item(std::string_view word) {
  return word != "total" && word != "end" &&
         std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

// number: of this item, from 1.
std::optional<ListItem> read_item(WordReader& reader, std::size_t number) {
  ListItem item;
  item.separator = static_cast<ListSeparator>(reader.take_from(kSeparators).value_or(0));
  if (const auto digit = reader.take_digit()) {
    const bool own = *digit == static_cast<int>(number);
    item.prefix = own ? ListPrefix::number : ListPrefix::wrong;
  } else if (reader.take("-")) {
    item.prefix = ListPrefix::dash;
  }
  const std::size_t opened = reader.take_from(kOpen).value_or(0);
  if (reader.done()) return std::nullopt;
  item.word = reader.take_any();
  if (!is_item(item.word)) return std::nullopt;
  const std::size_t closed = reader.take_from(kClose).value_or(0);
  item.brackets = opened == closed ? static_cast<ListBrackets>(opened) : ListBrackets::unpaired;
  return item;
}

Finding same(std::string_view found, std::string_view wanted, std::string_view what) {
  return {found == wanted,
          std::string(what) + ": " + std::string(found) + "; asked for: " + std::string(wanted)};
}

Finding no_list() { return {false, "it is no list on one line"}; }

// The first item whose part is not the wanted one decides.
template <typename Part>
Finding check_items(const Component& component, std::string_view answer, Part ListItem::*part,
                    const Words& names, std::string_view what) {
  const auto list = read_inline_list(answer);
  if (!list) return no_list();
  const std::string& wanted = component.values.front();
  for (const ListItem& item : list->items) {
    const std::string& found = names[static_cast<std::size_t>(item.*part)];
    if (found != wanted) return same(found, wanted, what);
  }
  return same(wanted, wanted, what);
}

}  // namespace

std::vector<std::string> InlineList::words() const {
  std::vector<std::string> all;
  for (const ListItem& item : items) all.push_back(item.word);
  return all;
}

std::optional<InlineList> read_inline_list(std::string_view text) {
  WordReader reader(text);
  InlineList list;
  list.titled = reader.take({"List", ":"});
  while (!reader.done() && !reader.next_is("total") && !reader.next_is("end")) {
    auto item = read_item(reader, list.items.size() + 1);
    if (!item) return std::nullopt;
    list.items.push_back(std::move(*item));
  }
  if (reader.take("total")) {
    const auto count = reader.take_digit();
    if (!count) return std::nullopt;
    const bool right = *count == static_cast<int>(list.items.size());
    list.end = right ? ListEnd::total : ListEnd::wrong;
  } else if (reader.take("end")) {
    list.end = ListEnd::end;
  }
  if (!reader.done() || list.items.empty()) return std::nullopt;
  return list;
}

Finding check_list_order(const Component& component, std::string_view answer) {
  const auto list = read_inline_list(answer);
  if (!list) return no_list();
  return same(join(list->words(), " "), join(component.values, " "), "items");
}

// None stands before the first item.
Finding check_list_separator(const Component& component, std::string_view answer) {
  const auto list = read_inline_list(answer);
  if (!list) return no_list();
  const std::string& wanted = component.values.front();
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const std::string& found = kSeparatorNames[static_cast<std::size_t>(list->items[i].separator)];
    const std::string& due = i == 0 ? kSeparatorNames[0] : wanted;
    if (found != due) return same(found, due, "separator");
  }
  return same(wanted, wanted, "separators");
}

Finding check_list_prefix(const Component& component, std::string_view answer) {
  return check_items(component, answer, &ListItem::prefix, kPrefixNames, "before an item");
}

Finding check_list_brackets(const Component& component, std::string_view answer) {
  return check_items(component, answer, &ListItem::brackets, kBracketNames, "brackets");
}

Finding check_list_title(const Component& component, std::string_view answer) {
  const auto list = read_inline_list(answer);
  if (!list) return no_list();
  return same(list->titled ? "list" : "none", component.values.front(), "title");
}

Finding check_list_end(const Component& component, std::string_view answer) {
  const auto list = read_inline_list(answer);
  if (!list) return no_list();
  return same(kEndNames[static_cast<std::size_t>(list->end)], component.values.front(), "end");
}

}  // namespace tapir::rubric
