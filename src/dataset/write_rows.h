// Instruction rows out, in tapir's own form: what read_instructions() reads again as it was.
#pragma once

#include <span>

#include "base/json.h"
#include "dataset/read_instructions.h"

namespace tapir::dataset {

// What the question is called: "instruction" can hold one user message only.
enum class QuestionKey { instruction, messages };
// One form for all rows of a file, as readers want it: "instruction" where it can hold all of them.
QuestionKey question_key(std::span<const DataRow> rows);

// {"id", "instruction" or "messages", "response"?, "task"?, "parent_id"?, "round"?, "source"?}.
// More keys may be put behind.
OrderedJson row_json(const DataRow& row, QuestionKey key);

}  // namespace tapir::dataset
