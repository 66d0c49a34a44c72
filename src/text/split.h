// Cutting a text by a pattern.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/regex.h"

namespace tapir::text {

// What becomes of the matches; names as in tokenizer.json.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

// Error{data} naming `where`.
SplitBehavior parse_split_behavior(const std::string& name, const std::string& where);

// Appends the pieces of text. invert: the pattern describes what lies between the matches.
void split_by(const Regex& pattern, SplitBehavior behavior, bool invert, std::string_view text,
              std::vector<std::string_view>& pieces);

}  // namespace tapir::text
