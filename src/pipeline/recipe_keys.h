// The table of recipe keys. Internal to the pipeline.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "pipeline/recipe.h"

namespace tapir::pipeline {

// A value that its key does not take.
struct Mismatch {
  std::string expected;
  bool hide = false;  // what was found may hold a key: it is not shown
};

template <typename Owner>
struct Key {
  KeyInfo info;
  // Reads the node into the owner; throws Mismatch when it cannot be.
  std::function<void(Owner&, const YAML::Node&)> set;
  std::function<std::string(const Owner&)> show;  // as YAML
};

const std::vector<Key<Recipe>>& recipe_key_table();
const std::vector<Key<Arm>>& arm_key_table();  // below arms.<name>

}  // namespace tapir::pipeline
