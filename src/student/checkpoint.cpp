#include "student/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "student/half.h"

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
  if (state.micro_batch_tokens > 0) json["micro_batch_tokens"] = state.micro_batch_tokens;
  json["tokens"] = r.tokens;
  json["supervised_tokens"] = r.supervised_tokens;
  json["rows"] = r.rows;
  json["first_loss"] = r.first_loss;
  json["last_loss"] = r.last_loss;
  json["seconds"] = r.seconds;
  if (r.eval_loss) json["eval_loss"] = *r.eval_loss;
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
  const Json& cursor = json_member(json, "cursor", where);
  state.cursor = {json_get<std::int64_t>(cursor, "epoch", where),
                  json_get<std::int64_t>(cursor, "position", where),
                  json_get<std::int64_t>(cursor, "rows", where),
                  json_get<std::int64_t>(cursor, "tokens", where)};
  state.micro_batch_tokens =
      json_get_or<std::int64_t>(json, "micro_batch_tokens", std::int64_t{0}, where);
  TrainResult& r = state.result;
  r.steps = state.global_step;
  r.finished = json_get<bool>(json, "finished", where);
  r.tokens = json_get<std::int64_t>(json, "tokens", where);
  r.supervised_tokens = json_get<std::int64_t>(json, "supervised_tokens", where);
  r.rows = json_get<std::int64_t>(json, "rows", where);
  r.first_loss = json_get<double>(json, "first_loss", where);
  r.last_loss = json_get<double>(json, "last_loss", where);
  r.seconds = json_get<double>(json, "seconds", where);
  if (json.contains("eval_loss")) r.eval_loss = json_get<double>(json, "eval_loss", where);
  return state;
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

const TensorView& moment(const SafetensorsFile& file, const std::string& prefix,
                         const Parameter& parameter) {
  const auto found = file.tensors().find(prefix + parameter.name);
  if (found == file.tensors().end() || found->second.shape != parameter.shape) {
    throw Error(ErrorKind::data,
                file.path().string() + ": no moment of the right shape for " + parameter.name,
                "optimizer_from must name a finished training of a student of the same shape");
  }
  return found->second;
}

void read_moment(const SafetensorsFile& file, const std::string& prefix,
                 const ParameterLayout& layout, std::vector<float>& out) {
  for (const Parameter& parameter : layout.parameters) {
    to_floats(moment(file, prefix, parameter), out.data() + parameter.offset, file.path().string());
  }
}

void read_moment(const SafetensorsFile& file, const std::string& prefix,
                 const ParameterLayout& layout, std::vector<std::uint16_t>& out) {
  std::vector<float> values;
  for (const Parameter& parameter : layout.parameters) {
    values.resize(static_cast<std::size_t>(parameter.size));
    to_floats(moment(file, prefix, parameter), values.data(), file.path().string());
    std::transform(values.begin(), values.end(), out.begin() + parameter.offset, float_to_bfloat);
  }
}

void add_moment(const ParameterLayout& layout, const std::vector<float>& values,
                std::string_view prefix, std::vector<NamedTensor>& tensors) {
  for (NamedTensor& tensor : named_tensors(layout, values.data(), prefix))
    tensors.push_back(std::move(tensor));
}

void add_moment(const ParameterLayout& layout, const std::vector<std::uint16_t>& values,
                std::string_view prefix, std::vector<NamedTensor>& tensors) {
  for (const Parameter& parameter : layout.parameters) {
    const char* bytes = reinterpret_cast<const char*>(values.data() + parameter.offset);
    tensors.push_back(
        {std::string(prefix) + parameter.name,
         {DataType::bf16, parameter.shape, {bytes, static_cast<std::size_t>(parameter.size) * 2}}});
  }
}

}  // namespace

std::optional<TrainerState> read_trainer_state(const Path& folder) {
  const Path file = folder / kStateFile;
  if (!std::filesystem::exists(file)) return std::nullopt;
  return from_json(parse_json(read_file(file), file.string()), file.string());
}

void write_training_folder(const Path& folder, const TrainedWeights& weights,
                           const TrainingState& arrays, const TrainerState& state,
                           StorageType type) {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  weights.write(folder, arrays.parameters, type);
  const Moments& moments = arrays.moments;
  if (!moments.empty()) {
    std::vector<NamedTensor> tensors;
    if (moments.is_bf16()) {
      add_moment(weights.layout(), moments.m_bf16, "m.", tensors);
      add_moment(weights.layout(), moments.v_bf16, "v.", tensors);
    } else {
      add_moment(weights.layout(), moments.m, "m.", tensors);
      add_moment(weights.layout(), moments.v, "v.", tensors);
    }
    write_safetensors(folder / kMomentsFile, std::move(tensors), {{"format", "pt"}});
  }
  write_aside(folder / kStateFile, to_json(state).dump(2) + "\n");
}

bool holds_moments(const Path& folder) { return std::filesystem::exists(folder / kMomentsFile); }

void read_moments(const Path& folder, const ParameterLayout& layout, std::string_view dtype,
                  Moments& moments) {
  const SafetensorsFile file(folder / kMomentsFile);
  moments.clear(layout.size, dtype);
  if (moments.is_bf16()) {
    read_moment(file, "m.", layout, moments.m_bf16);
    read_moment(file, "v.", layout, moments.v_bf16);
  } else {
    read_moment(file, "m.", layout, moments.m);
    read_moment(file, "v.", layout, moments.v);
  }
}

void read_moments(const Path& folder, const ParameterLayout& layout, std::string_view dtype,
                  TrainingState& arrays) {
  const std::optional<TrainerState> state = read_trainer_state(folder);
  if (!state || !holds_moments(folder)) {
    throw Error(
        ErrorKind::data,
        folder.string() + ": no optimizer state: expected trainer_state.json and " + kMomentsFile,
        "optimizer_from must name the output folder of a finished training");
  }
  read_moments(folder, layout, dtype, arrays.moments);
  arrays.optimizer_steps = state->optimizer_steps;
}

CheckpointFolder::CheckpointFolder(const Path& output_dir) : work_(beside(output_dir, ".work")) {}

Path CheckpointFolder::place(std::int64_t step) const {
  return work_ / (std::string(kPrefix) + std::to_string(step));
}

std::vector<std::int64_t> CheckpointFolder::sweep() const {
  std::vector<std::int64_t> steps;
  if (!std::filesystem::exists(work_)) return steps;
  std::vector<Path> broken;
  for (const auto& entry : std::filesystem::directory_iterator(work_)) {
    if (!entry.is_directory() || entry.path().filename() == kEventFolder) continue;
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

void CheckpointFolder::save(const TrainedWeights& weights, const TrainingState& arrays,
                            const TrainerState& state, int limit) const {
  const Path aside = work_ / "writing";
  write_training_folder(aside, weights, arrays, state, StorageType::float32);
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
