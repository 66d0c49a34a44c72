// Values of a recipe that are more than a word or a number. Internal to the pipeline.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "pipeline/recipe.h"
#include "pipeline/recipe_keys.h"

namespace tapir::pipeline {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Of a number.
struct Range {
  double low = -kInfinity;
  double high = kInfinity;
  bool low_open = false;  // low itself is not allowed
};
// "a number from 0 to 1"; number: "a number", "a whole number".
std::string describe(const Range& range, const char* number);

// Text as a YAML scalar that reads back as the same text.
std::string quote(const std::string& text);

// [{base_url: ..., api_key_env: ...}, ...]. What is wrong is never repeated: it may hold a key.
// Mismatch, or Error{usage} naming `path`.
std::vector<EndpointPart> read_endpoints(const YAML::Node& node, const std::string& path);
std::string show_endpoints(const std::vector<EndpointPart>& endpoints);

// Fields of a request's body: a section, or a text that holds a JSON object. As JSON text; empty
// when there are none.
std::string read_extra_body(const YAML::Node& node, const std::string& path);

}  // namespace tapir::pipeline
