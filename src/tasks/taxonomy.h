// The task types and their target shares Pr(task): data that a user edits.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tapir::tasks {

struct Task {
  std::string name;
  std::string description;
  double share = 0;   // of the final training set
  std::string style;  // name in Taxonomy::styles
  std::vector<std::string> examples;
};

struct Taxonomy {
  std::string name;
  std::vector<Task> tasks;
  std::map<std::string, std::string> styles;  // name -> guidance given to the teacher
  std::string fallback = "Others";            // where unreadable labels are counted
  std::string version;                        // digest of the file

  const Task* find(std::string_view task) const;  // exact name; nullptr when unknown
  std::map<std::string, double> shares() const;
  std::vector<std::string> names() const;
  std::vector<std::pair<std::string, std::string>> labelled()
      const;  // name and description, for the classify prompt
  // The style of a task, and its guidance.
  std::pair<std::string, std::string> style_of(std::string_view task) const;
};

// A built-in name ("tapir33", "gym") or a YAML file. Error{usage} with file:line: shares that do
// not sum to 1 (1e-6; the sum is said), two tasks of one name, a style that is not defined, the
// name of a built-in taxonomy over another content.
Taxonomy load_taxonomy(const std::string& name_or_path);

}  // namespace tapir::tasks
