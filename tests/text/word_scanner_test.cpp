// The scanners give the words that their patterns give.
#include "text/word_scanner.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/strings.h"
#include "text/split.h"
#include "text_testing.h"

namespace tapir::text {
namespace {

// Any character of any plane, and often those that the patterns treat apart.
std::string awkward_text(RandomStream& random) {
  static const std::vector<std::string> bits = {
      " ",   "  ",      "\n",     "\r\n", "\t",     "\u00a0", "\u3000", "\u0085", "'s",
      "'S",  "'\u017f", "'re",    "'LL",  "'vE",    "'d",     "'x",     "'",      "a",
      "Zed", "é",       "世界",   "7",    "42",     "1234",   "½",      "٣",      "!",
      "...", "_",       "\u0301", "🙂", "\u180e", "\u200b", "\ufeff"};
  std::string text;
  for (int n = random.between(0, 24); n > 0; --n) {
    if (random.chance(0.8)) {
      text += random.choose(bits);
    } else {
      const auto point = static_cast<unsigned>(random.below(0x20000));
      const char bytes[] = {static_cast<char>(0xF0 | (point >> 18)),
                            static_cast<char>(0x80 | ((point >> 12) & 0x3F)),
                            static_cast<char>(0x80 | ((point >> 6) & 0x3F)),
                            static_cast<char>(0x80 | (point & 0x3F))};
      text += std::string(bytes, sizeof bytes);
    }
  }
  return valid_utf8(text);  // a code point below 0x10000 is not written so: it becomes U+FFFD
}

class Scanners : public ::testing::TestWithParam<std::string_view> {};

TEST_P(Scanners, CutAsTheirPatternDoes) {
  const WordScanner scanner = find_word_scanner(GetParam());
  ASSERT_NE(scanner, nullptr);
  const Regex regex(GetParam(), "test");
  RandomStream random(1, "test", "scanner");
  for (int i = 0; i < 20000; ++i) {
    const std::string text = awkward_text(random);
    std::vector<std::string_view> words;
    std::vector<std::string_view> expected;
    scanner(text, words);
    split_by(regex, SplitBehavior::isolated, /*invert=*/false, text, expected);
    ASSERT_EQ(words, expected) << Json(text).dump();
  }
}

// Every character alone and between letters: the classes are the same.
TEST_P(Scanners, KnowEveryCharacter) {
  const WordScanner scanner = find_word_scanner(GetParam());
  const Regex regex(GetParam(), "test");
  for (unsigned first = 0; first < 0x110000; first += 64) {
    if (first >= 0xD800 && first < 0xE000) continue;
    std::string text;
    for (unsigned c = std::max(first, 1U); c < first + 64; ++c) {
      char escape[32];
      if (c < 0x10000) {
        std::snprintf(escape, sizeof escape, "\"\\u%04x\"", c);
      } else {
        std::snprintf(escape, sizeof escape, "\"\\u%04x\\u%04x\"", 0xD800 + ((c - 0x10000) >> 10),
                      0xDC00 + ((c - 0x10000) & 0x3FF));
      }
      const auto character = Json::parse(escape).get<std::string>();
      text += "x" + character + "y" + character + character + "7";
    }
    std::vector<std::string_view> words;
    std::vector<std::string_view> expected;
    scanner(text, words);
    split_by(regex, SplitBehavior::isolated, /*invert=*/false, text, expected);
    ASSERT_EQ(words, expected) << "from " << first;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Scanners,
                         ::testing::Values(kGpt2Pattern, kQwen2Pattern, kLlama3Pattern));

TEST(Scanners, UnknownPatternHasNone) { EXPECT_EQ(find_word_scanner(R"(\w+)"), nullptr); }

}  // namespace
}  // namespace tapir::text
