#include "dataset/duplicates.h"

#include <string>
#include <unordered_map>

namespace tapir::dataset {

std::vector<std::vector<std::size_t>> exact_duplicates(std::span<const Instruction> instructions) {
  std::vector<std::vector<std::size_t>> groups;
  std::unordered_map<std::string, std::size_t> group_of;
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    const auto [place, is_new] =
        group_of.emplace(text_hash(instructions[i].messages), groups.size());
    if (is_new) groups.emplace_back();
    groups[place->second].push_back(i);
  }
  std::erase_if(groups, [](const std::vector<std::size_t>& group) { return group.size() < 2; });
  return groups;
}

}  // namespace tapir::dataset
