// Does a student stop by itself? Asked after every export: one that was trained without its end
// token, or that is served with another template, answers without end, and loading shows nothing of
// it. No torch here.
#pragma once

#include <string>
#include <vector>

#include "student/student.h"

namespace tapir::student {

struct AnswerCheckOptions {
  int prompts = 4;  // how many are asked; 0: none
  // To be asked, from the first on; empty: short everyday questions, through the chat format.
  std::vector<GenerateRequest> requests;
  int max_new_tokens = 256;  // an answer that is longer has not stopped
};

struct CheckedAnswer {
  std::string prompt;
  std::string text;
  int tokens = 0;
  bool stopped = false;
};

// Greedy answers, in the order of the requests. Error{usage} when there are fewer requests than
// prompts. Deterministic, as Student::generate().
std::vector<CheckedAnswer> check_answers(const Student& student, const AnswerCheckOptions& options);

// Error{data} when one of them did not stop: how many, the first such prompt, and what that means.
// `where` is what was exported.
void require_stopped(const std::vector<CheckedAnswer>& answers, const std::string& where);

}  // namespace tapir::student
