// An adapter into its base. No torch here.
#pragma once

#include <filesystem>
#include <string>

namespace tapir::student {

// save_dtype: as TrainOptions::save_dtype. Writes the whole student that the adapter in `folder`
// and its base make, with the adapter's own tokenizer files where it has them. `output` is
// published whole, and replaces an older one. Error{usage} when `folder` is no adapter, or by
// check_output_folder(); Error{data} when it does not fit its base.
void merge_student(const std::filesystem::path& folder, const std::filesystem::path& output,
                   const std::string& save_dtype = "auto");

}  // namespace tapir::student
