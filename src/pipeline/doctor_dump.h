// `tapir doctor --model DIR --against DUMP`: a student beside what transformers made of the same
// folder (scripts/dump_model.py).
#pragma once

#include <filesystem>
#include <vector>

#include "pipeline/doctor.h"
#include "student/student.h"

namespace tapir::pipeline {

// One check each for size, token ids, chat template, log-probabilities and greedy continuations;
// one that differs says where first and by how much. Log-probabilities agree within 1e-3 when the
// dump is of float32, else within 0.25: 16-bit arithmetic rounds. A continuation may leave the
// other's where the logits of the best two tokens are nearer than twice that; the check says where
// it did. Error{data} when the file is no such dump.
std::vector<Check> compare_with_dump(const student::Student& student,
                                     const std::filesystem::path& dump);

}  // namespace tapir::pipeline
