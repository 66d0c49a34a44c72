#include "pipeline/recipe.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/strings.h"
#include "pipeline/recipe_checks.h"
#include "pipeline/recipe_keys.h"

namespace tapir::pipeline {
namespace {

class Parser {
 public:
  // overrides: "key=value" texts that were set over the file's own.
  Parser(std::string where, Recipe& recipe, const std::vector<std::string>& overrides)
      : where_(std::move(where)), recipe_(recipe) {
    for (const std::string& text : overrides) overridden_.insert(text.substr(0, text.find('=')));
    for (const auto& key : recipe_key_table()) known_.push_back(key.info.path);
  }

  void read(const YAML::Node& node, const std::string& prefix) {
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) fail(entry.first, prefix, "a key must be plain text");
      const std::string path =
          prefix.empty() ? entry.first.Scalar() : prefix + "." + entry.first.Scalar();
      if (!seen.insert(path).second) fail(entry.first, path, "the key stands there twice");
      read_value(entry.first, entry.second, path);
    }
  }

 private:
  void read_value(const YAML::Node& key_node, const YAML::Node& value, const std::string& path) {
    if (path == "arms") return read_arms(value);
    for (const auto& key : recipe_key_table()) {
      if (key.info.path == path) return set(key, recipe_, value, path);
    }
    const bool is_section = std::any_of(known_.begin(), known_.end(), [&](const std::string& k) {
      return k.starts_with(path + ".");
    });
    if (!is_section) unknown(key_node, path, known_);
    if (value.IsNull()) return;
    if (!value.IsMap()) fail(value, path, "expected a section of keys, found " + shown(value));
    const bool of_benchmark =
        std::find(known_.begin(), known_.end(), path + ".data_dir") != known_.end();
    if (of_benchmark && !value["data_dir"])
      fail(value, path, "expected data_dir among its keys: the folder of the benchmark's files");
    read(value, path);
  }

  void read_arms(const YAML::Node& arms) {
    if (arms.IsNull()) return;
    if (!arms.IsMap()) fail(arms, "arms", "expected arms by name, found " + shown(arms));
    std::vector<std::string> known;
    for (const auto& key : arm_key_table()) known.push_back(key.info.path);
    for (const auto& entry : arms) {
      const std::string name = entry.first.Scalar();
      check_name(entry.first, name);
      Arm& arm = recipe_.arms[name];
      if (entry.second.IsNull()) continue;
      if (!entry.second.IsMap()) fail(entry.second, "arms." + name, "expected keys of an arm");
      for (const auto& field : entry.second) {
        const std::string path = "arms." + name + "." + field.first.Scalar();
        const auto key =
            std::find_if(arm_key_table().begin(), arm_key_table().end(),
                         [&](const auto& k) { return k.info.path == field.first.Scalar(); });
        if (key == arm_key_table().end()) unknown(field.first, field.first.Scalar(), known);
        set(*key, arm, field.second, path);
      }
    }
  }

  void check_name(const YAML::Node& node, const std::string& name) {
    const bool plain =
        !name.empty() &&
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos;
    if (!plain || name == "tapir" || name == "s0") {
      fail(node, "arms." + name,
           "an arm's name is of a-z, 0-9, _ and -, and neither tapir (the main arm) nor s0");
    }
  }

  template <typename Owner>
  void set(const Key<Owner>& key, Owner& owner, const YAML::Node& value, const std::string& path) {
    try {
      key.set(owner, expand(value));
    } catch (const Mismatch& mismatch) {
      const std::string found = mismatch.hide ? std::string() : ", found " + shown(value);
      fail(value, path, "expected " + mismatch.expected + found);
    } catch (const Error& e) {  // of a value that has parts
      throw Error(e.kind(), place(value, path) + ": " + e.what(), e.hint());
    }
  }

  // ${NAME} in scalars, also those inside lists and sections, from the environment.
  YAML::Node expand(const YAML::Node& value) {
    if (value.IsScalar()) {
      if (value.Scalar().find("${") == std::string::npos) return value;
      return YAML::Node(expanded(value));
    }
    if (!value.IsSequence() && !value.IsMap()) return value;
    YAML::Node copy = YAML::Clone(value);
    for (auto entry : copy) {
      YAML::Node inner = value.IsMap() ? entry.second : YAML::Node(entry);
      if (inner.IsScalar() && inner.Scalar().find("${") == std::string::npos) continue;
      inner = expand(inner);
    }
    return copy;
  }

  std::string expanded(const YAML::Node& value) {
    std::string text = value.Scalar();
    for (std::size_t at = text.find("${"); at != std::string::npos; at = text.find("${", at)) {
      const std::size_t end = text.find('}', at);
      if (end == std::string::npos) fail(value, text, "${ without }");
      const std::string name = text.substr(at + 2, end - at - 2);
      const char* found = std::getenv(name.c_str());
      if (found == nullptr) fail(value, text, "the environment has no variable " + name);
      text.replace(at, end - at + 1, found);
      at += std::string_view(found).size();
    }
    return text;
  }

  [[noreturn]] void unknown(const YAML::Node& node, const std::string& path,
                            const std::vector<std::string>& known) {
    const auto near = nearest(path, known);
    throw Error(ErrorKind::usage, place(node, path) + ": unknown key " + path,
                near ? "did you mean " + *near + "?" : "docs/recipe.md lists every key");
  }

  [[noreturn]] void fail(const YAML::Node& node, const std::string& path, const std::string& what) {
    throw Error(ErrorKind::usage, place(node, path) + ": " + path + ": " + what,
                "docs/recipe.md lists every key");
  }

  std::string place(const YAML::Node& node, const std::string& path) const {
    if (overridden_.contains(path) || node.Mark().is_null()) return "command line";
    return where_ + ":" + std::to_string(node.Mark().line + 1);
  }

  static std::string shown(const YAML::Node& node) {
    if (node.IsScalar()) return "\"" + node.Scalar() + "\"";
    if (node.IsNull()) return "nothing";
    return node.IsMap() ? "a section" : "a list";
  }

  std::string where_;
  Recipe& recipe_;
  std::vector<std::string> known_;
  std::set<std::string> overridden_;
};

void apply_override(YAML::Node root, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw Error(ErrorKind::usage, "\"" + text + "\" is no setting of a recipe",
                "write key=value, for example seed=7");
  }
  YAML::Node value;
  try {
    value = YAML::Load(text.substr(equals + 1));
  } catch (const YAML::Exception& e) {
    throw Error(ErrorKind::usage, "cannot read the value of " + text + ": " + e.msg);
  }
  YAML::Node node = root;
  const std::vector<std::string> path = split(text.substr(0, equals), '.');
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    YAML::Node next = node[path[i]];
    if (!next.IsDefined() || !next.IsMap()) node[path[i]] = next = YAML::Node(YAML::NodeType::Map);
    node.reset(next);
  }
  node[path.back()] = value;
}

// Reads the keys; nothing is checked together yet.
Recipe parse_keys(const std::string& yaml, const std::string& where,
                  const std::filesystem::path& folder, const std::vector<std::string>& overrides) {
  YAML::Node root;
  try {
    root = YAML::Load(yaml);
  } catch (const YAML::Exception& e) {
    throw Error(ErrorKind::usage,
                where + ":" + std::to_string(e.mark.line + 1) + ": not valid YAML: " + e.msg);
  }
  if (root.IsNull()) root = YAML::Node(YAML::NodeType::Map);
  if (!root.IsMap())
    throw Error(ErrorKind::usage, where + ": expected keys of a recipe, found something else");
  for (const std::string& text : overrides) apply_override(root, text);
  Recipe recipe;
  recipe.folder = folder;
  Parser(where, recipe, overrides).read(root, "");
  return recipe;
}

std::string text_of(const std::filesystem::path& file) {
  try {
    return read_file(file);
  } catch (const Error& e) {
    throw Error(ErrorKind::usage, std::string("cannot read the recipe: ") + e.what(),
                "recipes/ has examples");
  }
}

}  // namespace

bool asks_auditor(const Recipe& recipe) {
  return recipe.judge_audit.role == "auditor" ||
         (recipe.judge.kind == "rubric" && recipe.judge_rubric.role == "auditor") ||
         (recipe.benchmarks.any() && recipe.benchmarks.judge == "auditor");
}

std::pair<std::string, std::string> file_entry(const std::string& entry, const std::string& key,
                                               const std::string& example) {
  const std::size_t colon = entry.find(": ");
  if (colon == std::string::npos || colon == 0) {
    throw Error(ErrorKind::usage, key + ": expected \"FILE: ...\", found \"" + entry + "\"",
                "for example \"" + example + "\"");
  }
  const std::filesystem::path file(entry.substr(0, colon));
  return {file.filename().string(), std::string(trim(entry.substr(colon + 2)))};
}

std::set<std::string> files_judged_by_rule(const Recipe& recipe) {
  std::set<std::string> files;
  for (const std::string& entry : recipe.judge_by_source)
    files.insert(file_entry(entry, "judge.by_source", "gsm8k.jsonl: answer_match").first);
  return files;
}

bool in_gym(const Recipe& recipe) {
  return recipe.data.gym_rows > 0 || recipe.teacher.kind == "gym";
}

bool is_free(const ModelPart& part) {
  for (const char* kind : {"gym", "recorded", "answer_match", "overlap", "rubric", "student"}) {
    if (part.kind == kind) return true;
  }
  return false;
}

std::vector<KeyInfo> recipe_keys() {
  std::vector<KeyInfo> keys;
  for (const auto& key : recipe_key_table()) keys.push_back(key.info);
  for (const auto& key : arm_key_table()) {
    keys.push_back(key.info);
    keys.back().path = "arms.<name>." + keys.back().path;
  }
  return keys;
}

Recipe parse_recipe(const std::string& yaml, const std::string& where,
                    const std::filesystem::path& folder,
                    const std::vector<std::string>& overrides) {
  Recipe recipe = parse_keys(yaml, where, folder, overrides);
  check_together(recipe, where);
  return recipe;
}

Recipe load_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  return parse_recipe(text_of(file), file.string(), std::filesystem::absolute(file).parent_path(),
                      overrides);
}

Recipe load_settings(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  const bool none = file.empty();
  Recipe recipe = parse_keys(
      none ? "" : text_of(file), none ? "settings" : file.string(),
      none ? std::filesystem::current_path() : std::filesystem::absolute(file).parent_path(),
      overrides);
  check_roles(recipe, none ? "settings" : file.string());
  check_layers(recipe, none ? "settings" : file.string());
  return recipe;
}

std::string to_yaml(const Recipe& recipe) {
  std::string out;
  std::vector<std::string> open;  // sections that are written so far
  for (const auto& key : recipe_key_table()) {
    const std::vector<std::string> path = split(key.info.path, '.');
    std::size_t shared = 0;
    while (shared < open.size() && shared + 1 < path.size() && open[shared] == path[shared])
      ++shared;
    open.resize(shared);
    for (; open.size() + 1 < path.size(); open.push_back(path[open.size()])) {
      out += std::string(2 * open.size(), ' ') + path[open.size()] + ":\n";
    }
    out += std::string(2 * open.size(), ' ') + path.back() + ": " + key.show(recipe) + "\n";
  }
  if (recipe.arms.empty()) return out;
  out += "arms:\n";
  for (const auto& [name, arm] : recipe.arms) {
    out += "  " + name + ":\n";
    for (const auto& key : arm_key_table())
      out += "    " + key.info.path + ": " + key.show(arm) + "\n";
  }
  return out;
}

std::string fingerprint_text(const Recipe& recipe, const std::vector<std::string>& prefixes) {
  const auto under = [](const std::string& path, const std::string& prefix) {
    return path == prefix || path.starts_with(prefix + ".");
  };
  const auto wanted = [&](const std::string& path) {
    bool is_wanted = false;
    for (const std::string& prefix : prefixes) {
      if (prefix.starts_with("!") && under(path, prefix.substr(1))) return false;
      is_wanted = is_wanted || under(path, prefix);
    }
    return is_wanted;
  };
  std::string out;
  for (const auto& key : recipe_key_table()) {
    if (!key.info.changes_results || !wanted(key.info.path)) continue;
    const std::string value = key.show(recipe);
    if (!key.info.silent_default || value != key.info.fallback)
      out += key.info.path + "=" + value + "\n";
  }
  for (const auto& [name, arm] : recipe.arms) {
    for (const auto& key : arm_key_table()) {
      const std::string path = "arms." + name + "." + key.info.path;
      if (wanted(path)) out += path + "=" + key.show(arm) + "\n";
    }
  }
  return out;
}

}  // namespace tapir::pipeline
