// docs/rubrics.md's table of kinds is made from the code's. TAPIR_UPDATE_DOCS=1 rewrites it.
#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/strings.h"
#include "rubric/component.h"

namespace tapir::rubric {
namespace {

const std::filesystem::path kPage = std::filesystem::path(TAPIR_SOURCE_DIR) / "docs" / "rubrics.md";
constexpr const char* kBegin = "<!-- kinds -->\n";
constexpr const char* kEnd = "<!-- end of kinds -->\n";

std::string takes(const ComponentKind& kind) {
  std::vector<std::string> parts;
  if (kind.values == Values::one) parts.emplace_back("`value`");
  if (kind.values == Values::at_most_one) parts.emplace_back("`value`?");
  if (kind.values == Values::several) parts.emplace_back("`values`");
  if (kind.bounds == Takes::always) parts.emplace_back("counts");
  if (kind.bounds == Takes::maybe) parts.emplace_back("counts?");
  if (kind.takes_place) parts.emplace_back("`place`");
  if (kind.takes_words) parts.emplace_back("`whole_words`?");
  return join(parts, ", ");
}

std::string table() {
  std::string text = "| group | kind | takes | kept when |\n|---|---|---|---|\n";
  for (const ComponentKind& kind : component_kinds()) {
    text += "| " + std::string(kind.group) + " | `" + std::string(kind.name) + "` | " +
            takes(kind) + " | " + std::string(kind.what) + " |\n";
  }
  return text;
}

TEST(RubricsPage, ListsEveryKindAsTheCodeHasIt) {
  std::string page = read_file(kPage);
  const std::size_t begin = page.find(kBegin);
  ASSERT_NE(begin, std::string::npos);
  const std::size_t start = begin + std::string(kBegin).size();
  const std::size_t end = page.find(kEnd, start);
  ASSERT_NE(end, std::string::npos);
  page.replace(start, end - start, table());
  if (std::getenv("TAPIR_UPDATE_DOCS") != nullptr) write_file(kPage, page);
  EXPECT_EQ(read_file(kPage), page)
      << "docs/rubrics.md is behind the code: run this test with TAPIR_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace tapir::rubric
