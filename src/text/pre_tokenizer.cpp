#include "text/pre_tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace tapir::text {
namespace {

// GPT-2's own pattern, what ByteLevel uses unless it is told not to.
constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

constexpr std::string_view kHint =
    "supported are byte-level BPE tokenizers: pre_tokenizer ByteLevel, Split, and Sequences of "
    "Splits that end in "
    "ByteLevel";

SplitBehavior parse_behavior(const std::string& name, const std::string& where) {
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  throw Error(ErrorKind::data, where + ": Split behavior \"" + name + "\" is not known",
              std::string(kHint));
}

struct Piece {
  Range range;
  bool match = false;
};

// Matches and what lies between them.
std::vector<Piece> cut(std::string_view text, const SplitStep& step) {
  std::vector<Range> matches;
  step.pattern.front().find_all(text, matches);
  std::vector<Piece> pieces;
  pieces.reserve(matches.size() + 1);
  std::size_t end = 0;
  for (const Range& range : matches) {
    if (range.begin > end) pieces.push_back({{end, range.begin}, step.invert});
    pieces.push_back({range, !step.invert});
    end = range.end;
  }
  if (end < text.size()) pieces.push_back({{end, text.size()}, step.invert});
  return pieces;
}

// A match joins its neighbour in front, unless that is a match that had none to join.
std::vector<Piece> merge_with_previous(const std::vector<Piece>& pieces) {
  std::vector<Piece> merged;
  bool previous_match = false;
  for (const Piece& piece : pieces) {
    if (piece.match && !previous_match && !merged.empty()) {
      merged.back().range.end = piece.range.end;
    } else {
      merged.push_back(piece);
    }
    previous_match = piece.match;
  }
  return merged;
}

std::vector<Piece> merge_with_next(const std::vector<Piece>& pieces) {
  std::vector<Piece> merged;
  bool next_match = false;
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
    if (piece->match && !next_match && !merged.empty()) {
      merged.back().range.begin = piece->range.begin;
    } else {
      merged.push_back(*piece);
    }
    next_match = piece->match;
  }
  std::reverse(merged.begin(), merged.end());
  return merged;
}

std::vector<Piece> merge_contiguous(const std::vector<Piece>& pieces) {
  std::vector<Piece> merged;
  for (const Piece& piece : pieces) {
    if (!merged.empty() && merged.back().match == piece.match) {
      merged.back().range.end = piece.range.end;
    } else {
      merged.push_back(piece);
    }
  }
  return merged;
}

std::vector<Piece> arrange(std::vector<Piece> pieces, SplitBehavior behavior) {
  switch (behavior) {
    case SplitBehavior::isolated:
      return pieces;
    case SplitBehavior::merged_with_previous:
      return merge_with_previous(pieces);
    case SplitBehavior::merged_with_next:
      return merge_with_next(pieces);
    case SplitBehavior::contiguous:
      return merge_contiguous(pieces);
    case SplitBehavior::removed:
      std::erase_if(pieces, [](const Piece& p) { return p.match; });
  }
  return pieces;
}

void apply(const SplitStep& step, std::string_view text, std::vector<std::string_view>& words) {
  if (step.pattern.empty()) {
    words.push_back(text);
    return;
  }
  for (const Piece& piece : arrange(cut(text, step), step.behavior)) {
    words.push_back(text.substr(piece.range.begin, piece.range.end - piece.range.begin));
  }
}

}  // namespace

PreTokenizer::PreTokenizer(const Json& description, const std::string& where) {
  add_component(description, where);
  if (!byte_level_) {
    throw Error(ErrorKind::data, where + ": no ByteLevel component found", std::string(kHint));
  }
}

void PreTokenizer::add_component(const Json& description, const std::string& where) {
  const auto type = json_get<std::string>(description, "type", where);
  if (byte_level_) {
    throw Error(ErrorKind::data, where + ": \"" + type + "\" stands after ByteLevel",
                std::string(kHint));
  }
  if (type == "Sequence") {
    for (const Json& part : json_get<Json>(description, "pretokenizers", where)) {
      add_component(part, where);
    }
  } else if (type == "Split") {
    add_split(description, where + ": Split");
  } else if (type == "ByteLevel") {
    SplitStep step;
    step.add_prefix_space = json_get_or<bool>(description, "add_prefix_space", true, where);
    if (json_get_or<bool>(description, "use_regex", true, where)) {
      step.pattern.emplace_back(kGpt2Pattern, where);
    }
    steps_.push_back(std::move(step));
    byte_level_ = true;
  } else {
    throw Error(ErrorKind::data, where + ": \"" + type + "\" is not supported", std::string(kHint));
  }
}

void PreTokenizer::add_split(const Json& description, const std::string& where) {
  const auto pattern = json_get<Json>(description, "pattern", where);
  SplitStep step;
  if (pattern.contains("Regex")) {
    step.pattern.emplace_back(json_get<std::string>(pattern, "Regex", where), where);
  } else {
    step.pattern.emplace_back(Regex::quote(json_get<std::string>(pattern, "String", where)), where);
  }
  step.behavior = parse_behavior(json_get<std::string>(description, "behavior", where), where);
  step.invert = json_get_or<bool>(description, "invert", false, where);
  steps_.push_back(std::move(step));
}

void PreTokenizer::split(std::string_view text, std::vector<std::string_view>& words,
                         std::deque<std::string>& owned) const {
  if (text.empty()) return;
  std::vector<std::string_view> pieces{text};
  for (const SplitStep& step : steps_) {
    std::vector<std::string_view> next;
    for (std::string_view piece : pieces) {
      if (step.add_prefix_space && !piece.starts_with(' ')) {
        piece = owned.emplace_back(1, ' ').append(piece);
      }
      apply(step, piece, next);
    }
    pieces = std::move(next);
  }
  words.insert(words.end(), pieces.begin(), pieces.end());
}

}  // namespace tapir::text
