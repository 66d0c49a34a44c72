// Column addition, shared by add (base 10) and base_add (bases 5 to 8).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "gym/families/chain.h"

namespace tapir::gym {

// Two numbers of equally many digits, most significant first.
struct Columns {
  int base = 10;
  std::string x;
  std::string y;
};

// n digits each; the first is not 0 unless n is 1.
Columns draw_columns(int base, int digits, RandomStream& stream);
// "c3b4a7+C2B5A8" for 347+258: every digit after the name of its column, a the last one, small
// letters in the first number. With the names a small student finds a digit by what it is called,
// not by counting.
std::string render_columns(const Columns& columns);
// Reads that, and nothing after it; nothing when the numbers are not well-formed in that base.
std::optional<Columns> read_columns(int base, std::string_view text);
// "347+258", the smaller number first.
std::string canonical_columns(const Columns& columns);
// Least digit first, a step a column: "a7+A8+0=15" (x, y, carry, the column's sum); in other bases
// the sum's two digits in that base follow: "a4+A5+0=09:13". The carry is the first of the two last
// digits.
Chain chain_of(const Columns& columns);

}  // namespace tapir::gym
