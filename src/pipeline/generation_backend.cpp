#include "pipeline/generation_backend.h"

#include <algorithm>
#include <utility>

#include "backends/served_student.h"
#include "pipeline/timeline.h"
#include "student/gguf_export.h"

namespace tapir::pipeline {
namespace {

// "s0", "tapir-round-1": where it lies below the run folder.
std::string name_of(const std::filesystem::path& folder, const std::filesystem::path& run_dir) {
  std::string name = folder.lexically_relative(run_dir).generic_string();
  for (const char* place : {"students/", "arms/"}) {
    if (name.starts_with(place)) name.erase(0, std::string(place).size());
  }
  std::replace(name.begin(), name.end(), '/', '-');
  return name;
}

}  // namespace

std::shared_ptr<const student::StudentEngine> with_generation_backend(
    const Recipe& recipe, const std::filesystem::path& run_dir,
    std::shared_ptr<const student::StudentEngine> engine, ProgressSink& progress) {
  const auto& s = recipe.student;
  if (s.backend == "native") return engine;
  backends::ServedOptions options;
  options.servers.command = s.command;
  options.servers.model = s.served_model;
  options.servers.servers = static_cast<int>(s.servers);
  options.servers.start_timeout =
      std::chrono::milliseconds(static_cast<std::int64_t>(1000 * s.start_timeout));
  for (const std::int64_t gpu : gpus_or_all(recipe, recipe.resources.answers.gpus))
    options.servers.gpus.push_back({gpu});
  options.servers.logs = run_dir / "logs";
  options.servers.write_gguf = [outtype = s.gguf_outtype](const std::filesystem::path& folder,
                                                          const std::filesystem::path& file) {
    (void)student::export_gguf(folder, file, {.outtype = outtype, .name = ""});
  };
  options.name_student = [run_dir](const std::filesystem::path& folder) {
    return name_of(folder, run_dir);
  };
  options.max_concurrent_requests = static_cast<std::size_t>(s.max_concurrent_requests);
  return backends::serve_students(std::move(engine), std::move(options), progress);
}

}  // namespace tapir::pipeline
