#include "student/weight_files.h"

#include <set>

#include "base/error.h"
#include "base/json.h"

namespace tapir::student {

using Path = std::filesystem::path;

WeightFiles::WeightFiles(const Path& folder) {
  const Path index = folder / "model.safetensors.index.json";
  if (!std::filesystem::exists(index)) {
    add(folder / "model.safetensors");
    return;
  }
  const Json json = parse_json(read_file(index), index.string());
  const auto places =
      json_get<std::map<std::string, std::string>>(json, "weight_map", index.string());
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : places) shards.insert(shard);
  for (const std::string& shard : shards) add(folder / shard);
  for (const auto& [tensor, shard] : places) {
    if (tensors_.contains(tensor)) continue;
    throw Error(ErrorKind::data, index.string() + ": tensor \"" + tensor + "\" is not in " + shard,
                "copy or download the folder again");
  }
}

void WeightFiles::add(const Path& file) {
  files_.emplace_back(file);
  for (const auto& [name, view] : files_.back().tensors()) {
    if (!tensors_.emplace(name, view).second) {
      throw Error(ErrorKind::data,
                  file.string() + ": tensor \"" + name + "\" is in another shard too");
    }
  }
}

}  // namespace tapir::student
