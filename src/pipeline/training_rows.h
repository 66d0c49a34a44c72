// Data files as examples to train on.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "records/instruction.h"
#include "student/student.h"

namespace tapir::pipeline {

// What of a conversation is learnt; names as in LLaMA-Factory where they exist there.
struct LearnOptions {
  std::vector<Role> roles = {Role::assistant};  // whose messages
  bool mask_history = false;                    // the last answer only
};

struct TrainingRows {
  std::vector<Example> examples;
  std::map<std::string, std::string> where;  // "file:line" by id

  // What action() does; an Error{data} "example ID: ..." out of it begins with the example's place.
  void with_places(const std::function<void()>& action) const;
};

// Instruction files (any form that dataset reads, "dataset_info.json:NAME" too), every answer
// learnt but those that the file wants to be read only. Error{data} "file:line" for a conversation
// without an answer at its end.
TrainingRows read_training_rows(const std::vector<std::filesystem::path>& files,
                                const LearnOptions& options = {});

// Questions that a student trained on these rows must stop answering by itself: those of the
// shortest rows whose last answer is learnt, `count` of them or as many as there are.
std::vector<student::GenerateRequest> stop_questions(const std::vector<Example>& rows, int count);

}  // namespace tapir::pipeline
