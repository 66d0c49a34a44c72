// docs/recipe.md's tables of keys are made from the recipe's own table of keys. TAPIR_UPDATE_DOCS=1
// rewrites them.
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/strings.h"
#include "pipeline/recipe.h"

namespace tapir::pipeline {
namespace {

const std::filesystem::path kPage = std::filesystem::path(TAPIR_SOURCE_DIR) / "docs" / "recipe.md";

std::string section_of(const std::string& path) {
  const std::size_t dot = path.find('.');
  return dot == std::string::npos ? "top" : path.substr(0, dot);
}

// A cell of a Markdown table.
std::string cell(const std::string& text) { return replace_all(text, "|", "\\|"); }

std::string row(const KeyInfo& key) {
  const std::string what = key.help + (key.changes_results ? "" : " *(changes no result)*");
  return "| `" + key.path + "` | " + cell(key.type) + " | `" + cell(key.fallback) + "` | " +
         cell(what) + " |\n";
}

// One table for every section, in the order of the first key of each.
std::map<std::string, std::string> tables() {
  std::map<std::string, std::string> made;
  for (const KeyInfo& key : recipe_keys()) {
    std::string& table = made[section_of(key.path)];
    if (table.empty()) table = "| key | value | default | what it is |\n|---|---|---|---|\n";
    table += row(key);
  }
  return made;
}

std::string begin_mark(const std::string& section) { return "<!-- keys: " + section + " -->\n"; }
constexpr const char* kEndMark = "<!-- end of keys -->\n";

// The page with every marked table replaced by what the code says; adds to `found` the sections it
// met.
std::string with_tables(std::string page, std::set<std::string>& found) {
  for (const auto& [section, table] : tables()) {
    const std::size_t begin = page.find(begin_mark(section));
    if (begin == std::string::npos) continue;
    const std::size_t start = begin + begin_mark(section).size();
    const std::size_t end = page.find(kEndMark, start);
    if (end == std::string::npos) continue;
    page.replace(start, end - start, table);
    found.insert(section);
  }
  return page;
}

TEST(RecipePage, ListsEveryKeyAsTheCodeHasIt) {
  const std::string page = read_file(kPage);
  std::set<std::string> found;
  const std::string wanted = with_tables(page, found);
  for (const auto& [section, table] : tables()) {
    EXPECT_TRUE(found.count(section))
        << "docs/recipe.md has no place for the keys of " << section << ": add\n"
        << begin_mark(section) << kEndMark;
  }
  if (std::getenv("TAPIR_UPDATE_DOCS") != nullptr) write_file(kPage, wanted);
  EXPECT_EQ(read_file(kPage), wanted)
      << "docs/recipe.md is behind the code: run this test with TAPIR_UPDATE_DOCS=1";
}

TEST(RecipePage, NoKeyStandsTwice) {
  std::set<std::string> seen;
  for (const KeyInfo& key : recipe_keys()) EXPECT_TRUE(seen.insert(key.path).second) << key.path;
}

}  // namespace
}  // namespace tapir::pipeline
