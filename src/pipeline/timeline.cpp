#include "pipeline/timeline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/gpus.h"
#include "base/strings.h"
#include "pipeline/estimate.h"
#include "pipeline/stage_needs.h"

namespace tapir::pipeline {
namespace {

// Jobs of train.backend that are started on this machine, and not for its CPU.
bool jobs_use_gpus(const Recipe& recipe) {
  const auto& t = recipe.train;
  return (t.backend == "trl" || t.backend == "llamafactory") && t.launch.empty() &&
         recipe.student.device != "cpu";
}

constexpr std::array kServed = {RoleName::teacher, RoleName::judge, RoleName::auditor};
constexpr double kGB = 1e9;

using Gpus = std::vector<std::int64_t>;

std::int64_t bytes_of(double gb) {
  return gb > 0 ? static_cast<std::int64_t>(std::llround(gb * kGB)) : kAllOfIt;
}

// Where the native engine computes; -1: on the CPU.
std::int64_t native_gpu(const Machine& machine) {
  const std::string& device = machine.training.device;
  if (!device.starts_with("cuda")) return -1;
  return device == "cuda" ? 0 : std::stoll(device.substr(std::string("cuda:").size()));
}

std::int64_t bytes_of_training(const student::MemoryPlan& plan) {
  return plan.total() - plan.process;
}

std::string server_name(RoleName role) { return std::string(to_string(role)) + "'s server"; }

std::string gb_text(std::int64_t bytes) {
  return bytes == kAllOfIt ? "all of it"
                           : fmt::format("{:.1f} GB", static_cast<double>(bytes) / kGB);
}

class Placer {
 public:
  Placer(const Recipe& recipe, const Machine& machine) : recipe_(recipe), machine_(machine) {}

  PlacedStage place(const PlannedStage& planned) {
    const StageNeeds needs = needs_of(recipe_, planned);
    PlacedStage placed{planned.name, {}, {}, {}};
    for (const RoleName role : kServed) {
      const ServerPart& server = server_of(recipe_, role);
      if (server.command.empty()) continue;
      const bool asked = needs.roles.contains(role);
      const bool stays = server.keep == "run" || !needs.any();
      if (!stays) up_.erase(role);
      if (asked) {
        up_.insert(role);
        placed.asks.insert(role);
      }
    }
    placed.up = up_;
    if (needs.trains) trains(placed);
    if (needs.answers) answers(placed);
    if (needs.losses) native("losses", machine_.training.weights, placed);
    for (const RoleName role : up_) servers(role, placed);
    return placed;
  }

 private:
  void native(const std::string& by, std::int64_t bytes, PlacedStage& placed) const {
    if (const std::int64_t gpu = native_gpu(machine_); gpu >= 0)
      placed.gpus.push_back({gpu, by, bytes});
  }

  // A job takes all of its GPUs; one that is started elsewhere has others.
  void trains(PlacedStage& placed) const {
    if (recipe_.train.backend == "native") {
      native("training", bytes_of_training(machine_.training), placed);
    } else if (jobs_use_gpus(recipe_)) {
      for (const std::int64_t gpu : gpus_of(recipe_.resources.train.gpus))
        placed.gpus.push_back({gpu, "training", kAllOfIt});
    }
  }

  void answers(PlacedStage& placed) const {
    const double declared = recipe_.resources.answers.memory_gb;
    if (recipe_.student.backend == "native") {
      native("answers", declared > 0 ? bytes_of(declared) : machine_.training.weights, placed);
      return;
    }
    const Gpus gpus = gpus_of(recipe_.resources.answers.gpus);
    for (std::size_t i = 0; i < static_cast<std::size_t>(recipe_.student.servers); ++i) {
      if (!gpus.empty())
        placed.gpus.push_back({gpus[i % gpus.size()], "answers", bytes_of(declared)});
    }
  }

  void servers(RoleName role, PlacedStage& placed) const {
    const ServerPart& server = server_of(recipe_, role);
    for (const std::int64_t gpu : gpus_of(server.gpus))
      placed.gpus.push_back({gpu, server_name(role), bytes_of(server.memory_gb)});
  }

  // A server that is not told sees all of the machine's.
  Gpus gpus_of(const Gpus& own) const {
    const Gpus& named = gpus_or_all(recipe_, own);
    if (!named.empty()) return named;
    Gpus all;
    for (std::size_t i = 0; i < machine_.gpus.size(); ++i)
      all.push_back(static_cast<std::int64_t>(i));
    return all;
  }

  const Recipe& recipe_;
  const Machine& machine_;
  std::set<RoleName> up_;
};

[[noreturn]] void refuse(const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::usage, what, hint);
}

void check_list(const std::string& key, const Gpus& gpus, const Recipe& recipe,
                const Machine& machine) {
  const Gpus& all = recipe.resources.gpus;
  std::set<std::int64_t> seen;
  for (const std::int64_t gpu : gpus) {
    if (!seen.insert(gpu).second)
      refuse(fmt::format("{} names GPU {} twice", key, gpu), "once is enough");
    if (gpu >= static_cast<std::int64_t>(machine.gpus.size())) {
      refuse(machine.gpus.empty()
                 ? fmt::format("{} names GPU {}, but this machine shows no GPU", key, gpu)
                 : fmt::format("{} names GPU {}, but this machine has {}, counted from 0", key, gpu,
                               machine.gpus.size()),
             "`tapir doctor` shows what can be used; CUDA_VISIBLE_DEVICES hides GPUs");
    }
    if (!all.empty() && std::find(all.begin(), all.end(), gpu) == all.end()) {
      refuse(fmt::format("{} names GPU {}, which is not among resources.gpus ({})", key, gpu,
                         fmt::join(all, ", ")),
             "name it there too, or leave resources.gpus out");
    }
  }
}

void check_lists(const Recipe& recipe, const Machine& machine) {
  const auto& r = recipe.resources;
  check_list("resources.gpus", r.gpus, recipe, machine);
  check_list("resources.train.gpus", r.train.gpus, recipe, machine);
  check_list("resources.answers.gpus", r.answers.gpus, recipe, machine);
  for (const RoleName role : kServed) {
    check_list(fmt::format("resources.{}.gpus", to_string(role)), server_of(recipe, role).gpus,
               recipe, machine);
  }
}

// A job's processes have a GPU each.
void check_jobs(const Recipe& recipe) {
  const Gpus& gpus = gpus_or_all(recipe, recipe.resources.train.gpus);
  const auto processes = static_cast<std::size_t>(recipe.train.processes);
  if (!jobs_use_gpus(recipe) || gpus.empty() || processes == gpus.size()) return;
  refuse(fmt::format("train.processes is {}, but training may use {} GPUs ({})", processes,
                     gpus.size(), fmt::join(gpus, ", ")),
         "a process computes on one GPU: set train.processes or resources.train.gpus");
}

// The native engine trains and answers on one device.
void check_native(const Recipe& recipe, const Machine& machine) {
  const auto& r = recipe.resources;
  const std::int64_t gpu = native_gpu(machine);
  const std::string where = "the engine computes on " + machine.training.device;
  const bool trains = recipe.train.backend == "native";
  if (trains && !r.train.gpus.empty() && r.train.gpus != Gpus{gpu}) {
    refuse(
        fmt::format("resources.train.gpus is [{}], but {}", fmt::join(r.train.gpus, ", "), where),
        gpu < 0 ? "leave it out, or set student.device: auto and look at `tapir doctor`"
                : "training computes on one GPU: name that one, or leave student.device: auto");
  }
  if (gpu >= 0 && !r.gpus.empty() && std::find(r.gpus.begin(), r.gpus.end(), gpu) == r.gpus.end()) {
    refuse(fmt::format("student.device: {}, but {}, which is not among resources.gpus ({})",
                       recipe.student.device, where, fmt::join(r.gpus, ", ")),
           "leave student.device: auto");
  }
  if (recipe.student.backend == "native" && !r.answers.gpus.empty() &&
      r.answers.gpus != Gpus{gpu}) {
    refuse(fmt::format("resources.answers.gpus is [{}], but {}, which answers too "
                       "(student.generation.backend: native)",
                       fmt::join(r.answers.gpus, ", "), where),
           "leave it out, or set student.generation.backend: command");
  }
}

// What to change when a stage's parts do not fit into a GPU.
std::string hint_for(const PlacedStage& stage, const std::vector<GpuUse>& together,
                     const Recipe& recipe) {
  for (const RoleName role : stage.up) {
    const bool here = std::any_of(together.begin(), together.end(),
                                  [&](const GpuUse& use) { return use.by == server_name(role); });
    if (!here) continue;
    const std::string key = fmt::format("resources.{}.", to_string(role));
    if (!stage.asks.contains(role))
      return fmt::format("{}keep: stage stops the server before this stage; or other {}gpus", key,
                         key);
    if (server_of(recipe, role).memory_gb == 0 && together.size() > 1)
      return fmt::format(
          "say in {}memory_gb how much of the GPU the server takes, or give it "
          "other {}gpus",
          key, key);
  }
  return "give them other GPUs, or less memory: shorter train.cutoff_len, LoRA, smaller servers";
}

void check_gpu(const PlacedStage& stage, std::int64_t gpu, const Recipe& recipe,
               const Machine& machine) {
  std::vector<GpuUse> together;
  std::int64_t bytes = 0;
  bool takes_all = false;
  std::vector<std::string> parts;
  for (const GpuUse& use : stage.gpus) {
    if (use.gpu != gpu) continue;
    together.push_back(use);
    takes_all = takes_all || use.bytes == kAllOfIt;
    bytes += std::max<std::int64_t>(0, use.bytes);
    parts.push_back(use.by + " " + gb_text(use.bytes));
  }
  const std::int64_t room = machine.gpus[static_cast<std::size_t>(gpu)];
  const bool fits = takes_all ? together.size() == 1 : bytes <= room;
  if (fits) return;
  refuse(fmt::format("resources: {} does not fit on GPU {}: {}; it has {}", stage.stage, gpu,
                     join(parts, ", "), gb_text(room)),
         hint_for(stage, together, recipe));
}

std::string gpus_text(const PlacedStage& stage) {
  std::map<std::int64_t, std::vector<std::string>> by_gpu;
  for (const GpuUse& use : stage.gpus) by_gpu[use.gpu].push_back(use.by + " " + gb_text(use.bytes));
  std::vector<std::string> texts;
  for (const auto& [gpu, parts] : by_gpu)
    texts.push_back(fmt::format("{}: {}", gpu, join(parts, " + ")));
  return texts.empty() ? "-" : join(texts, "; ");
}

std::string roles_text(const std::set<RoleName>& roles) {
  std::vector<std::string> names;
  for (const RoleName role : roles) names.emplace_back(to_string(role));
  return names.empty() ? "-" : join(names, ", ");
}

}  // namespace

const ServerPart& server_of(const Recipe& recipe, RoleName role) {
  static const ServerPart none;
  if (role == RoleName::teacher) return recipe.resources.teacher;
  if (role == RoleName::judge) return recipe.resources.judge;
  return role == RoleName::auditor ? recipe.resources.auditor : none;
}

bool says_resources(const Recipe& recipe) {
  const auto& r = recipe.resources;
  if (!r.gpus.empty() || !r.train.gpus.empty() || !r.answers.gpus.empty()) return true;
  return std::any_of(kServed.begin(), kServed.end(), [&](RoleName role) {
    return !server_of(recipe, role).command.empty() || !server_of(recipe, role).gpus.empty();
  });
}

const Gpus& gpus_or_all(const Recipe& recipe, const Gpus& own) {
  return own.empty() ? recipe.resources.gpus : own;
}

std::string student_device(const Recipe& recipe) {
  const std::string& device = recipe.student.device;
  const Gpus& gpus = gpus_or_all(recipe, recipe.resources.train.gpus);
  if (gpus.empty() || (device != "auto" && device != "cuda")) return device;
  // What is not there is refused with its key, by check_timeline().
  const auto there = static_cast<std::int64_t>(gpu_memories().size());
  return gpus.front() < there ? fmt::format("cuda:{}", gpus.front()) : device;
}

std::vector<PlacedStage> timeline(const std::vector<PlannedStage>& plan, const Recipe& recipe,
                                  const Machine& machine) {
  Placer placer(recipe, machine);
  std::vector<PlacedStage> stages;
  for (const PlannedStage& planned : plan) stages.push_back(placer.place(planned));
  return stages;
}

void check_timeline(const std::vector<PlacedStage>& stages, const Recipe& recipe,
                    const Machine& machine) {
  check_lists(recipe, machine);
  check_native(recipe, machine);
  check_jobs(recipe);
  for (const PlacedStage& stage : stages) {
    for (std::size_t gpu = 0; gpu < machine.gpus.size(); ++gpu)
      check_gpu(stage, static_cast<std::int64_t>(gpu), recipe, machine);
  }
}

std::vector<PlacedStage> placing_of(const Recipe& recipe, const student::StudentEngine& engine,
                                    const std::vector<PlannedStage>& plan) {
  if (!says_resources(recipe)) return {};
  Machine machine{gpu_memories(), {}};
  check_lists(recipe, machine);  // before anything else is looked at
  machine.training = estimate(recipe, engine).memory;
  std::vector<PlacedStage> stages = timeline(plan, recipe, machine);
  check_timeline(stages, recipe, machine);
  return stages;
}

std::string timeline_text(const std::vector<PlacedStage>& stages) {
  std::string out = fmt::format("{:<28} {:<16} {}\n", "stage", "servers up", "GPUs");
  for (const PlacedStage& stage : stages) {
    out += fmt::format("{:<28} {:<16} {}\n", stage.stage, roles_text(stage.up), gpus_text(stage));
  }
  return out;
}

Json timeline_json(const std::vector<PlacedStage>& stages) {
  Json out = Json::array();
  for (const PlacedStage& stage : stages) {
    Json one = {{"stage", stage.stage}, {"servers", Json::array()}, {"gpus", Json::array()}};
    for (const RoleName role : stage.up) one["servers"].push_back(to_string(role));
    for (const GpuUse& use : stage.gpus) {
      Json bytes = use.bytes;
      if (use.bytes == kAllOfIt) bytes = "all";
      one["gpus"].push_back({{"gpu", use.gpu}, {"by", use.by}, {"bytes", bytes}});
    }
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace tapir::pipeline
