// Pipe programs over lists of whole numbers: "map*2|odd-|sum". The language of the synth family.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tapir::gym {

using Numbers = std::vector<std::int64_t>;

struct Operation {
  int kind = 0;       // index into operation_kinds()
  int parameter = 0;  // a digit; 0 where the kind has none
  bool operator==(const Operation&) const = default;
};

using PipeProgram = std::vector<Operation>;

struct OperationKind {
  std::string_view code;                  // "map*"
  int low = 0, high = 0;                  // of the parameter; both 0: it has none
  bool ends = false;                      // gives one number: drawn as the last operation only
  std::vector<std::string_view> english;  // synonyms; "{}" stands for the parameter
};

const std::vector<OperationKind>& operation_kinds();
// Every operation with every parameter.
const std::vector<Operation>& all_operations();

std::string to_string(const PipeProgram& program);
// Total; at most 16 operations. Blanks are skipped.
std::optional<PipeProgram> read_program(std::string_view text);
Numbers run_program(const PipeProgram& program, Numbers numbers);

// Programs that differ from this one by one operation: replaced, dropped, or changed places with
// its neighbour.
std::vector<PipeProgram> one_operation_mutants(const PipeProgram& program);
// Inputs among a fixed list of candidates such that every mutant that differs on any candidate
// differs on one of these.
std::vector<Numbers> killing_inputs(const PipeProgram& program);
// The fixed list.
const std::vector<Numbers>& candidate_inputs();

}  // namespace tapir::gym
