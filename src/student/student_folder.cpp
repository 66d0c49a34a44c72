#include "student/student_folder.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

namespace tapir::student {
namespace {

// Of those files that are there, with their names.
std::string files_digest(const std::filesystem::path& folder,
                         const std::vector<std::string>& names) {
  std::string files;
  for (const std::string& name : names) {
    if (std::filesystem::exists(folder / name))
      files += hash_fields({name, sha256_file(folder / name)});
  }
  return sha256_hex(files);
}

// config.json and generation_config.json, and the weights in the order of their names.
std::vector<std::string> model_files(const std::filesystem::path& folder) {
  std::vector<std::string> names = {"config.json", "generation_config.json"};
  if (!std::filesystem::is_directory(folder))
    throw Error(ErrorKind::data, folder.string() + ": expected the folder of a student");
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("model") && (name.ends_with(".safetensors") || name.ends_with(".json")))
      names.push_back(name);
  }
  std::sort(names.begin() + 2, names.end());
  return names;
}

}  // namespace

bool holds_student(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "config.json") ||
         std::filesystem::exists(folder / kAdapterConfigFile);
}

void check_output_folder(const std::filesystem::path& folder) {
  const std::string wrong = "output: found " + folder.string() + ", ";
  const std::filesystem::path name = beside(folder, "").filename();
  if (name.empty() || name == "." || name == "..") {
    throw Error(ErrorKind::usage, wrong + "expected a folder with a name",
                "the folder is replaced whole: name one that the student has to itself");
  }
  if (!std::filesystem::exists(folder) || holds_student(folder)) return;
  if (!std::filesystem::is_directory(folder)) {
    throw Error(ErrorKind::usage, wrong + "which is a file, expected a folder");
  }
  if (std::filesystem::is_empty(folder)) return;
  throw Error(ErrorKind::usage,
              wrong + "which holds " +
                  std::filesystem::directory_iterator(folder)->path().filename().string() +
                  " and no student",
              "it would be replaced whole: name a folder that is not there yet");
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

std::string words_digest(const std::filesystem::path& folder) {
  return files_digest(folder,
                      {"tokenizer.json", "tokenizer.model", "tokenizer_config.json",
                       "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"});
}

std::string student_digest(const std::filesystem::path& folder) {
  const StudentFolder parts = find_student(folder);
  const std::string adapter =
      parts.is_adapter() ? files_digest(folder, {kAdapterConfigFile, "adapter_model.safetensors"})
                         : "";
  return hash_fields(
      {files_digest(parts.base, model_files(parts.base)), words_digest(parts.words), adapter});
}

}  // namespace tapir::student
