#include "student/rank_launch.h"

#include <chrono>
#include <cstddef>
#include <cstdlib>

#include <fmt/format.h>

#include "base/command_template.h"
#include "base/error.h"
#include "student/rendezvous.h"

namespace tapir::student {
namespace {

constexpr std::chrono::milliseconds kGrace{3'000};
constexpr std::size_t kLinesShown = 5;

std::filesystem::path log_of(const RankLaunch& launch, int rank) {
  return launch.logs / fmt::format("rank-{}.log", rank);
}

std::string command_line(const RankLaunch& launch) {
  std::string line =
      "exec " + shell_quoted(std::filesystem::read_symlink("/proc/self/exe").string());
  for (const std::string& argument : launch.arguments) line += " " + shell_quoted(argument);
  return line;
}

std::unique_ptr<ChildProcess> start(const RankLaunch& launch, int rank, int port) {
  ChildOptions options;
  options.command = command_line(launch);
  options.log = log_of(launch, rank);
  options.grace = kGrace;
  const std::string ranks = std::to_string(launch.ranks);
  options.environment = {{"RANK", std::to_string(rank)},
                         {"LOCAL_RANK", std::to_string(rank)},
                         {"WORLD_SIZE", ranks},
                         {"LOCAL_WORLD_SIZE", ranks},
                         {"MASTER_ADDR", "127.0.0.1"},
                         {"MASTER_PORT", std::to_string(port)},
                         {"TORCHELASTIC_USE_AGENT_STORE", ""},
                         {"TORCHELASTIC_RUN_ID", ""},
                         {"TORCHELASTIC_RESTART_COUNT", ""}};
  std::filesystem::remove(options.log);  // of an earlier start
  return std::make_unique<ChildProcess>(std::move(options));
}

void expect_running(const RankLaunch& launch, const StartedRanks& started) {
  for (std::size_t i = 0; i < started.children.size(); ++i) {
    const auto status = started.children[i]->poll();
    if (!status) continue;
    const std::filesystem::path log = log_of(launch, static_cast<int>(i) + 1);
    throw Error(ErrorKind::data,
                fmt::format("rank {} did not start: {}\n{}", i + 1, status->words(),
                            last_lines(log, kLinesShown)),
                "its log is " + log.string());
  }
}

}  // namespace

std::shared_ptr<Collective> ranks_of_environment(int ranks) {
  const auto place = place_of_environment([](const char* name) { return std::getenv(name); });
  if (!place) return nullptr;
  if (ranks > 0 && ranks != place->size) {
    throw Error(ErrorKind::usage,
                fmt::format("--ranks: found {}, but this process was started as one of {} "
                            "(WORLD_SIZE)",
                            ranks, place->size),
                "leave --ranks out under torchrun");
  }
  return join_ranks(*place);
}

StartedRanks start_ranks(const RankLaunch& launch) {
  RankPlace place;
  place.size = launch.ranks;
  place.master_port = free_loopback_port();
  place.group = "/";  // as place_of_environment() makes of what is not set
  StartedRanks started;
  for (int rank = 1; rank < launch.ranks; ++rank)
    started.children.push_back(start(launch, rank, place.master_port));
  started.ranks = join_ranks(place, [&] { expect_running(launch, started); });
  return started;
}

}  // namespace tapir::student
