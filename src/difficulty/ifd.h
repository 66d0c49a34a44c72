// Instruction-Following Difficulty (Li et al., arXiv 2308.12032): how little the instruction helps
// the student to foresee the answer. Needs no judge and no teacher.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include "base/progress.h"
#include "records/instruction.h"
#include "student/student.h"

namespace tapir::difficulty {

struct AnsweredRow {
  Instruction instruction;
  std::string answer;
};

// Mean loss of the answer's tokens given the instruction, over their mean loss without it. Both are
// taken through the student's chat format, the second with an empty instruction; where the context
// cuts the answer short, over the tokens that both have. Nothing when there are none, or the loss
// without the instruction is zero.
std::optional<double> ifd_of(const student::TokenLosses& with, const student::TokenLosses& without);

// keep(fit) for every row that has a ratio, failed(id) for the others, on the caller's thread, in
// the order of the rows. False: stopped before the end. Deterministic: a row's ratio is its own.
bool measure_ifd(const student::Student& student, std::span<const AnsweredRow> rows,
                 const std::string& author, const std::function<void(const Fit&)>& keep,
                 const std::function<void(const std::string&)>& failed, ProgressSink& progress,
                 std::stop_token stop);

}  // namespace tapir::difficulty
