// An adapter into its base. No torch here.
#pragma once

#include <filesystem>

namespace tapir::student {

// Writes the whole student that the adapter in `folder` and its base make, with the adapter's own
// tokenizer files where it has them. `output` is published whole, and replaces an older one.
// Error{usage} when `folder` is no adapter; Error{data} when it does not fit its base.
void merge_student(const std::filesystem::path& folder, const std::filesystem::path& output);

}  // namespace tapir::student
