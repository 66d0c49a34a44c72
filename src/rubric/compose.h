// Requirements for new instructions, drawn so that code can check them and that one answer can keep
// all of them: how many is how hard ("layered" instructions).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "rubric/component.h"

namespace tapir::rubric {

inline constexpr int kMostLayers = 6;

// `layers` components of different kinds without a conflict: a function of seed and name, whatever
// else is drawn. REQUIRES: 1 <= layers <= kMostLayers.
Rubric compose(std::uint64_t seed, std::string_view name, int layers);

// What the components ask for, in plain English, one sentence a line. REQUIRES: they are
// compose()'s.
std::string requirement_sentences(const Rubric& rubric);

}  // namespace tapir::rubric
