// The text of an answer token by token: never half a code point, never the beginning of a stop
// string.
#include "student/answer_stream.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/strings.h"
#include "test_data.h"

namespace tapir::student {
namespace {

class AnswerStreamTest : public ::testing::Test {
 protected:
  // What a reader sees, piece by piece.
  std::vector<std::string> show(const std::string& text, std::vector<std::string> stop,
                                const text::ChatFormat* format = nullptr) {
    AnswerStream stream(*tokenizer_, format, std::move(stop));
    std::vector<std::string> pieces;
    for (const text::TokenId token : tokenizer_->encode(text)) {
      stream.push(token);
      pieces.push_back(stream.take());
    }
    stream.finish();
    pieces.push_back(stream.take());
    return pieces;
  }
  std::string shown(const std::string& text, std::vector<std::string> stop) {
    return join(show(text, std::move(stop)), "");
  }

  std::shared_ptr<const text::Tokenizer> tokenizer_ =
      text::load_tokenizer(testing::goldens() / "tokenizers" / "trained");
};

TEST_F(AnswerStreamTest, ShowsTheText) {
  for (const std::string text :
       {"", "a", "the river is long", "h\xc3\xa9llo \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x8e\x89!",
        " blanks  and\n\nlines \n"}) {
    EXPECT_EQ(shown(text, {}), text);
    for (const std::string& piece : show(text, {})) EXPECT_TRUE(is_valid_utf8(piece)) << piece;
  }
}

TEST_F(AnswerStreamTest, StopsBeforeTheFirstStopString) {
  EXPECT_EQ(shown("one two three", {"two"}), "one ");
  EXPECT_EQ(shown("one two three", {"three", "e t"}), "on");
  EXPECT_EQ(shown("one two three", {"one"}), "");
  EXPECT_EQ(shown("one two three", {"four", ""}), "one two three");
  EXPECT_EQ(shown("aaab", {"aab"}), "a");
  EXPECT_EQ(shown("abababac", {"ababac"}), "ab");
  EXPECT_EQ(shown("x\n\nUser: y", {"\n\nUser:"}), "x");
  EXPECT_EQ(shown("x\n\nUse", {"\n\nUser:"}), "x\n\nUse");
  EXPECT_EQ(shown("a \xe4\xbd\xa0 b", {"\xe4\xbd\xa0"}), "a ");
}

TEST_F(AnswerStreamTest, NothingShownIsTakenBack) {
  RandomStream random(3, "test", "stops");
  for (int i = 0; i < 300; ++i) {
    std::string text;
    for (int n = random.between(1, 30); n > 0; --n) text += "ab\n "[random.below(4)];
    std::vector<std::string> stops(1 + random.below(2));
    for (std::string& stop : stops) {
      for (int n = random.between(1, 4); n > 0; --n) stop += "ab\n "[random.below(4)];
    }
    std::size_t end = text.size();
    for (const std::string& stop : stops) end = std::min(end, text.find(stop));
    // Tokens longer than a letter may bring a later stop string first: never behind the first.
    EXPECT_EQ(shown(text, stops), text.substr(0, end)) << text << '|' << join(stops, "|");
  }
}

TEST_F(AnswerStreamTest, BlanksOfTheFormatDoNotBelongToTheAnswer) {
  const auto format = text::load_chat_format({}, tokenizer_, "compact");
  for (const std::string text : {" a b ", "a\n\nb\n", "   ", "\n"}) {
    EXPECT_EQ(join(show(text, {}, format.get()), ""), format->answer_text(text));
  }
}

// Formats around an answer: blanks, and qwen3's reasoning.
class EveryFormat : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryFormat, PiecesAreTheAnswersText) {
  const auto tokenizer = text::load_tokenizer(testing::goldens() / "chats" / "byte_level_inst");
  const auto format = text::load_chat_format({}, tokenizer, GetParam());
  RandomStream random(5, "test", GetParam());
  const std::vector<std::string> parts{"<think>", "</think>", "<thi", "nk>", "\n", " ", "a", "bc"};
  for (int i = 0; i < 300; ++i) {
    std::string text = random.chance(0.3) ? "<think>\n" : "";
    for (int n = random.between(0, 12); n > 0; --n) text += parts[random.below(parts.size())];
    AnswerStream stream(*tokenizer, format.get(), {});
    std::string shown;
    for (const char letter : text) {
      for (const text::TokenId token : tokenizer->encode(std::string(1, letter))) {
        stream.push(token);
        shown += stream.take();
        EXPECT_LE(stream.taken(), stream.size());
      }
    }
    stream.finish();
    shown += stream.take();
    EXPECT_EQ(shown, format->answer_text(text)) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Table, EveryFormat, ::testing::ValuesIn(text::chat_format_names()),
                         [](const auto& instance) {
                           std::string name = instance.param;
                           std::erase_if(name, [](char c) { return c == '.' || c == '-'; });
                           return name;
                         });

// As every student is trained in this format: an empty block, then the answer.
TEST_F(AnswerStreamTest, NothingIsLostBehindReasoning) {
  const auto tokenizer = text::load_tokenizer(testing::goldens() / "chats" / "byte_level_inst");
  const auto format = text::load_chat_format({}, tokenizer, "qwen3");
  AnswerStream stream(*tokenizer, format.get(), {});
  std::vector<std::string> pieces;
  for (const std::string text : {"<think>", "\n\n", "</think>", "\n\n", "the", " river"}) {
    for (const text::TokenId token : tokenizer->encode(text)) stream.push(token);
    pieces.push_back(stream.take());
  }
  EXPECT_EQ(pieces, (std::vector<std::string>{"", "", "", "", "the", " river"}));
}

TEST_F(AnswerStreamTest, AnyTokensGiveValidText) {
  RandomStream random(4, "test", "tokens");
  const auto vocab = static_cast<std::uint64_t>(tokenizer_->vocab_size());
  for (int i = 0; i < 200; ++i) {
    AnswerStream stream(*tokenizer_, nullptr, {});
    std::vector<text::TokenId> tokens;
    std::string all;
    for (int n = random.between(1, 60); n > 0; --n) {
      // Mostly the tokens of single bytes.
      tokens.push_back(static_cast<text::TokenId>(
          random.below(random.chance(0.7) ? std::min<std::uint64_t>(vocab, 270) : vocab)));
      stream.push(tokens.back());
      const std::string piece = stream.take();
      EXPECT_TRUE(is_valid_utf8(piece));
      all += piece;
    }
    stream.finish();
    all += stream.take();
    EXPECT_EQ(all, tokenizer_->decode(tokens, /*skip_special_tokens=*/true));
  }
}

}  // namespace
}  // namespace tapir::student
