// Rows of a job as training will see them.
#pragma once

#include <cstddef>
#include <vector>

#include "student/student.h"

namespace tapir::student {

// As StudentEngine::preview().
std::vector<PreviewRow> preview_rows(const TrainJob& job, std::size_t rows);

}  // namespace tapir::student
