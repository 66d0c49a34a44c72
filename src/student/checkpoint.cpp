#include "student/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "student/folder_files.h"

namespace tapir::student {
namespace {

using Path = std::filesystem::path;

constexpr const char* kStateFile = "trainer_state.json";
constexpr const char* kMomentsFile = "optimizer.safetensors";
constexpr std::string_view kPrefix = "checkpoint-";
constexpr int kFormat = 1;

OrderedJson to_json(const TrainerState& state) {
  const TrainResult& r = state.result;
  OrderedJson json;
  json["format"] = kFormat;
  json["job"] = state.job;
  json["version"] = state.version;
  json["finished"] = r.finished;
  json["global_step"] = state.global_step;
  json["optimizer_steps"] = state.optimizer_steps;
  json["cursor"] = {{"epoch", state.cursor.epoch},
                    {"position", state.cursor.position},
                    {"rows", state.cursor.rows},
                    {"tokens", state.cursor.tokens}};
  json["tokens"] = r.tokens;
  json["supervised_tokens"] = r.supervised_tokens;
  json["rows"] = r.rows;
  json["first_loss"] = r.first_loss;
  json["last_loss"] = r.last_loss;
  json["seconds"] = r.seconds;
  return json;
}

TrainerState from_json(const Json& json, const std::string& where) {
  const int format = json_get<int>(json, "format", where);
  if (format != kFormat) {
    throw Error(ErrorKind::data,
                where + ": format " + std::to_string(format) + ", this tapir reads " +
                    std::to_string(kFormat),
                "it was written by another version of tapir; train again");
  }
  TrainerState state;
  state.job = json_get<std::string>(json, "job", where);
  state.version = json_get<std::string>(json, "version", where);
  state.global_step = json_get<std::int64_t>(json, "global_step", where);
  state.optimizer_steps = json_get<std::int64_t>(json, "optimizer_steps", where);
  const Json cursor = json_get<Json>(json, "cursor", where);
  state.cursor = {json_get<std::int64_t>(cursor, "epoch", where),
                  json_get<std::int64_t>(cursor, "position", where),
                  json_get<std::int64_t>(cursor, "rows", where),
                  json_get<std::int64_t>(cursor, "tokens", where)};
  TrainResult& r = state.result;
  r.steps = state.global_step;
  r.finished = json_get<bool>(json, "finished", where);
  r.tokens = json_get<std::int64_t>(json, "tokens", where);
  r.supervised_tokens = json_get<std::int64_t>(json, "supervised_tokens", where);
  r.rows = json_get<std::int64_t>(json, "rows", where);
  r.first_loss = json_get<double>(json, "first_loss", where);
  r.last_loss = json_get<double>(json, "last_loss", where);
  r.seconds = json_get<double>(json, "seconds", where);
  return state;
}

// Into a folder that is flushed as a whole before it is put in place.
void write_aside(const Path& file, std::string_view bytes) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) {
    throw Error(ErrorKind::data, "cannot write " + file.string(),
                "check that the disk has room and the folder may be written to");
  }
}

// What a folder holds of an earlier training is not part of the student.
bool is_student_file(const Path& file) {
  static const std::set<std::string> kTraining = {
      kStateFile,     kMomentsFile,        "metrics.jsonl", "optimizer.pt",
      "scheduler.pt", "training_args.bin", "rng_state.pth", "model.safetensors"};
  const std::string name = file.filename().string();
  return !kTraining.contains(name) && file.extension() != ".bin" && file.extension() != ".pt";
}

void copy_student_files(const Path& from, const Path& to) {
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    if (entry.is_regular_file() && is_student_file(entry.path())) {
      write_aside(to / entry.path().filename(), read_file(entry.path()));
    }
  }
}

// Weights are saved as F32, whatever they were read from.
void name_data_type(const Path& folder) {
  const Path file = folder / "config.json";
  OrderedJson config = parse_ordered_json(read_file(file), file.string());
  bool changed = false;
  for (const char* key : {"torch_dtype", "dtype"}) {
    if (!config.contains(key) || config[key] == "float32") continue;
    config[key] = "float32";
    changed = true;
  }
  if (changed) write_aside(file, config.dump(2) + "\n");
}

std::optional<std::int64_t> step_of(const Path& folder) {
  const std::string name = folder.filename().string();
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stopped, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc() || stopped != end || step < 0) return std::nullopt;
  return step;
}

void read_moment(const SafetensorsFile& file, const std::string& prefix,
                 const ParameterLayout& layout, float* out) {
  for (const Parameter& parameter : layout.parameters) {
    const auto found = file.tensors().find(prefix + parameter.name);
    if (found == file.tensors().end() || found->second.shape != parameter.shape) {
      throw Error(ErrorKind::data,
                  file.path().string() + ": no moment of the right shape for " + parameter.name,
                  "optimizer_from must name a finished training of a student of the same shape");
    }
    to_floats(found->second, out + parameter.offset, file.path().string());
  }
}

}  // namespace

std::optional<TrainerState> read_trainer_state(const Path& folder) {
  const Path file = folder / kStateFile;
  if (!std::filesystem::exists(file)) return std::nullopt;
  return from_json(parse_json(read_file(file), file.string()), file.string());
}

void write_training_folder(const Path& folder, const Path& model_dir, const ParameterLayout& layout,
                           const TrainingState& arrays, const TrainerState& state) {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  copy_student_files(model_dir, folder);
  name_data_type(folder);
  complete_folder(folder);
  write_aside(
      folder / "model.safetensors",
      safetensors_bytes(named_tensors(layout, arrays.parameters.data(), ""), {{"format", "pt"}}));
  std::vector<NamedTensor> moments = named_tensors(layout, arrays.m.data(), "m.");
  for (NamedTensor& tensor : named_tensors(layout, arrays.v.data(), "v."))
    moments.push_back(std::move(tensor));
  write_aside(folder / kMomentsFile, safetensors_bytes(std::move(moments), {{"format", "pt"}}));
  write_aside(folder / kStateFile, to_json(state).dump(2) + "\n");
}

void read_moments(const Path& folder, const ParameterLayout& layout, TrainingState& arrays) {
  const Path path = folder / kMomentsFile;
  const std::optional<TrainerState> state = read_trainer_state(folder);
  if (!state || !std::filesystem::exists(path)) {
    throw Error(
        ErrorKind::data,
        folder.string() + ": no optimizer state: expected trainer_state.json and " + kMomentsFile,
        "optimizer_from must name the output folder of a finished training");
  }
  const SafetensorsFile file(path);
  arrays.m.resize(static_cast<std::size_t>(layout.size));
  arrays.v.resize(static_cast<std::size_t>(layout.size));
  read_moment(file, "m.", layout, arrays.m.data());
  read_moment(file, "v.", layout, arrays.v.data());
  arrays.optimizer_steps = state->optimizer_steps;
}

CheckpointFolder::CheckpointFolder(const Path& output_dir) : work_(output_dir) {
  if (!work_.has_filename()) work_ = work_.parent_path();  // a trailing slash
  work_ += ".work";
}

Path CheckpointFolder::place(std::int64_t step) const {
  return work_ / (std::string(kPrefix) + std::to_string(step));
}

std::vector<std::int64_t> CheckpointFolder::sweep() const {
  std::vector<std::int64_t> steps;
  if (!std::filesystem::exists(work_)) return steps;
  std::vector<Path> broken;
  for (const auto& entry : std::filesystem::directory_iterator(work_)) {
    if (!entry.is_directory()) continue;
    const std::optional<std::int64_t> step = step_of(entry.path());
    if (step) {
      steps.push_back(*step);
    } else {
      broken.push_back(entry.path());
    }
  }
  for (const Path& folder : broken) std::filesystem::remove_all(folder);
  std::sort(steps.begin(), steps.end());
  return steps;
}

void CheckpointFolder::save(const Path& model_dir, const ParameterLayout& layout,
                            const TrainingState& arrays, const TrainerState& state,
                            int limit) const {
  const Path aside = work_ / "writing";
  write_training_folder(aside, model_dir, layout, arrays, state);
  publish_folder(aside, place(state.global_step));
  std::vector<std::int64_t> steps = sweep();
  if (limit <= 0) return;
  while (steps.size() > static_cast<std::size_t>(limit)) {
    std::filesystem::remove_all(place(steps.front()));
    steps.erase(steps.begin());
  }
}

void CheckpointFolder::remove() const { std::filesystem::remove_all(work_); }

}  // namespace tapir::student
