// What a data set holds, in figures: before anything is spent on it.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "dataset/read_instructions.h"

namespace tapir::dataset {

// Of characters (code points). Quantiles are values that occur.
struct Lengths {
  std::size_t count = 0;
  double mean = 0;
  std::size_t least = 0, median = 0, p90 = 0, p99 = 0, most = 0;
};
Lengths lengths_of(std::vector<std::size_t> values);

struct Statistics {
  std::size_t rows = 0;
  std::size_t with_response = 0;
  std::size_t with_system = 0;
  std::size_t with_history = 0;  // turns before the last question
  Lengths instructions;          // of all messages of a row
  Lengths responses;             // of those that are there
  std::map<std::string, std::size_t> sources;
  std::map<std::string, std::size_t> tasks;    // "" where a row names none
  std::map<std::string, std::size_t> scripts;  // main_script() of the instructions
};
Statistics statistics(std::span<const DataRow> rows);

}  // namespace tapir::dataset
