#include "text/pre_tokenizer.h"

#include <memory>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "text/split.h"
#include "text/unicode.h"
#include "text/word_scanner.h"

namespace tapir::text {
namespace {

// Splits by a pattern; by its scanner when there is one.
std::function<void(std::string_view, Before, Words&)> split_step(std::string_view pattern,
                                                                 SplitBehavior behavior,
                                                                 bool invert,
                                                                 const std::string& where) {
  const WordScanner scanner = find_word_scanner(pattern);
  if (scanner != nullptr && behavior == SplitBehavior::isolated) {  // no text between its matches
    return [scanner](auto piece, Before, Words& words) { scanner(piece, words.list); };
  }
  const auto regex = std::make_shared<Regex>(pattern, where);
  return [=](auto piece, Before, Words& words) {
    split_by(*regex, behavior, invert, piece, words.list);
  };
}

enum class PrependScheme { always, first, never };

PrependScheme prepend_scheme(const Json& description, const std::string& where) {
  const auto name = json_get_or<std::string>(description, "prepend_scheme", "always", where);
  if (!json_get_or<bool>(description, "add_prefix_space", true, where) || name == "never") {
    return PrependScheme::never;
  }
  if (name == "first") return PrependScheme::first;
  if (name == "always") return PrependScheme::always;
  throw Error(ErrorKind::data, where + ": prepend_scheme \"" + name + "\" is not known",
              "known: always, first, never");
}

// Blanks become "▁"; one is put in front of what does not begin with it.
std::function<void(std::string_view, Before, Words&)> metaspace_step(const Json& description,
                                                                     const std::string& where) {
  const auto mark = json_get_or<std::string>(description, "replacement", "▁", where);
  if (mark.empty()) throw Error(ErrorKind::data, where + ": replacement is empty");
  const PrependScheme scheme = prepend_scheme(description, where);
  std::shared_ptr<Regex> pattern;
  if (json_get_or<bool>(description, "split", true, where)) {
    pattern = std::make_shared<Regex>(Regex::quote(mark), where);
  }
  return [=](std::string_view piece, Before before, Words& words) {
    std::string& text = words.owned.emplace_back(replace_all(std::string(piece), " ", mark));
    const bool wanted = scheme == PrependScheme::always
                            ? before != Before::text
                            : scheme == PrependScheme::first && before == Before::nothing;
    if (wanted && !text.starts_with(mark)) text.insert(0, mark);
    if (pattern == nullptr) {
      words.list.push_back(text);
    } else {
      split_by(*pattern, SplitBehavior::merged_with_next, /*invert=*/false, text, words.list);
    }
  };
}

}  // namespace

PreTokenizer::PreTokenizer(const Json& description, const std::string& where) {
  if (!description.is_null()) add(description, where);
}

void PreTokenizer::add(const Json& description, const std::string& where) {
  const auto type = json_get<std::string>(description, "type", where);
  if (byte_level_) {
    throw Error(ErrorKind::data, where + ": \"" + type + "\" behind ByteLevel is not supported");
  }
  const auto behavior = [&](const char* fallback) {
    return parse_split_behavior(json_get_or<std::string>(description, "behavior", fallback, where),
                                where);
  };
  const auto add_pattern = [&](std::string_view pattern, SplitBehavior found, bool invert = false) {
    steps_.push_back(split_step(pattern, found, invert, where));
  };
  if (type == "Sequence") {
    for (const Json& part : json_member(description, "pretokenizers", where)) add(part, where);
  } else if (type == "Split") {
    add_split(description, where + ": Split");
  } else if (type == "ByteLevel") {
    add_byte_level(description, where);
  } else if (type == "Metaspace") {
    steps_.push_back(metaspace_step(description, where + ": Metaspace"));
  } else if (type == "Digits") {
    const bool single = json_get_or<bool>(description, "individual_digits", false, where);
    add_pattern(number_class(), single ? SplitBehavior::isolated : SplitBehavior::contiguous);
  } else if (type == "Punctuation") {
    add_pattern(punctuation_class(), behavior("Isolated"));
  } else if (type == "Whitespace") {
    add_pattern(R"(\w+|[^\w\s]+)", SplitBehavior::removed, /*invert=*/true);
  } else if (type == "WhitespaceSplit") {
    add_pattern(R"(\s)", SplitBehavior::removed);
  } else {
    throw Error(ErrorKind::data, where + ": \"" + type + "\" is not supported",
                "supported pre_tokenizers: ByteLevel, Split, Metaspace, Digits, Punctuation, "
                "Whitespace, WhitespaceSplit, Sequence");
  }
}

void PreTokenizer::add_byte_level(const Json& description, const std::string& where) {
  byte_level_ = true;
  if (json_get_or<bool>(description, "add_prefix_space", true, where)) {
    steps_.emplace_back([](std::string_view piece, Before before, Words& words) {
      if (before != Before::text && !piece.starts_with(' ')) {
        piece = words.owned.emplace_back(1, ' ').append(piece);
      }
      words.list.push_back(piece);
    });
  }
  if (json_get_or<bool>(description, "use_regex", true, where)) {
    steps_.push_back(split_step(kGpt2Pattern, SplitBehavior::isolated, /*invert=*/false, where));
  }
}

void PreTokenizer::add_split(const Json& description, const std::string& where) {
  const Json& given = json_member(description, "pattern", where);
  const std::string pattern = given.contains("Regex")
                                  ? json_get<std::string>(given, "Regex", where)
                                  : Regex::quote(json_get<std::string>(given, "String", where));
  const SplitBehavior behavior =
      parse_split_behavior(json_get<std::string>(description, "behavior", where), where);
  const bool invert = json_get_or<bool>(description, "invert", false, where);
  steps_.push_back(split_step(pattern, behavior, invert, where));
}

void PreTokenizer::split(std::string_view text, Before before, Words& words) const {
  words.list.clear();
  words.owned.clear();
  if (text.empty()) return;
  words.list.push_back(text);
  for (const Step& step : steps_) {
    words.pieces.swap(words.list);
    words.list.clear();
    Before stands = before;
    for (const std::string_view piece : words.pieces) {
      step(piece, stands, words);
      stands = Before::token;  // what follows is not at the beginning of the text
    }
  }
}

}  // namespace tapir::text
