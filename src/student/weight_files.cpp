#include "student/weight_files.h"

#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/json.h"

namespace tapir::student {
namespace {

using Path = std::filesystem::path;

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

[[noreturn]] void bad_index(const Path& index, const std::string& what) {
  throw Error(ErrorKind::data, index.string() + ": " + what, "copy or download the folder again");
}

// Indices of tensors, shard by shard.
std::vector<std::vector<std::size_t>> cut_into_shards(const std::vector<NamedTensor>& tensors,
                                                      const WeightFileOptions& options) {
  std::vector<std::vector<std::size_t>> shards(1);
  std::uint64_t size = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::uint64_t bytes =
        static_cast<std::uint64_t>(tensors[i].view.elements()) * size_of(data_type(options.type));
    const bool full = options.max_shard_size > 0 && size + bytes > options.max_shard_size;
    if (full && !shards.back().empty()) {
      shards.emplace_back();
      size = 0;
    }
    shards.back().push_back(i);
    size += bytes;
  }
  return shards;
}

}  // namespace

DataType data_type(StorageType type) {
  switch (type) {
    case StorageType::bfloat16:
      return DataType::bf16;
    case StorageType::float16:
      return DataType::f16;
    case StorageType::float32:
      break;
  }
  return DataType::f32;
}

WeightFiles::WeightFiles(const Path& folder) : main_file_(folder / kSingleFile) {
  // As transformers: one file goes before an index.
  if (std::filesystem::exists(main_file_)) {
    add(main_file_);
    return;
  }
  main_file_ = folder / kIndexFile;
  if (!std::filesystem::exists(main_file_)) {
    throw Error(ErrorKind::data,
                folder.string() + ": not a student folder: neither " + kSingleFile + " nor " +
                    kIndexFile + " is there",
                "save the model as safetensors");
  }
  add_shards(folder);
}

void WeightFiles::add_shards(const Path& folder) {
  const Json json = parse_json(read_file(main_file_), main_file_.string());
  const auto places =
      json_get<std::map<std::string, std::string>>(json, "weight_map", main_file_.string());
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : places) shards.insert(shard);
  for (const std::string& shard : shards) {
    if (shard.empty() || Path(shard).filename() != shard)
      bad_index(main_file_, "\"" + shard + "\" is not the name of a file beside it");
    if (!std::filesystem::exists(folder / shard))
      bad_index(main_file_, "the shard " + shard + " is missing");
    add(folder / shard);
  }
  for (const auto& [tensor, shard] : places) {
    if (!tensors_.contains(tensor) || file_of(tensor).filename() != shard)
      bad_index(main_file_, "tensor \"" + tensor + "\" is not in " + shard);
  }
  for (const auto& [tensor, view] : tensors_) {
    if (!places.contains(tensor))
      bad_index(file_of(tensor), "tensor \"" + tensor + "\" is not in the index");
  }
}

void WeightFiles::add(const Path& file) {
  files_.emplace_back(file);
  for (const auto& [name, view] : files_.back().tensors()) {
    if (!tensors_.emplace(name, view).second)
      bad_index(file,
                "tensor \"" + name + "\" is in " + file_of(name).filename().string() + " too");
    place_of_[name] = files_.size() - 1;
  }
}

void write_weight_files(const Path& folder, const std::vector<NamedTensor>& tensors,
                        const WeightFileOptions& options) {
  const auto shards = cut_into_shards(tensors, options);
  OrderedJson index;
  std::uint64_t total = 0;
  for (std::size_t shard = 0; shard < shards.size(); ++shard) {
    const std::string name = shards.size() == 1 ? kSingleFile
                                                : fmt::format("model-{:05}-of-{:05}.safetensors",
                                                              shard + 1, shards.size());
    std::vector<NamedTensor> held;
    for (const std::size_t i : shards[shard]) {
      held.push_back(tensors[i]);
      held.back().stored_as = data_type(options.type);
      total += static_cast<std::uint64_t>(held.back().view.elements()) *
               size_of(data_type(options.type));
      index["weight_map"][tensors[i].name] = name;
    }
    write_safetensors(folder / name, std::move(held), {{"format", "pt"}});
  }
  if (shards.size() == 1) return;
  index["metadata"] = {{"total_size", total}};
  write_aside(folder / kIndexFile, index.dump(2) + "\n");
}

}  // namespace tapir::student
