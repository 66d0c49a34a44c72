#include "text/split.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/error.h"

namespace tapir::text {
namespace {

struct Piece {
  Range range;
  bool match = false;
};

// Matches and what lies between them.
std::vector<Piece> cut(const Regex& pattern, bool invert, std::string_view text) {
  std::vector<Range> matches;
  pattern.find_all(text, matches);
  std::vector<Piece> pieces;
  pieces.reserve(matches.size() + 1);
  std::size_t end = 0;
  for (const Range& range : matches) {
    if (range.begin > end) pieces.push_back({{end, range.begin}, invert});
    pieces.push_back({range, !invert});
    end = range.end;
  }
  if (end < text.size()) pieces.push_back({{end, text.size()}, invert});
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

}  // namespace

SplitBehavior parse_split_behavior(const std::string& name, const std::string& where) {
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  throw Error(ErrorKind::data, where + ": behavior \"" + name + "\" is not known",
              "known: Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous");
}

void split_by(const Regex& pattern, SplitBehavior behavior, bool invert, std::string_view text,
              std::vector<std::string_view>& pieces) {
  for (const Piece& piece : arrange(cut(pattern, invert, text), behavior)) {
    pieces.push_back(text.substr(piece.range.begin, piece.range.end - piece.range.begin));
  }
}

}  // namespace tapir::text
