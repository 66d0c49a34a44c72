#include "student/student_folder.h"

#include <string>

#include "base/error.h"
#include "base/json.h"

namespace tapir::student {

bool holds_student(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "config.json") ||
         std::filesystem::exists(folder / kAdapterConfigFile);
}

StudentFolder find_student(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / kAdapterConfigFile;
  if (!std::filesystem::exists(file)) return {folder, folder, {}};
  const auto name = json_get_or<std::string>(read_json_object(file), "base_model_name_or_path", "",
                                             file.string());
  const std::string where = file.string() + ": base_model_name_or_path \"" + name;
  for (const std::filesystem::path& base : {std::filesystem::path(name), folder / name}) {
    if (name.empty() || !std::filesystem::is_directory(base)) continue;
    if (std::filesystem::exists(base / kAdapterConfigFile)) {
      throw Error(ErrorKind::data, where + "\" is an adapter itself",
                  "merge that one first: tapir merge --model " + base.string() + " --output DIR");
    }
    const bool own_words = std::filesystem::exists(folder / "tokenizer.json") ||
                           std::filesystem::exists(folder / "tokenizer.model");
    return {base, own_words ? folder : base, folder};
  }
  throw Error(ErrorKind::data, where + "\" is not a folder here",
              "put the base there, or write its folder into adapter_config.json");
}

}  // namespace tapir::student
