// The trainer: the same bytes every time, what it learns, and that what it writes can be read.
#include <algorithm>
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "error_of.h"
#include "text/byte_level.h"
#include "text/train_tokenizer.h"
#include "text_testing.h"

namespace tapir::text {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<std::string> kControl = {"<s>",           "</s>",       "<|user|>",
                                           "<|assistant|>", "<|system|>", "<|end|>"};

std::vector<std::string> merges_of(const std::string& tokenizer_json) {
  return parse_json(tokenizer_json, "trained")["model"]["merges"].get<std::vector<std::string>>();
}

// The ids that the `tokenizers` package gives with this file are in strings.jsonl.gz
// (tokenizer_test.cpp).
TEST(Trainer, MakesTheGoldenAgain) {
  const std::string trained =
      train_bpe(sample_texts(1, 2000), {.vocab_size = 600, .special_tokens = kControl});
  const std::filesystem::path golden = goldens() / "trained" / "tokenizer.json";
  if (std::getenv("TAPIR_UPDATE_GOLDENS") != nullptr) {
    std::filesystem::create_directories(golden.parent_path());
    write_file(golden, trained);
  }
  EXPECT_EQ(trained, read_file(golden));
}

TEST(Trainer, OrderOfTextsDoesNotMatter) {
  auto texts = sample_texts(2, 500);
  const std::string forward = train_bpe(texts, {.vocab_size = 500});
  std::reverse(texts.begin(), texts.end());
  EXPECT_EQ(train_bpe(texts, {.vocab_size = 500}), forward);
}

TEST(Trainer, LearnsTheMostFrequentPairAndBreaksTiesByString) {
  // "lo" 5 times, "ow" 5 times, "er" twice: "lo" before "ow" by string; then "low".
  const std::vector<std::string> texts = {"low", "low", "low", "lower", "lower"};
  EXPECT_THAT(
      merges_of(train_bpe(texts, {.vocab_size = 260, .min_frequency = 2, .pattern = "\\w+"})),
      ElementsAre("l o", "lo w", "e r", "low er"));
}

TEST(Trainer, RunsOfOneLetterAreCountedRight) {
  const std::vector<std::string> texts = {"aaaaaaa", "aaaa"};
  EXPECT_THAT(
      merges_of(train_bpe(texts, {.vocab_size = 258, .min_frequency = 1, .pattern = "\\w+"})),
      ElementsAre("a a", "aa aa"));
}

TEST(Trainer, MinimumFrequencyEndsTheLearning) {
  const std::vector<std::string> texts = {"abc"};
  EXPECT_TRUE(merges_of(train_bpe(texts, {.vocab_size = 300, .min_frequency = 2})).empty());
  EXPECT_EQ(merges_of(train_bpe(texts, {.vocab_size = 300, .min_frequency = 1})).size(), 2U);
}

TEST(Trainer, TextThatSpellsASpecialTokenDoesNotMakeOne) {
  const std::vector<std::string> texts(50, "stop");
  const auto tokenizer = load_from(
      train_bpe(texts, {.vocab_size = 300, .special_tokens = {"stop"}, .pattern = "\\w+"}));
  EXPECT_EQ(tokenizer->token_to_id("stop"), 0);
  for (const TokenId id : tokenizer->encode("stop")) EXPECT_NE(id, 0);
  EXPECT_THAT(tokenizer->encode_with_specials("stop", false), ElementsAre(0));
}

TEST(Trainer, SpecialTokensComeFirstThenEveryByte) {
  const auto tokenizer =
      load_from(train_bpe(sample_texts(4, 100), {.vocab_size = 330, .special_tokens = kControl}));
  for (std::size_t i = 0; i < kControl.size(); ++i) {
    EXPECT_EQ(tokenizer->token_to_id(kControl[i]), static_cast<TokenId>(i));
    EXPECT_TRUE(tokenizer->is_special(static_cast<TokenId>(i)));
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    const auto id = tokenizer->token_to_id(byte_to_char(static_cast<std::uint8_t>(byte)));
    ASSERT_TRUE(id.has_value());
    EXPECT_LT(*id, 256 + static_cast<TokenId>(kControl.size()));
  }
  EXPECT_EQ(tokenizer->vocab_size(), 330);
}

TEST(Trainer, DigitsStandAloneByDefault) {
  const std::vector<std::string> texts(50, "a sum 1234 5678 1234");
  const auto tokenizer = load_from(train_bpe(texts, {.vocab_size = 400}));
  EXPECT_EQ(tokenizer->encode("1234").size(), 4U);
  EXPECT_EQ(tokenizer->encode(" sum").size(), 1U);
}

TEST(Trainer, ImpossibleOptionsAreRefused) {
  const std::vector<std::string> texts = {"text"};
  EXPECT_THROW(train_bpe(texts, {.vocab_size = 255}), Error);
  EXPECT_THROW(train_bpe(texts, {.special_tokens = {"<a>", "<a>"}}), Error);
  EXPECT_THROW(train_bpe(texts, {.special_tokens = {""}}), Error);
  EXPECT_THROW(train_bpe(texts, {.special_tokens = {"a"}}), Error);
  EXPECT_THROW(train_bpe(texts, {.pattern = "("}), Error);
}

TEST(Trainer, AnyBytesCanBeTrainedOn) {
  std::vector<std::string> texts;
  RandomStream random(9, "test", "any bytes");
  for (int i = 0; i < 200; ++i) texts.push_back(random_text(random));
  const auto tokenizer =
      load_from(train_bpe(texts, {.vocab_size = 350, .special_tokens = kControl}));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a\tb\n世🙂"), false), "a\tb\n世🙂");
}

// Texts of every kind of file, and a folder that says what begins and ends a text.
TEST(TrainTokenizer, FilesToFolder) {
  const testing::TemporaryFolder folder;
  const auto file = [&](const char* name, const std::string& content) {
    write_file(folder.path() / name, content);
    return folder.path() / name;
  };
  TrainTokenizerOptions options;
  options.inputs = {
      file("a.txt", "the river\nthe river\n"),
      file("b.jsonl", R"({"id": "zzzz", "messages": [{"role": "user", "content": "the stone"}]})"),
      file("c.json", R"([{"instruction": "the lamp", "output": "the stone"}])")};
  options.output_dir = folder.path() / "tok";
  options.bpe.vocab_size = 290;
  options.bpe.pattern = "qwen2";
  options.bpe.special_tokens = {"<|im_start|>"};
  options.eos_token = "<|im_end|>";
  const TrainTokenizerSummary summary = train_tokenizer(options);
  EXPECT_EQ(summary.texts, 5);
  EXPECT_EQ(summary.bytes, 20 + 9 + 8 + 9);
  EXPECT_GT(summary.bytes_per_token, 1.5);
  const auto tokenizer = load_tokenizer(options.output_dir);
  EXPECT_EQ(summary.vocab_size, tokenizer->vocab_size());
  EXPECT_EQ(tokenizer->token_to_id("<|im_start|>"), 0);
  EXPECT_EQ(tokenizer->eos_token(), 1);
  EXPECT_EQ(tokenizer->bos_token(), std::nullopt);
  EXPECT_EQ(tokenizer->encode("the").size(), 1U);
  EXPECT_EQ(tokenizer->encode("zzzz").size(), 4U);  // ids are not learnt from
}

TEST(TrainTokenizer, AFileWithoutTextIsNamed) {
  const testing::TemporaryFolder folder;
  write_file(folder.path() / "ids.jsonl", R"({"id": "a"})");
  TrainTokenizerOptions options;
  options.inputs = {folder.path() / "ids.jsonl"};
  options.output_dir = folder.path() / "tok";
  const Error e = testing::error_of([&] { train_tokenizer(options); });
  EXPECT_EQ(e.kind(), ErrorKind::data);
  EXPECT_THAT(e.what(), HasSubstr("ids.jsonl"));
}

}  // namespace
}  // namespace tapir::text
