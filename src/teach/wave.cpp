#include "teach/wave.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace tapir::teach {

SeedTurns::SeedTurns(std::string task, const std::vector<Instruction>& seeds, int round,
                     std::uint64_t seed)
    : task_(std::move(task)), round_(round), seed_(seed) {
  for (const Instruction& one : seeds) seeds_.push_back(&one);
  std::sort(seeds_.begin(), seeds_.end(),
            [](const Instruction* a, const Instruction* b) { return a->id < b->id; });
}

SeedTurns::Turn SeedTurns::next() {
  const std::uint64_t turn = taken_++;
  if (seeds_.empty()) return {nullptr, turn};
  const std::uint64_t pass = turn / seeds_.size();
  const std::uint64_t place = turn % seeds_.size();
  if (place == 0) {
    order_ = seeds_;
    RandomStream(seed_, "expand-seeds",
                 std::to_string(round_) + "/" + std::to_string(pass) + "/" + task_)
        .shuffle(order_);
  }
  return {order_[place], pass};
}

std::map<std::string, std::int64_t> wave_sizes(
    const std::map<std::string, std::int64_t>& missing,
    const std::map<std::string, std::int64_t>& attempts_left, std::int64_t wave_rows) {
  check(wave_rows > 0, "expand: wave_rows is positive");
  std::map<std::string, std::int64_t> wanted;
  for (const auto& [task, rows] : missing) {
    const auto left = attempts_left.find(task);
    const std::int64_t most = left == attempts_left.end() ? 0 : left->second;
    if (std::min(rows, most) > 0) wanted[task] = std::min(rows, most);
  }
  std::map<std::string, std::int64_t> sizes;
  while (wave_rows > 0 && !wanted.empty()) {
    for (auto task = wanted.begin(); task != wanted.end() && wave_rows > 0;) {
      ++sizes[task->first];
      --wave_rows;
      task = --task->second == 0 ? wanted.erase(task) : std::next(task);
    }
  }
  return sizes;
}

}  // namespace tapir::teach
