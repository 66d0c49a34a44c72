#include "tasks/taxonomy.h"

#include <fstream>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "error_of.h"
#include "test_data.h"

namespace tapir::tasks {
namespace {

using ::testing::HasSubstr;

TEST(Taxonomy, OfThePaperHas33TasksWithItsShares) {
  const Taxonomy taxonomy = load_taxonomy("tapir33");
  EXPECT_EQ(taxonomy.tasks.size(), 33U);
  const auto shares = taxonomy.shares();
  EXPECT_DOUBLE_EQ(shares.at("Math"), 1.0 / 6);
  EXPECT_DOUBLE_EQ(shares.at("Reasoning"), 1.0 / 6);
  EXPECT_DOUBLE_EQ(shares.at("Code Generation"), 1.0 / 12);
  EXPECT_DOUBLE_EQ(shares.at("Code Debug"), 1.0 / 12);
  int rare = 0;
  double sum = 0;
  for (const auto& [task, share] : shares) {
    sum += share;
    rare += share == 0.5 / 29 ? 1 : 0;
  }
  EXPECT_EQ(rare, 29);
  EXPECT_NEAR(sum, 1, 1e-12);
  EXPECT_TRUE(taxonomy.find("TruthfulQA"));
  EXPECT_EQ(taxonomy.fallback, "Others");
  EXPECT_EQ(taxonomy.style_of("Math").first, "steps");
  EXPECT_EQ(taxonomy.style_of("Code Debug").first, "code");
  EXPECT_EQ(taxonomy.style_of("Complex Format").first, "format");
  EXPECT_EQ(taxonomy.style_of("Roleplay").first, "rich");
  EXPECT_EQ(taxonomy.style_of("Law").first, "detailed");
  for (const Task& task : taxonomy.tasks) {
    EXPECT_FALSE(task.description.empty()) << task.name;
    EXPECT_FALSE(taxonomy.style_of(task.name).second.empty()) << task.name;
  }
}

TEST(Taxonomy, OfTheGymCountsItsFamilies) {
  const Taxonomy taxonomy = load_taxonomy("gym");
  EXPECT_EQ(taxonomy.tasks.size(), 12U);
  const auto shares = taxonomy.shares();
  for (const auto& [task, share] : shares) {
    const bool two = task == "Math" || task == "Reasoning" || task == "Computer Science" ||
                     task == "Complex Format";
    EXPECT_DOUBLE_EQ(share, two ? 2.0 / 16 : 1.0 / 16) << task;
    EXPECT_EQ(taxonomy.style_of(task).first, "steps");
  }
  EXPECT_TRUE(taxonomy.styles.contains("terse"));
}

TEST(Taxonomy, UnknownTasksAreErrorsThatListTheKnownOnes) {
  const Taxonomy taxonomy = load_taxonomy("gym");
  EXPECT_EQ(taxonomy.find("Cooking"), nullptr);
  const Error error = testing::error_of([&] { taxonomy.style_of("Cooking"); });
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_THAT(error.hint(), HasSubstr("Math"));
}

constexpr const char* kGood =
    "name: mine\n"
    "styles:\n"
    "  plain: Answer plainly.\n"
    "tasks:\n"
    "  - name: A\n"
    "    share: 1/3\n"
    "    style: plain\n"
    "    examples: [\"one\", \"two\"]\n"
    "  - name: Others\n"
    "    share: 2/3\n"
    "    style: plain\n"
    "    description: the rest\n";

TEST(Taxonomy, OfAUserIsRead) {
  testing::TemporaryFolder folder;
  const auto path = folder.path() / "mine.yaml";
  write_file(path, kGood);
  const Taxonomy taxonomy = load_taxonomy(path.string());
  EXPECT_EQ(taxonomy.name, "mine");
  EXPECT_EQ(taxonomy.names(), (std::vector<std::string>{"A", "Others"}));
  EXPECT_EQ(taxonomy.find("A")->examples, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(taxonomy.labelled().back().second, "the rest");
  const std::string version = taxonomy.version;
  EXPECT_FALSE(version.empty());
  write_file(path, std::string(kGood) + "# changed\n");
  EXPECT_NE(load_taxonomy(path.string()).version, version);
}

struct Bad {
  const char* name;
  const char* from;  // this text of the good file
  const char* to;    // is replaced by that
  const char* where;
  const char* what;
};

class BadTaxonomies : public ::testing::TestWithParam<Bad> {};

TEST_P(BadTaxonomies, AreNamedWithFileAndLine) {
  const Bad& bad = GetParam();
  std::string text = kGood;
  const std::size_t at = text.find(bad.from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, std::string(bad.from).size(), bad.to);
  testing::TemporaryFolder folder;
  const auto path = folder.path() / "bad.yaml";
  write_file(path, text);
  const Error error = testing::error_of([&] { load_taxonomy(path.string()); });
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  EXPECT_THAT(error.what(), HasSubstr(path.string() + bad.where));
  EXPECT_THAT(error.what(), HasSubstr(bad.what));
}

INSTANTIATE_TEST_SUITE_P(
    Taxonomy, BadTaxonomies,
    ::testing::Values(Bad{"sum", "2/3", "1/3", ":5:", "sum to 0.66666667"},
                      Bad{"two_of_a_name", "name: Others", "name: A", ":9:", "second time"},
                      Bad{"style", "style: plain", "style: plane",
                          ":7:", "\"plane\" is not defined"},
                      Bad{"key", "share: 1/3", "shares: 1/3", ":6:", "unknown key \"shares\""},
                      Bad{"share", "1/3", "a third", ":6:", "expected a number or a fraction"},
                      Bad{"zero", "1/3", "1/0", ":6:", "from 0 to 1"},
                      Bad{"negative", "1/3", "-0.5", ":6:", "from 0 to 1"},
                      Bad{"infinite", "1/3", "inf", ":6:", "expected a number"},
                      Bad{"no_name", "name: A", "name: ''", ":5:", "expected a text"},
                      Bad{"no_styles", "styles:\n  plain: Answer plainly.\n", "", ":1:", "styles"},
                      Bad{"no_fallback", "name: Others", "name: Rest", ":", "fallback"},
                      Bad{"not_yaml", "name: mine", "name: [mine", ":", "YAML"},
                      Bad{"not_a_map", "name: mine", "- mine\n# ", ":", ""}),
    [](const auto& bad) { return std::string(bad.param.name); });

TEST(Taxonomy, FilesThatAreNotThereAreErrorsThatListTheBuiltInOnes) {
  const Error error = testing::error_of([&] { load_taxonomy("tapir34"); });
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  EXPECT_THAT(error.hint(), HasSubstr("tapir33"));
}

TEST(Taxonomy, ANameOfABuiltInOneStandsForThatOneOnly) {
  testing::TemporaryFolder folder;
  const std::string built_in = read_file(std::string(TAPIR_SOURCE_DIR) + "/taxonomies/gym.yaml");
  write_file(folder.path() / "same.yaml", built_in);
  EXPECT_EQ(load_taxonomy((folder.path() / "same.yaml").string()).name, "gym");
  write_file(folder.path() / "other.yaml", "# edited\n" + built_in);
  try {
    load_taxonomy((folder.path() / "other.yaml").string());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.what(), HasSubstr("other.yaml"));
    EXPECT_THAT(error.what(), HasSubstr("\"gym\""));
  }
}

TEST(Taxonomy, ReadingIsTotal) {
  testing::TemporaryFolder folder;
  const auto path = folder.path() / "fuzz.yaml";
  for (int i = 0; i < 300; ++i) {
    RandomStream stream(13, "taxonomy", std::to_string(i));
    std::string text = kGood;
    for (std::uint64_t n = 1 + stream.below(4); n > 0; --n) {
      text[stream.below(text.size())] = static_cast<char>(stream.below(128));
    }
    std::ofstream(path, std::ios::binary) << text;
    try {
      load_taxonomy(path.string());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage) << error.what();
    }
  }
}

}  // namespace
}  // namespace tapir::tasks
