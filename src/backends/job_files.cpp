#include "backends/job_files.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"

namespace tapir::backends {
namespace {

using Path = std::filesystem::path;
using student::TrainRow;

constexpr const char* kJobFile = "job.json";
constexpr std::int64_t kPassTokens = 8192;

OrderedJson messages_of(const TrainRow& row) {
  OrderedJson messages = OrderedJson::array();
  for (const Message& message : row.messages) {
    messages.push_back({{"role", to_string(message.role)}, {"content", message.content}});
  }
  return messages;
}

std::string data_lines(const student::TrainSteps& steps) {
  std::string lines;
  for (const TrainRow& row : steps.rows) {
    OrderedJson line;
    line["id"] = row.id;
    line["messages"] = messages_of(row);
    line["input_ids"] = row.tokens;
    line["completion_mask"] = row.loss;
    lines += line.dump() + "\n";
  }
  return lines;
}

OrderedJson steps_json(const student::TrainSteps& steps) {
  OrderedJson json;
  json["learning_rate"] = OrderedJson::array();
  json["rows"] = OrderedJson::array();
  for (const student::TrainStep& step : steps.steps) {
    json["learning_rate"].push_back(step.learning_rate);
    json["rows"].push_back(step.rows);
  }
  return json;
}

std::string whole_path(const Path& path) {
  return path.empty() ? "" : std::filesystem::absolute(path).lexically_normal().string();
}

OrderedJson job_json(const JobFolder& folder) {
  const student::TrainJob& job = folder.job;
  const student::TrainOptions& o = job.options;
  std::size_t most = 0;
  for (const student::TrainStep& step : folder.steps.steps) most = std::max(most, step.rows.size());
  const auto processes = static_cast<std::size_t>(folder.options.processes);
  const Path& words = folder.steps.is_adapter ? folder.steps.start : folder.steps.base;
  return {{"format", 1},
          {"digest", folder.steps.digest},
          {"stage", job.io.stage},
          {"base", whole_path(folder.steps.base)},
          {"start", whole_path(folder.steps.start)},
          {"words", whole_path(words)},
          {"is_adapter", folder.steps.is_adapter},
          {"steps", folder.steps.steps.size()},
          {"tokens", folder.steps.tokens},
          {"supervised_tokens", folder.steps.supervised_tokens},
          {"processes", processes},
          {"use_cpu", folder.options.use_cpu},
          {"micro_batch_tokens", pass_tokens(job)},
          {"gradient_accumulation_steps", (most + processes - 1) / processes},
          {"learning_rate", o.learning_rate},
          {"weight_decay", o.weight_decay},
          {"adam_beta1", o.adam_beta1},
          {"adam_beta2", o.adam_beta2},
          {"adam_epsilon", o.adam_epsilon},
          {"max_grad_norm", o.max_grad_norm},
          {"bf16", o.bf16},
          {"gradient_checkpointing", job.io.gradient_checkpointing},
          {"save_steps", job.io.save_steps},
          {"save_total_limit", job.io.save_total_limit},
          {"seed", o.seed % std::numeric_limits<std::uint32_t>::max()},
          {"optimizer_from", whole_path(job.optimizer_from)},
          {"carry_optimizer", o.schedule_total_steps > 0}};
}

student::StepTaken step_of(const Json& line, const std::string& where) {
  student::StepTaken taken;
  const bool theirs = line.contains("current_steps");
  if (!line.contains("loss") || !(theirs || line.contains("step"))) return taken;
  taken.step = json_get<std::int64_t>(line, theirs ? "current_steps" : "step", where);
  taken.loss = json_get<double>(line, "loss", where);
  taken.learning_rate = json_get_or<double>(line, theirs ? "lr" : "learning_rate", 0.0, where);
  taken.grad_norm = json_get_or<double>(line, "grad_norm", 0.0, where);
  taken.tokens = json_get_or<std::int64_t>(line, "tokens", std::int64_t{0}, where);
  taken.supervised_tokens =
      json_get_or<std::int64_t>(line, "supervised_tokens", std::int64_t{0}, where);
  taken.rows = json_get_or<std::int64_t>(line, "rows", std::int64_t{0}, where);
  return taken;
}

}  // namespace

std::int64_t pass_tokens(const student::TrainJob& job) {
  return job.io.micro_batch_tokens > 0 ? job.io.micro_batch_tokens : kPassTokens;
}

void write_job_files(const JobFolder& job) {
  write_aside(job.folder / "data.jsonl", data_lines(job.steps));
  write_aside(job.folder / "steps.json", steps_json(job.steps).dump() + "\n");
  write_aside(job.folder / kJobFile, job_json(job).dump(2) + "\n");
}

std::optional<std::string> job_digest_of(const Path& folder) {
  const Path file = folder / kJobFile;
  if (!std::filesystem::exists(file)) return std::nullopt;
  return json_get<std::string>(read_json_object(file), "digest", file.string());
}

void write_requirements(const Path& folder, const std::vector<Requirement>& requirements) {
  std::string text;
  for (const Requirement& r : requirements) text += r.package + "==" + r.version + "\n";
  write_aside(folder / "requirements.txt", text);
}

void write_script(const Path& file, const std::string& text) {
  write_aside(file, text);
  std::filesystem::permissions(file, std::filesystem::perms(0755));
}

std::string launch_header(const TrainingOptions& options) {
  // Processes on the CPU write checkpoints for "cpu:0", which torch.load() then does not know.
  const char* device = options.use_cpu ? "export ACCELERATE_TORCH_DEVICE=cpu\n" : "";
  return fmt::format(
      "#!/bin/sh\n# Trains this job with the packages of requirements.txt, or goes on from its "
      "newest checkpoint.\nset -e\ncd \"$(dirname \"$0\")\"\n: \"${{PYTHON:={}}}\"\n"
      "export TOKENIZERS_PARALLELISM=false\n{}",
      options.python, device);
}

std::vector<student::StepTaken> read_progress(const Path& file) {
  std::vector<student::StepTaken> steps;
  if (!std::filesystem::exists(file)) return steps;
  const std::string text = read_file(file);
  std::map<std::int64_t, student::StepTaken> by_step;
  std::size_t number = 0;
  for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos;
       at = end + 1) {
    const std::string where = file.string() + ":" + std::to_string(++number);
    const std::string_view line = std::string_view(text).substr(at, end - at);
    if (trim(line).empty()) continue;
    const Json json = parse_json(line, where);
    if (!json.is_object()) {
      throw Error(ErrorKind::data, where + ": expected an object, found " + json.type_name());
    }
    const student::StepTaken taken = step_of(json, where);
    if (taken.step > 0) by_step[taken.step] = taken;
  }
  for (const auto& [step, taken] : by_step) steps.push_back(taken);
  return steps;
}

std::optional<JobResult> read_job_result(const Path& folder) {
  const Path file = folder / "result.json";
  if (!std::filesystem::exists(file)) return std::nullopt;
  const std::string where = file.string();
  const Json json = read_json_object(file);
  JobResult result;
  result.digest = json_get<std::string>(json, "digest", where);
  result.steps = json_get<std::int64_t>(json, "steps", where);
  result.tokens = json_get<std::int64_t>(json, "tokens", where);
  result.supervised_tokens = json_get<std::int64_t>(json, "supervised_tokens", where);
  result.rows = json_get<std::int64_t>(json, "rows", where);
  std::vector<std::string> versions;
  for (const auto& [name, version] :
       json_get<std::map<std::string, std::string>>(json, "versions", where)) {
    versions.push_back(name + " " + version);
  }
  result.versions = join(versions, ", ");
  return result;
}

}  // namespace tapir::backends
