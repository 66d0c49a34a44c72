#include "gym/world.h"

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "base/file.h"
#include "gym/families/kb_world.h"

namespace tapir::gym {
namespace {

std::set<std::string> canonicals(const std::vector<Item>& items) {
  std::set<std::string> out;
  for (const Item& item : items) out.insert(item.family->canonical(item.prompt));
  return out;
}

TEST(Split, GoesByTheCanonicalPrompt) {
  const Family& add = *find_family("add");
  EXPECT_EQ(add.canonical("add:b3a5+B5A2"), add.canonical("add:b5a2+B3A5"));
  EXPECT_EQ(part_of(add, "add:b3a5+B5A2"), part_of(add, "add:b5a2+B3A5"));
}

TEST(Split, PartsHaveTheirShares) {
  std::map<Part, int> counts;
  RandomStream stream(1, "split");
  for (int i = 0; i < 5000; ++i) {
    const Family& family = *stream.choose(families());
    ++counts[part_of(family, family.make(5, stream))];
  }
  EXPECT_NEAR(counts[Part::train], 4000, 150);
  EXPECT_NEAR(counts[Part::dev], 500, 100);
  EXPECT_NEAR(counts[Part::test], 500, 100);
}

TEST(Split, ExamsAndPoolDoNotMeet) {
  const std::set<std::string> train = canonicals(pool({.rows = 3000}));
  std::set<std::string> held_out;
  for (const Part part : {Part::dev, Part::test}) {
    for (const auto distribution :
         {Distribution::uniform, Distribution::pool, Distribution::beyond}) {
      for (const Item& item : exam({part, distribution, 600, 7})) {
        const std::string canonical = item.family->canonical(item.prompt);
        EXPECT_EQ(part_of(*item.family, item.prompt), part);
        EXPECT_TRUE(!train.contains(canonical) || kb_is_open_fact(item.prompt)) << item.prompt;
        held_out.insert(std::string(to_string(part)) + canonical);
      }
    }
  }
  for (const std::string& row : held_out) {
    if (row.starts_with("dev")) {
      EXPECT_FALSE(held_out.contains("test" + row.substr(3))) << row;
    }
  }
}

TEST(Items, ArePureFunctionsOfTheirArguments) {
  const Family& family = *find_family("trace");
  const Item item = make_item(family, 3, Part::dev, 5, 17);
  EXPECT_EQ(make_item(family, 3, Part::dev, 5, 17).id, item.id);
  EXPECT_NE(make_item(family, 3, Part::dev, 5, 18).prompt, item.prompt);
  EXPECT_NE(make_item(family, 3, Part::dev, 6, 17).prompt, item.prompt);
  EXPECT_EQ(part_of(family, item.prompt), Part::dev);
  EXPECT_TRUE(item.id.starts_with("trace-3-"));
  const Instruction instruction = to_instruction(item);
  EXPECT_EQ(instruction.id, item.id);
  EXPECT_EQ(instruction.prompt(), item.prompt);
  EXPECT_EQ(instruction.source, "gym");
  EXPECT_TRUE(instruction.task.empty());
}

TEST(Pool, IsLongTailedAndDistinct) {
  const std::vector<Item> items = pool({});
  ASSERT_EQ(items.size(), 12000U);
  EXPECT_EQ(canonicals(items).size(), items.size());
  std::map<std::string, int> by_family;
  std::map<int, int> by_level;
  std::set<std::string> ids;
  for (const Item& item : items) {
    ++by_family[std::string(item.family->name())];
    ++by_level[item.level];
    ids.insert(item.id);
    EXPECT_TRUE(may_teach(*item.family, item.prompt));
  }
  EXPECT_EQ(ids.size(), items.size());
  EXPECT_EQ(by_family.size(), families().size());
  EXPECT_EQ(by_family["paraphrase"], 2880);
  EXPECT_EQ(by_family["add"], 60);
  // Small cells of level 1 are made up at level 2.
  EXPECT_NEAR(by_level[1] / 12000.0, 0.45, 0.04);
  EXPECT_NEAR(by_level[2] / 12000.0, 0.28, 0.04);
  EXPECT_NEAR(by_level[3] / 12000.0, 0.15, 0.01);
  EXPECT_NEAR(by_level[4] / 12000.0, 0.08, 0.01);
  EXPECT_NEAR(by_level[5] / 12000.0, 0.04, 0.01);
}

TEST(Pool, RepeatsFromItsSeed) {
  const auto prompts = [](std::uint64_t seed) {
    std::vector<std::string> out;
    for (const Item& item : pool({.rows = 300, .seed = seed})) out.push_back(item.prompt);
    return out;
  };
  EXPECT_EQ(prompts(4), prompts(4));
  EXPECT_NE(prompts(4), prompts(5));
  EXPECT_TRUE(pool({.rows = 0}).empty());
}

TEST(Pool, HoldsEveryFactOfTheWorld) {
  std::set<std::string> facts;
  for (const Item& item : pool({})) {
    if (kb_is_open_fact(item.prompt)) facts.insert(item.prompt);
  }
  EXPECT_EQ(facts.size(), kb_people().size() * kb_relations().size());
}

TEST(Exam, HasEqualCellsOfDistinctItems) {
  const std::vector<Item> items = exam({.rows = 800, .seed = 2});
  std::map<std::pair<std::string, int>, int> cells;
  for (const Item& item : items) ++cells[{std::string(item.family->name()), item.level}];
  EXPECT_EQ(cells.size(), families().size() * kLevels);
  for (const auto& [cell, count] : cells) {
    EXPECT_LE(count, 10);
    EXPECT_GE(count, cell.second == 1 ? 4 : 10) << cell.first << " " << cell.second;
  }
  EXPECT_EQ(canonicals(items).size(), items.size());
}

TEST(Exam, BeyondAsksLevelsSixAndSeven) {
  std::set<int> levels;
  for (const Item& item : exam({.distribution = Distribution::beyond, .rows = 200}))
    levels.insert(item.level);
  EXPECT_EQ(levels, (std::set<int>{6, 7}));
}

TEST(Corpus, MixesThePoolWithWorkedExamples) {
  const std::vector<CorpusRow> rows = base_corpus({.rows = 6000});
  ASSERT_EQ(rows.size(), 6000U);
  int worked = 0;
  std::map<std::string, int> families_of_worked;
  std::map<int, int> levels_of_worked;
  for (const CorpusRow& row : rows) {
    const bool marked = row.prompt.starts_with("w ");
    const std::string prompt = marked ? row.prompt.substr(2) : row.prompt;
    const Family* family = recognise(prompt);
    ASSERT_NE(family, nullptr) << row.prompt;
    EXPECT_EQ(recognise("w " + prompt), nullptr);
    EXPECT_TRUE(may_teach(*family, prompt));
    EXPECT_EQ(row.answer, family->teacher(prompt, marked ? Style::steps : Style::terse));
    if (!marked) continue;
    ++worked;
    EXPECT_TRUE(family->has_steps());
    ++families_of_worked[std::string(family->name())];
    ++levels_of_worked[family->level(prompt)];
  }
  EXPECT_NEAR(worked / 6000.0, 0.15, 0.02);
  for (const Family* family : families()) {
    EXPECT_EQ(families_of_worked.contains(std::string(family->name())), family->has_steps());
  }
  for (int level = 1; level <= kLevels; ++level) {
    EXPECT_NEAR(levels_of_worked[level] / static_cast<double>(worked), 0.2, 0.05);
  }
}

// docs/gym_families.md is written from the code; TAPIR_UPDATE_DOCS=1 rewrites it.
std::string in_cell(std::string text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return "`" + out + "`";
}

std::string families_page() {
  std::string page =
      "# The families of the gym\n\n"
      "Written from the code by the test `GymDocs.FamiliesPageIsUpToDate`; run it with "
      "`TAPIR_UPDATE_DOCS=1` to\n"
      "write it anew. Levels 1-5 are trained on, 6 and 7 never are. The terse answer is what the "
      "pool D teaches;\n"
      "families without steps answer alike in every style.\n\n"
      "| family | task | 1 | 2 | 3 | 4 | 5 | 6 | 7 |\n|---|---|---|---|---|---|---|---|---|\n";
  for (const Family* family : families()) {
    page += "| " + std::string(family->name()) + " | " + std::string(family->task()) + " |";
    for (const std::string& setting : family->level_table()) page += " " + setting + " |";
    page += "\n";
  }
  page += "\n## Examples\n\n";
  for (const Family* family : families()) {
    page += "### " + std::string(family->name()) +
            "\n\n| level | prompt | terse | steps |\n|---|---|---|---|\n";
    for (const int level : {1, 3, 5}) {
      const std::string prompt = make_item(*family, level, Part::train, 1, 0).prompt;
      page += "| " + std::to_string(level) + " | " + in_cell(prompt) + " | " +
              in_cell(family->teacher(prompt, Style::terse)) + " | " +
              (family->has_steps() ? in_cell(family->teacher(prompt, Style::steps)) : "the same") +
              " |\n";
    }
    page += "\n";
  }
  return page;
}

TEST(GymDocs, FamiliesPageIsUpToDate) {
  const std::filesystem::path path =
      std::filesystem::path(TAPIR_SOURCE_DIR) / "docs" / "gym_families.md";
  if (std::getenv("TAPIR_UPDATE_DOCS") != nullptr) write_file(path, families_page());
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_TRUE(read_file(path) == families_page()) << "run this test once with TAPIR_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace tapir::gym
