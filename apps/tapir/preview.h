// What a training would see, for the eye: rows token by token with the loss mask, and the table of
// the preflight.
#pragma once

#include <string>
#include <vector>

#include "student/student.h"

namespace tapir::cli {

// Whether standard output takes colours: a terminal, NO_COLOR not set.
bool colours_wanted();

// With colours: the row's text, learnt tokens green, the others grey, tokens told apart by shade.
// Without: a token a line, "* " before those that are learnt.
std::string preview_text(const std::vector<student::PreviewRow>& rows, bool colours);

std::string preflight_table(const student::Preflight& preflight);

}  // namespace tapir::cli
