// The recipes of docs/placing.md are read, and fit on the machines that they are for.
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/file.h"
#include "pipeline/timeline.h"

namespace tapir::pipeline {
namespace {

std::vector<std::string> recipes_of(const std::string& page) {
  static const std::string begin = "```yaml\n";
  std::vector<std::string> recipes;
  for (std::size_t at = page.find(begin); at != std::string::npos; at = page.find(begin, at)) {
    at += begin.size();
    recipes.push_back(page.substr(at, page.find("```", at) - at));
  }
  return recipes;
}

TEST(PlacingPage, ItsRecipesFitOnTheirMachines) {
  const auto recipes =
      recipes_of(read_file(std::filesystem::path(TAPIR_SOURCE_DIR) / "docs" / "placing.md"));
  ASSERT_EQ(recipes.size(), 2U);
  for (std::size_t i = 0; i < recipes.size(); ++i) {
    const Recipe recipe = parse_recipe(recipes[i], "docs/placing.md", ".", {});
    Machine machine;
    machine.gpus.assign(i == 0 ? 1 : 8, 80'000'000'000);
    machine.training.device = "cuda:0";
    machine.training.weights = 6'000'000'000;
    machine.training.optimizer = 12'000'000'000;
    const auto stages = timeline(make_plan(recipe, {}), recipe, machine);
    EXPECT_NO_THROW(check_timeline(stages, recipe, machine)) << recipe.name;
  }
}

}  // namespace
}  // namespace tapir::pipeline
