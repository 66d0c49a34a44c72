// Ids equal to the `tokenizers` package's; texts come back whole; text never becomes a control
// token.
#include "text/tokenizer.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"
#include "text_testing.h"

namespace tapir::text {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class GoldenIds : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenIds, EqualTheReference) {
  const auto tokenizer = load_tokenizer(goldens() / GetParam());
  int rows = 0;
  int equal = 0;
  for_each_jsonl(goldens() / "strings.jsonl.gz", [&](const Json& row, const std::string& where) {
    const auto text = row["text"].get<std::string>();
    const auto expected = row[GetParam()].get<std::vector<TokenId>>();
    const auto found = tokenizer->encode_with_specials(text, /*add_special_tokens=*/false);
    ++rows;
    equal += found == expected ? 1 : 0;
    EXPECT_EQ(found, expected) << where << ": " << Json(text).dump();
  });
  EXPECT_EQ(rows, 1000);
  EXPECT_EQ(equal, 1000);
}

TEST_P(GoldenIds, DecodeAsTheReferenceDoes) {
  const auto tokenizer = load_tokenizer(goldens() / GetParam());
  const std::string key = std::string("decoded ") + GetParam();
  for_each_jsonl(goldens() / "strings.jsonl.gz", [&](const Json& row, const std::string& where) {
    const auto ids = row[GetParam()].get<std::vector<TokenId>>();
    const std::string expected = row.value(key, row["text"].get<std::string>());
    EXPECT_EQ(tokenizer->decode(ids, /*skip_special_tokens=*/false), expected) << where;
  });
}

TEST(Tokenizer, TextComesBackWhole) {
  const auto tokenizer = load_tokenizer(goldens() / "trained");
  RandomStream random(8, "test", "round trip");
  for (int i = 0; i < 2000; ++i) {
    const std::string text = valid_utf8(random_text(random));
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text), /*skip_special_tokens=*/true), text);
  }
}

TEST_P(GoldenIds, TextNeverBecomesAControlToken) {
  const auto tokenizer = load_tokenizer(goldens() / GetParam());
  RandomStream random(7, "test", GetParam());
  for (int i = 0; i < 2000; ++i) {
    const std::string text = random_text(random);
    for (const TokenId id : tokenizer->encode(text)) {
      EXPECT_FALSE(tokenizer->is_special(id)) << Json(valid_utf8(text)).dump();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenIds, ::testing::Values("gpt2_pattern", "split_nfc", "trained"));

TEST(Tokenizer, SpecialTokensAndTemplate) {
  const auto tokenizer = load_tokenizer(goldens() / "gpt2_pattern");
  const TokenId bos = tokenizer->token_to_id("<s>").value();
  const TokenId end = tokenizer->token_to_id("<|end|>").value();
  EXPECT_EQ(tokenizer->bos_token(), bos);
  EXPECT_EQ(tokenizer->eos_token(), tokenizer->token_to_id("</s>"));
  EXPECT_THAT(tokenizer->encode_with_specials("<|end|>", true), ElementsAre(bos, end));
  EXPECT_THAT(tokenizer->encode_with_specials("", true), ElementsAre(bos));
  EXPECT_THAT(tokenizer->encode(""), IsEmpty());
  EXPECT_GT(tokenizer->encode("<|end|>").size(), 1U);
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{bos, end}, false), "<s><|end|>");
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{bos, end}, true), "");
  EXPECT_EQ(tokenizer->id_to_token(end), "<|end|>");
  EXPECT_EQ(tokenizer->id_to_token(-1), "");
  EXPECT_EQ(tokenizer->id_to_token(1 << 20), "");
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{-5, 1 << 20}, false), "");
}

TEST(Tokenizer, BytesThatAreNoTextDecodeToReplacementCharacters) {
  const auto tokenizer = load_tokenizer(goldens() / "gpt2_pattern");
  const TokenId first = tokenizer->token_to_id("ä").value();  // the byte 0xE4
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{first, first}, false), "\uFFFD\uFFFD");
  EXPECT_EQ(tokenizer->encode("a\xff"), tokenizer->encode("a\uFFFD"));
}

// The reference normalizes by Unicode 9: marks of that age are put in order, younger ones stay.
TEST(Tokenizer, NormalizesByTheTablesOfTheReference) {
  const auto tokenizer = load_tokenizer(goldens() / "split_nfc");
  const auto read_back = [&](const std::string& text) {
    return tokenizer->decode(tokenizer->encode(text), /*skip_special_tokens=*/false);
  };
  EXPECT_EQ(read_back("x\u0351\u0323"), "x\u0323\u0351");
  EXPECT_EQ(read_back("x\u0351\u1df8"), "x\u0351\u1df8");
  EXPECT_EQ(read_back("e\u0301"), "\u00e9");
}

// A word longer than the short-word path must be merged the same way: any split of the work gives
// one answer.
TEST(Tokenizer, LongWordsAgreeWithTheReferenceMerging) {
  const auto tokenizer = load_from(train_bpe(sample_texts(3, 300), {.vocab_size = 420}));
  std::string word;
  RandomStream random(5, "test", "long");
  for (int i = 0; i < 400; ++i) {
    word += random.chance(0.5) ? "ab" : random.chance(0.5) ? "a" : "river";
    // A prefix of a long word up to a place that no token crosses: "q" is in no merge.
    const auto together = tokenizer->encode(word + "q" + word);
    auto apart = tokenizer->encode(word);
    const auto q = tokenizer->encode("q");
    auto expected = apart;
    expected.insert(expected.end(), q.begin(), q.end());
    expected.insert(expected.end(), apart.begin(), apart.end());
    ASSERT_EQ(together, expected) << word;
  }
}

TEST(Tokenizer, ThreadsSeeTheSameIds) {
  const auto tokenizer = load_tokenizer(goldens() / "gpt2_pattern");
  const auto texts = sample_texts(11, 200);
  std::vector<std::vector<TokenId>> expected;
  for (const std::string& text : texts) expected.push_back(tokenizer->encode(text));
  const auto fresh = load_tokenizer(goldens() / "gpt2_pattern");
  std::vector<int> different(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < different.size(); ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < texts.size(); ++i)
        different[t] += fresh->encode(texts[i]) != expected[i];
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(different, ElementsAre(0, 0, 0, 0));
}

}  // namespace
}  // namespace tapir::text
