#include "tasks/taxonomy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include <yaml-cpp/yaml.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/strings.h"

namespace tapir::tasks {

// Generated from taxonomies/*.yaml by embed_texts.cmake.
std::string_view built_in_taxonomy(std::string_view name);

namespace {

constexpr std::array<std::string_view, 2> kBuiltIn = {"tapir33", "gym"};
constexpr double kShareTolerance = 1e-6;

// Reads one file; knows its name for errors.
class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  Taxonomy read(const std::string& text) const {
    YAML::Node root;
    try {
      root = YAML::Load(text);
    } catch (const YAML::Exception& e) {
      throw Error(ErrorKind::usage, at(e.mark) + "not readable as YAML: " + e.msg, "");
    }
    if (!root.IsMap()) fail(root, "expected the keys name, styles and tasks");
    check_keys(root, {"name", "fallback", "styles", "tasks"});
    Taxonomy taxonomy;
    taxonomy.name = text_of(root, "name");
    taxonomy.version = short_id({text});
    read_styles(root, taxonomy);
    read_tasks(root, taxonomy);
    read_fallback(root, taxonomy);
    check_sum(root, taxonomy);
    return taxonomy;
  }

 private:
  std::string at(const YAML::Mark& mark) const {
    return file_ + ":" + std::to_string(mark.is_null() ? 1 : mark.line + 1) + ": ";
  }
  [[noreturn]] void fail(const YAML::Node& node, const std::string& what,
                         const std::string& hint = {}) const {
    throw Error(ErrorKind::usage, at(node.Mark()) + what, hint);
  }

  void check_keys(const YAML::Node& map, const std::vector<std::string>& known) const {
    std::set<std::string> seen;
    for (const auto& entry : map) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        const auto near = nearest(key, known);
        fail(entry.first, "unknown key \"" + key + "\"",
             near ? "did you mean \"" + *near + "\"?" : "known keys: " + join(known, ", "));
      }
      if (!seen.insert(key).second) fail(entry.first, "key \"" + key + "\" a second time");
    }
  }

  std::string text_of(const YAML::Node& map, const std::string& key) const {
    const YAML::Node value = map[key];
    if (!value) fail(map, "key \"" + key + "\" is missing");
    if (!value.IsScalar() || trim(value.Scalar()).empty()) {
      fail(value, "key \"" + key + "\": expected a text");
    }
    return std::string(trim(value.Scalar()));
  }

  void read_styles(const YAML::Node& root, Taxonomy& taxonomy) const {
    const YAML::Node styles = root["styles"];
    if (!styles || !styles.IsMap()) {
      fail(styles ? styles : root, "key \"styles\": expected names with their guidance");
    }
    for (const auto& entry : styles) {
      if (!entry.first.IsScalar() || !entry.second.IsScalar()) {
        fail(entry.first, "a style: expected a name and its guidance");
      }
      const std::string name(trim(entry.first.Scalar()));
      if (!taxonomy.styles.emplace(name, trim(entry.second.Scalar())).second) {
        fail(entry.first, "style \"" + name + "\" a second time");
      }
    }
  }

  void read_tasks(const YAML::Node& root, Taxonomy& taxonomy) const {
    const YAML::Node tasks = root["tasks"];
    if (!tasks || !tasks.IsSequence() || tasks.size() == 0) {
      fail(tasks ? tasks : root, "key \"tasks\": expected a list of tasks");
    }
    for (const YAML::Node& node : tasks) {
      if (!node.IsMap()) fail(node, "a task: expected name, description, share, style, examples");
      check_keys(node, {"name", "description", "share", "style", "examples"});
      Task task;
      task.name = text_of(node, "name");
      if (taxonomy.find(task.name) != nullptr) {
        fail(node["name"], "task \"" + task.name + "\" a second time");
      }
      if (task.name.find('\n') != std::string::npos)
        fail(node["name"], "a task's name has one line");
      task.description = node["description"] ? text_of(node, "description") : "";
      task.share = share_of(node);
      task.style = style_named(node, taxonomy);
      read_examples(node["examples"], task);
      taxonomy.tasks.push_back(std::move(task));
    }
  }

  std::string style_named(const YAML::Node& node, const Taxonomy& taxonomy) const {
    std::string style = text_of(node, "style");
    if (taxonomy.styles.contains(style)) return style;
    std::vector<std::string> known;
    for (const auto& [name, guidance] : taxonomy.styles) known.push_back(name);
    const auto near = nearest(style, known);
    fail(node["style"], "style \"" + style + "\" is not defined",
         near ? "did you mean \"" + *near + "\"?" : "styles of this file: " + join(known, ", "));
  }

  void read_examples(const YAML::Node& examples, Task& task) const {
    if (!examples) return;
    if (!examples.IsSequence()) fail(examples, "key \"examples\": expected a list of texts");
    for (const YAML::Node& example : examples) {
      if (!example.IsScalar()) fail(example, "an example: expected a text");
      task.examples.push_back(example.Scalar());
    }
  }

  // "0.25", "1/6" or "0.5/29".
  double share_of(const YAML::Node& node) const {
    const std::string text = text_of(node, "share");
    const auto number = [&](std::string_view part) {
      part = trim(part);
      double value = 0;
      const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
      if (error != std::errc{} || end != part.data() + part.size() || !std::isfinite(value)) {
        fail(node["share"], "share \"" + text + "\": expected a number or a fraction such as 1/6");
      }
      return value;
    };
    const std::size_t slash = text.find('/');
    const double above = number(std::string_view(text).substr(0, slash));
    const double below =
        slash == std::string::npos ? 1.0 : number(std::string_view(text).substr(slash + 1));
    const double share = below == 0 ? -1 : above / below;
    if (share < 0 || share > 1) {
      fail(node["share"], "share \"" + text + "\": expected a value from 0 to 1");
    }
    return share;
  }

  void read_fallback(const YAML::Node& root, Taxonomy& taxonomy) const {
    const YAML::Node fallback = root["fallback"];
    if (fallback) taxonomy.fallback = text_of(root, "fallback");
    if (taxonomy.find(taxonomy.fallback) != nullptr) return;
    fail(fallback ? fallback : root["tasks"],
         "the fallback task \"" + taxonomy.fallback + "\" is not in the list",
         "set fallback: to the task under which unreadable labels are counted");
  }

  void check_sum(const YAML::Node& root, const Taxonomy& taxonomy) const {
    double sum = 0;
    for (const Task& task : taxonomy.tasks) sum += task.share;
    if (std::abs(sum - 1) <= kShareTolerance) return;
    std::array<char, 32> shown{};
    const auto [end, error] = std::to_chars(shown.data(), shown.data() + shown.size(), sum,
                                            std::chars_format::general, 8);
    fail(root["tasks"],
         "the shares of the " + std::to_string(taxonomy.tasks.size()) + " tasks sum to " +
             std::string(shown.data(), end) + ", expected 1",
         "scale them; fractions such as 1/6 are exact");
  }

  std::string file_;
};

}  // namespace

const Task* Taxonomy::find(std::string_view task) const {
  for (const Task& one : tasks) {
    if (one.name == task) return &one;
  }
  return nullptr;
}

std::map<std::string, double> Taxonomy::shares() const {
  std::map<std::string, double> shares;
  for (const Task& task : tasks) shares[task.name] = task.share;
  return shares;
}

std::vector<std::string> Taxonomy::names() const {
  std::vector<std::string> names;
  for (const Task& task : tasks) names.push_back(task.name);
  return names;
}

std::vector<std::pair<std::string, std::string>> Taxonomy::labelled() const {
  std::vector<std::pair<std::string, std::string>> labelled;
  for (const Task& task : tasks) labelled.emplace_back(task.name, task.description);
  return labelled;
}

std::pair<std::string, std::string> Taxonomy::style_of(std::string_view task) const {
  const Task* found = find(task);
  if (found == nullptr) {
    throw Error(ErrorKind::data,
                "task \"" + std::string(task) + "\" is not in the taxonomy \"" + name + "\"",
                "its tasks: " + join(names(), ", "));
  }
  return {found->style, styles.at(found->style)};
}

namespace {

// A name stands for one taxonomy: reports and data cards say no more than the name.
void refuse_built_in_name(const Taxonomy& taxonomy, const std::string& file) {
  const std::string_view built_in = built_in_taxonomy(taxonomy.name);
  if (built_in.empty() || taxonomy.version == short_id({built_in})) return;
  throw Error(
      ErrorKind::usage,
      file + ": name: \"" + taxonomy.name + "\" is the name of a built-in taxonomy that differs",
      "give this one a name of its own");
}

}  // namespace

Taxonomy load_taxonomy(const std::string& name_or_path) {
  const std::string_view built_in = built_in_taxonomy(name_or_path);
  if (!built_in.empty()) {
    return Reader("taxonomies/" + name_or_path + ".yaml").read(std::string(built_in));
  }
  if (!std::filesystem::is_regular_file(name_or_path)) {
    std::vector<std::string> known(kBuiltIn.begin(), kBuiltIn.end());
    throw Error(ErrorKind::usage, "taxonomy \"" + name_or_path + "\": no such file",
                "built in: " + join(known, ", ") + "; or name a YAML file");
  }
  Taxonomy taxonomy = Reader(name_or_path).read(read_file(name_or_path));
  refuse_built_in_name(taxonomy, name_or_path);
  return taxonomy;
}

}  // namespace tapir::tasks
