#include "base/command_template.h"

#include <algorithm>
#include <cstdlib>
#include <functional>

#include <unistd.h>

#include "base/error.h"
#include "base/strings.h"

namespace tapir {
namespace {

enum class Quotes { none, single, double_ };

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_plain(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') ||
         std::string_view("_@%+=:,./-").find(c) != std::string_view::npos;
}

// The value as a part of a word in such quotes.
std::string value_in(Quotes quotes, std::string_view value) {
  if (quotes == Quotes::none) return value.empty() ? "" : shell_quoted(value);
  if (quotes == Quotes::single) return replace_all(std::string(value), "'", "'\\''");
  std::string text;
  for (const char c : value) {
    if (std::string_view("\\\"$`").find(c) != std::string_view::npos) text += '\\';
    text += c;
  }
  return text;
}

// Length of the slot's name at the start of `text`, behind its brace; 0: it is none.
std::size_t slot_length(std::string_view text) {
  const auto end = std::find_if_not(text.begin(), text.end(),
                                    [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
  return end == text.end() || *end != '}' ? 0 : static_cast<std::size_t>(end - text.begin());
}

using SlotText = std::function<std::string(const std::string& name, Quotes quotes)>;

// The text with slot(name) in the place of each slot.
std::string walk(std::string_view text, const SlotText& slot) {
  std::string out;
  Quotes quotes = Quotes::none;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool literal = i > 0 && text[i - 1] == '$';  // ${NAME} is the shell's
    if (c == '\\' && quotes != Quotes::single && i + 1 < text.size()) {
      out += text.substr(i++, 2);
    } else if (c == '{' && !literal && text.substr(i).starts_with("{{") &&
               slot_length(text.substr(i + 2)) > 0 &&
               text.substr(i + 2 + slot_length(text.substr(i + 2))).starts_with("}}")) {
      const std::size_t length = slot_length(text.substr(i + 2));
      out += text.substr(i + 1, length + 2);
      i += length + 3;
    } else if (const std::size_t length =
                   c == '{' && !literal ? slot_length(text.substr(i + 1)) : 0;
               length > 0) {
      out += slot(std::string(text.substr(i + 1, length)), quotes);
      i += length + 1;
    } else {
      if (c == '\'' && quotes != Quotes::double_) {
        quotes = quotes == Quotes::single ? Quotes::none : Quotes::single;
      } else if (c == '"' && quotes != Quotes::single) {
        quotes = quotes == Quotes::double_ ? Quotes::none : Quotes::double_;
      }
      out += c;
    }
  }
  return out;
}

bool sets_variable(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  return std::all_of(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(equals),
                     [](char c) { return is_letter(c) || c == '_' || (c >= '0' && c <= '9'); });
}

bool may_execute(const std::filesystem::path& file) {
  std::error_code error;
  return std::filesystem::is_regular_file(file, error) && ::access(file.c_str(), X_OK) == 0;
}

}  // namespace

std::string shell_quoted(std::string_view word) {
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return std::string(word);
  return "'" + replace_all(std::string(word), "'", "'\\''") + "'";
}

std::string expand_template(std::string_view text, const std::map<std::string, std::string>& values,
                            const std::string& where) {
  return walk(text, [&](const std::string& name, Quotes quotes) {
    const auto found = values.find(name);
    if (found != values.end()) return value_in(quotes, found->second);
    std::vector<std::string> known;
    std::vector<std::string> names;
    for (const auto& [slot, value] : values) {
      names.push_back(slot);
      known.push_back("{" + slot + "}");
    }
    const auto near = nearest(name, names);
    throw Error(ErrorKind::usage,
                where + ": there is no slot {" + name + "}" +
                    (near ? ", did you mean {" + *near + "}" : "") + "; there are " +
                    join(known, ", "),
                "write {{" + name + "}} where the command itself is to read {" + name + "}");
  });
}

std::vector<std::string> slots_of(std::string_view text) {
  std::vector<std::string> names;
  walk(text, [&](const std::string& name, Quotes) {
    names.push_back(name);
    return std::string();
  });
  return names;
}

std::string program_of(std::string_view command) {
  std::string word;
  Quotes quotes = Quotes::none;
  const auto ends = [&] { return !word.empty() && !sets_variable(word); };
  for (const char c : command) {
    if (quotes == Quotes::none && (c == ' ' || c == '\t' || c == '\n')) {
      if (ends()) return word;
      word.clear();
    } else if (c == '\'' && quotes != Quotes::double_) {
      quotes = quotes == Quotes::single ? Quotes::none : Quotes::single;
    } else if (c == '"' && quotes != Quotes::single) {
      quotes = quotes == Quotes::double_ ? Quotes::none : Quotes::double_;
    } else {
      word += c;
    }
  }
  return ends() ? word : "";
}

std::optional<std::filesystem::path> find_program(std::string_view name) {
  if (name.empty()) return {};
  if (name.find('/') != std::string_view::npos) {
    return may_execute(name) ? std::optional<std::filesystem::path>(name) : std::nullopt;
  }
  const char* path = std::getenv("PATH");
  for (const std::string& folder : split(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
    const std::filesystem::path file = std::filesystem::path(folder.empty() ? "." : folder) / name;
    if (may_execute(file)) return file;
  }
  return {};
}

}  // namespace tapir
