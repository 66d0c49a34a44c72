#include "dataset/contamination.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "base/strings.h"
#include "fuzzing.h"
#include "test_data.h"

namespace tapir::dataset {
namespace {

EvaluationIndex index_of(std::vector<std::string> texts, ContaminationOptions options = {}) {
  std::vector<EvaluationItem> items;
  for (std::string& text : texts)
    items.push_back({"exam", std::to_string(items.size()), std::move(text)});
  return EvaluationIndex(std::move(items), options);
}

const std::string kLong =
    "Describe in your own words how the tides of the sea follow the moon and the sun.";

ContaminationOptions ngrams_only() {
  ContaminationOptions options;
  options.rouge_l = 0;
  return options;
}

TEST(Contamination, FindsAnItemWhateverStandsAroundItAndHoweverItIsWritten) {
  const auto index = index_of(
      {"Another item that has nothing to do with what is asked here.", kLong}, ngrams_only());
  for (const std::string& text :
       {kLong, "Answer briefly: " + kLong + " Then give an example from daily life, with numbers.",
        lower_ascii(kLong), replace_all(kLong, " ", "\n"),
        replace_all(kLong, " in ", " - in - ")}) {
    const auto hit = index.find(text);
    ASSERT_TRUE(hit.has_value()) << text;
    EXPECT_EQ(hit->item, 1U);
    EXPECT_EQ(hit->how, "ngrams");
    EXPECT_DOUBLE_EQ(hit->share, 1);
  }
}

TEST(Contamination, CountsTheWordsOfTheItemThatAreCovered) {
  const auto index = index_of({"a b c d e f g h i j k l m n o p q r s t"}, ngrams_only());
  EXPECT_FALSE(index.find("a b c d e f g x y z").has_value()) << "no 8 words in a row";
  EXPECT_FALSE(index.find("a b c d e f g h i x").has_value()) << "9 of 20";
  ASSERT_TRUE(index.find("x a b c d e f g h i j x").has_value()) << "10 of 20";
  EXPECT_DOUBLE_EQ(index.find("x a b c d e f g h i j x")->share, 0.5);
  EXPECT_DOUBLE_EQ(index.find("a b c d e f g h x i j k l m n o p q r s t")->share, 1);
}

TEST(Contamination, ShortItemsAreFoundAsAWholeInShortTexts) {
  const auto index = index_of({"What is love?", "Who won?"}, ngrams_only());
  EXPECT_EQ(index.find("what is love")->item, 0U);
  EXPECT_EQ(index.find("Tell me: what is love?")->item, 0U) << "3 of 5 words";
  EXPECT_FALSE(index.find("In that film, what is love said to be good for?").has_value());
  EXPECT_FALSE(index.find("love is what").has_value());
  EXPECT_FALSE(index.find("").has_value());
}

TEST(Contamination, CharactersOfScriptsWithoutSpacesAreWords) {
  const std::string item = "请用自己的话描述潮汐如何随着月亮变化";
  const auto index = index_of({item, "Café à Paris"}, ngrams_only());
  EXPECT_EQ(index.find("问题：" + item + "。谢谢")->item, 0U);
  EXPECT_FALSE(index.find("请用自己的话").has_value());
  EXPECT_EQ(index.find("café à paris")->item, 1U);
}

TEST(Contamination, AChangedItemIsFoundByRougeL) {
  const std::string changed = replace_all(replace_all(kLong, "words", "way"), "sea", "ocean");
  EXPECT_FALSE(index_of({replace_all(kLong, "follow", "obey")}, ngrams_only()).find(changed));
  const auto hit = index_of({replace_all(kLong, "follow", "obey")}).find(changed);
  ASSERT_TRUE(hit.has_value());
  EXPECT_EQ(hit->how, "rouge_l");
  EXPECT_GT(hit->share, 0.7);
}

TEST(Contamination, LooksAtEveryMessageButTheSystems) {
  const auto index = index_of({kLong});
  EXPECT_TRUE(index.find({{Role::user, kLong}, {Role::assistant, "a"}, {Role::user, "And?"}}));
  EXPECT_TRUE(index.find({{Role::user, "Ask."}, {Role::assistant, kLong}, {Role::user, "And?"}}));
  EXPECT_FALSE(index.find({{Role::system, kLong}, {Role::user, "Hello there."}}));
}

TEST(EvaluationItems, ReadsTurnsAndInstructionForms) {
  const testing::TemporaryFolder folder;
  write_file(folder.path() / "q.jsonl",
             "{\"question_id\": 81, \"turns\": [\"one\", \"two\"]}\n{\"turns\": [\"three\"]}\n");
  write_file(folder.path() / "o.json",
             R"([{"instruction": "four", "output": "x", "generator": "m"}])");
  const auto items = read_evaluation_items({folder.path() / "q.jsonl", folder.path() / "o.json"});
  ASSERT_EQ(items.size(), 4U);
  EXPECT_EQ(items[1].id, "81/2");
  EXPECT_EQ(items[1].text, "two");
  EXPECT_EQ(items[2].text, "three");
  EXPECT_EQ(items[3].set, "o.json");
  EXPECT_EQ(items[3].id, "0");
  write_file(folder.path() / "bad.jsonl", "{\"turns\": 3}\n");
  EXPECT_THROW(read_evaluation_items({folder.path() / "bad.jsonl"}), Error);
}

TEST(EvaluationItems, EveryRealItemIsFoundInItself) {
  TAPIR_NEEDS_TEST_DATA("mt_bench/question.jsonl");
  TAPIR_NEEDS_TEST_DATA("alpaca_eval/outputs/alpaca-7b.json.gz");
  const auto data = testing::test_data();
  const EvaluationIndex index(read_evaluation_items(
      {data / "mt_bench/question.jsonl", data / "alpaca_eval/outputs/alpaca-7b.json.gz"}));
  ASSERT_EQ(index.items().size(), 160U + 805U);
  for (const EvaluationItem& item : index.items()) {
    ASSERT_TRUE(index.find(item.text).has_value()) << item.set << " " << item.id;
    ASSERT_TRUE(index.find("Please do this.\n" + lower_ascii(item.text) + "!").has_value() ||
                item.text.size() < 40)
        << item.set << " " << item.id;
  }
}

TEST(EvaluationItemsFuzz, ReadsOrRefuses) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "f.jsonl";
  testing::fuzz({.name = "evaluation-items",
                 .corpus = {"{\"question_id\": 81, \"turns\": [\"one\", \"two\"]}\n",
                            "{\"instruction\": \"four\", \"output\": \"x\"}\n"},
                 .mutate = testing::mutate_jsonl,
                 .run =
                     [&](const std::string& input) {
                       write_file(path, input);
                       const EvaluationIndex index(read_evaluation_items({path}));
                       for (const auto& item : index.items()) index.find(item.text);
                     },
                 .iterations = 200});
}

TEST(ContaminationFuzz, IsTotalOverBytes) {
  const auto index = index_of({kLong, "What is love?", "请用自己的话"});
  testing::fuzz({.name = "contamination",
                 .corpus = {kLong, "What is love?", "请用自己的话\xE2\x80\x99s"},
                 .run = [&](const std::string& input) { index.find(input); },
                 .iterations = 2000});
}

}  // namespace
}  // namespace tapir::dataset
