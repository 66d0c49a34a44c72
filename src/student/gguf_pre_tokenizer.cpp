#include "student/gguf_pre_tokenizer.h"

#include <array>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/strings.h"

namespace tapir::student {
namespace {

// A pre_tokenizer in short: its parts in order, "split <pattern>", "digits" (one by one),
// "byte_level" (the pattern of GPT-2); a ByteLevel that only renames bytes is left out.
struct PreTokenizerRow {
  std::string_view parts;
  bool ignore_merges;  // model.ignore_merges, which llama.cpp ties to the name
  std::string_view name;
};

constexpr std::array<PreTokenizerRow, 9> kRows = {{
    {R"(split (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     true, "llama-bpe"},
    {R"(split (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     false, "smaug-bpe"},
    {R"(split (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     false, "qwen2"},
    {"byte_level", false, "gpt-2"},
    {R"(split 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", false,
     "gpt-2"},
    {R"(split '(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", false,
     "gpt-2"},
    {"digits, byte_level", false, "smollm"},
    {R"(split [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     true, "tekken"},
    // What text::train_bpe() writes. llama.cpp has not this pattern, but a coarser one: words go up
    // to a blank or one of a few marks. Tokens are the same, since no merge of such a tokenizer
    // joins a letter to what is none, or a blank to what stands before it. (One that joins parts of
    // two letters of several bytes might; training on whole words makes none that matters.)
    {R"(split  ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]|\s)", false, "poro-chat"},
}};

[[noreturn]] void unknown(const std::string& where, const std::string& what) {
  std::vector<std::string> names;
  for (const PreTokenizerRow& row : kRows) {
    if (names.empty() || names.back() != row.name) names.emplace_back(row.name);
  }
  throw Error(
      ErrorKind::data, where + ": pre_tokenizer: llama.cpp has none that equals " + what,
      "GGUF names a built-in pre-tokenizer; those that tapir recognises: " + join(names, ", "));
}

std::string split_part(const Json& part, const std::string& where) {
  const Json& pattern = json_member(part, "pattern", where);
  const auto behavior = json_get_or<std::string>(part, "behavior", "Isolated", where);
  const bool inverted = json_get_or<bool>(part, "invert", false, where);
  // Matches are words and nothing lies between them: two ways to say it.
  const bool usual = (behavior == "Isolated" && !inverted) || (behavior == "Removed" && inverted);
  if (!usual || !pattern.is_object() || !pattern.contains("Regex")) unknown(where, part.dump());
  return "split " + json_get<std::string>(pattern, "Regex", where);
}

void add_parts(const Json& description, const std::string& where, std::vector<std::string>& parts) {
  if (description.is_null()) unknown(where, "none at all");
  const auto type = json_get<std::string>(description, "type", where);
  if (type == "Sequence") {
    for (const Json& part : json_member(description, "pretokenizers", where)) {
      add_parts(part, where, parts);
    }
  } else if (type == "Split") {
    parts.push_back(split_part(description, where));
  } else if (type == "Digits" &&
             json_get_or<bool>(description, "individual_digits", false, where)) {
    parts.emplace_back("digits");
  } else if (type == "ByteLevel" &&
             !json_get_or<bool>(description, "add_prefix_space", true, where)) {
    if (json_get_or<bool>(description, "use_regex", true, where)) parts.emplace_back("byte_level");
  } else {
    unknown(where, description.dump());
  }
}

}  // namespace

std::string gguf_pre_tokenizer(const Json& tokenizer, const std::string& where) {
  std::vector<std::string> parts;
  add_parts(tokenizer.value("pre_tokenizer", Json()), where, parts);
  const Json& model = json_member(tokenizer, "model", where);
  const bool ignore_merges = json_get_or<bool>(model, "ignore_merges", false, where);
  const std::string found = join(parts, ", ");
  for (const PreTokenizerRow& row : kRows) {
    if (row.parts == found && row.ignore_merges == ignore_merges) return std::string(row.name);
  }
  unknown(where, "\"" + found + "\"" + (ignore_merges ? " with ignore_merges" : ""));
}

}  // namespace tapir::student
