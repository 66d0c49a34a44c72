// `tapir judge read`: recorded judgments through the readers, without asking anybody.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tapir::pipeline {

// pair: two scores; rating: "Rating: [[x]]"; mtbench: MT-Bench's own rule; choice: [[A]], [[B]] or
// [[C]]; letter: AlpacaEval's "m" or "M".
enum class JudgmentForm { pair, rating, mtbench, choice, letter };
JudgmentForm parse_judgment_form(const std::string& name);  // Error{usage} naming the known ones
const std::vector<std::string>& judgment_forms();           // their names

struct ReadSummary {
  std::int64_t rows = 0;
  std::int64_t read = 0;
  std::map<std::string, std::int64_t> failed;  // by reason
};

// {"id", "text"} -> {"id", "scores": [..] or null, "status"}; choice and letter: "choice" instead
// of "scores". status is "ok" or why the judgment does not count; scores that lie outside the scale
// stand as they were read. Rows in the order of the input files; "-" is standard input or output.
// Error{data} "file:line".
ReadSummary read_judgments(JudgmentForm form, const std::vector<std::string>& inputs,
                           const std::string& output);

}  // namespace tapir::pipeline
