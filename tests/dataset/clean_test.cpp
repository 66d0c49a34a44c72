#include "dataset/clean.h"

#include <gmock/gmock.h>

#include "base/file.h"
#include "dataset/statistics.h"
#include "dataset/text_faults.h"
#include "dataset/write_rows.h"
#include "fuzzing.h"
#include "test_data.h"

namespace tapir::dataset {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

DataRow row(const std::string& id, const std::string& text,
            std::optional<std::string> response = "An answer.") {
  DataRow out;
  out.instruction.id = id;
  out.instruction.messages = {{Role::user, text}};
  out.instruction.source = "file.json";
  out.response = std::move(response);
  return out;
}

std::vector<std::pair<std::string, std::string>> reasons(
    const std::vector<DataRow>& rows, const CleanOptions& options,
    const EvaluationIndex* evaluation = nullptr) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Removal& removal : clean(rows, options, evaluation))
    out.emplace_back(rows[removal.row].instruction.id, removal.reason);
  return out;
}

TEST(Clean, EachReason) {
  const EvaluationIndex evaluation({{"exam", "7", "Name the largest planet of our solar system."}});
  CleanOptions options;
  options.empty_answers = true;
  options.rouge_l = 0.7;
  const std::vector<DataRow> rows = {
      row("1", "Write a poem about the old harbour at night."),
      row("2", "Caf\xC3\x83\xC2\xA9 prices in Paris?"),
      row("3", "What is a prime number?", std::nullopt),
      row("4", "How do I pick a lock?",
          "I\xE2\x80\x99m sorry, but I can\xE2\x80\x99t help with that."),
      row("5", "name the largest planet of our solar system"),
      row("6", "Write a  poem about the old harbour at night."),
      row("7", "Write a song about the old harbour at night."),
      row("8", "Explain how a bicycle stays upright.")};
  EXPECT_THAT(
      reasons(rows, options, &evaluation),
      ElementsAre(Pair("2", "bad_encoding"), Pair("3", "no_response"), Pair("4", "refusal"),
                  Pair("5", "contaminated"), Pair("6", "duplicate"), Pair("7", "near_duplicate")));
  const auto removals = clean(rows, options, &evaluation);
  EXPECT_EQ(removals[4].detail, "1");
  EXPECT_EQ(removals[5].detail, "1");
  EXPECT_THAT(removals[3].detail, ::testing::HasSubstr("exam 7"));
  EXPECT_EQ(count_reasons(removals)["refusal"], 1U);
}

TEST(Clean, WhatIsLeftOutIsNeverWhatAnotherIsLike) {
  CleanOptions options;
  options.rouge_l = 0.7;
  // 2 is near 1 and left out; 3 is equal to 2, so near to 1 too; 4 is near to 2 only.
  const std::vector<DataRow> rows = {
      row("1", "a b c d e f g h i j"), row("2", "a b c d e f g h x y"),
      row("3", "a b c d e f g h x y"), row("4", "z z c d e f g h x y")};
  EXPECT_THAT(reasons(rows, options),
              ElementsAre(Pair("2", "near_duplicate"), Pair("3", "near_duplicate")));
}

TEST(Clean, NothingIsLookedForThatIsNotAskedFor) {
  CleanOptions options;
  options.encoding = options.refusals = options.duplicates = false;
  const std::vector<DataRow> rows = {row("1", "x\xEF\xBF\xBD", "I cannot assist with that."),
                                     row("2", "x\xEF\xBF\xBD", std::nullopt)};
  EXPECT_THAT(reasons(rows, options), ElementsAre());
}

TEST(Clean, MinHashFindsMovedParts) {
  std::string a;
  std::string b;
  for (int i = 0; i < 120; ++i) a += "word" + std::to_string(i) + " ";
  for (int i = 0; i < 120; ++i) b += "word" + std::to_string((i + 50) % 120) + " ";
  CleanOptions options;
  options.rouge_l = 0.7;
  options.minhash = 0.8;
  EXPECT_THAT(reasons({row("1", a), row("2", b)}, options),
              ElementsAre(Pair("2", "near_duplicate_minhash")));
}

TEST(EncodingFault, TellsDamageFromForeignLetters) {
  for (const char* sound :
       {"", "plain\ttext\r\n", "Café à Noël, naïve", "Ärger über Öl", "10 € – “so”", "请用自己的话",
        "São João", "👍🏽 ok", "Â la carte"}) {
    EXPECT_EQ(encoding_fault(sound), "") << sound;
  }
  EXPECT_EQ(encoding_fault("a\xEF\xBF\xBD"), "replacement character");
  EXPECT_EQ(encoding_fault(std::string_view("a\0b", 3)), "control character");
  EXPECT_EQ(encoding_fault("\x1B[0m"), "control character");
  EXPECT_EQ(encoding_fault("CafÃ©"), "UTF-8 read as Latin-1");
  EXPECT_EQ(encoding_fault("itâ€™s"), "UTF-8 read as Latin-1");
}

TEST(Refusal, IsTheAnswerThatDeclinesNotTheOneThatTalksOfIt) {
  for (const char* text :
       {"I'm sorry, but I can't help with that.", "  I cannot assist with this request.",
        "As an AI language model, I cannot have opinions.",
        "As an AI, I don't have access to your location."}) {
    EXPECT_TRUE(is_refusal(text)) << text;
  }
  for (const char* text : {"", "I'm sorry to hear that. Try to rest.",
                           "As an AI language model I would suggest the second draft.",
                           "A polite refusal: \"I'm sorry, but I can't come.\"",
                           "Sorry, the shop is closed on Mondays."}) {
    EXPECT_FALSE(is_refusal(text)) << text;
  }
}

TEST(MainScript, OfMostLetters) {
  EXPECT_EQ(main_script("Bonjour, ça va?"), Script::latin);
  EXPECT_EQ(main_script("Привет, world"), Script::cyrillic);
  EXPECT_EQ(main_script("こんにちは"), Script::east_asian);
  EXPECT_EQ(main_script("안녕하세요"), Script::east_asian);
  EXPECT_EQ(main_script("مرحبا"), Script::arabic);
  EXPECT_EQ(main_script("123 + 4"), Script::latin) << "no letter at all";
}

TEST(LengthFault, CountsCharactersNotBytes) {
  EXPECT_EQ(length_fault("  日本語 ", {3, 5}), "");
  EXPECT_EQ(length_fault("日本", {3, 5}), "too_short");
  EXPECT_EQ(length_fault("日本語日本語", {3, 5}), "too_long");
}

TEST(TextFaultsFuzz, AreTotalOverBytes) {
  testing::fuzz({.name = "text-faults",
                 .corpus = {"Café à Noël", "I'm sorry, but I can't.", "请用自己的话"},
                 .run =
                     [](const std::string& input) {
                       encoding_fault(input);
                       is_refusal(input);
                       main_script(input);
                       length_fault(input, {});
                     },
                 .iterations = 3000});
}

TEST(WriteRows, AreReadAgainAsTheyWere) {
  const testing::TemporaryFolder folder;
  write_file(
      folder.path() / "in.jsonl",
      R"({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "weight": 0}, {"role": "user", "content": "r"}, {"role": "assistant", "content": "b"}], "id": "m", "task": "Math"}
{"messages": [{"role": "user", "content": "only"}], "id": "n", "parent_id": "m", "round": 2}
{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "no", "weight": 0}], "id": "w"}
)");
  const auto rows = read_instructions(folder.path() / "in.jsonl");
  const auto same = [&](const std::vector<DataRow>& expected) {
    std::string lines;
    for (const DataRow& one : expected)
      lines += row_json(one, question_key(expected)).dump() + "\n";
    write_file(folder.path() / "out.jsonl", lines);
    const auto again = read_instructions(folder.path() / "out.jsonl");
    ASSERT_EQ(again.size(), expected.size());
    for (std::size_t i = 0; i < again.size(); ++i) {
      EXPECT_EQ(again[i].instruction.messages, expected[i].instruction.messages);
      EXPECT_EQ(again[i].instruction.id, expected[i].instruction.id);
      EXPECT_EQ(again[i].instruction.task, expected[i].instruction.task);
      EXPECT_EQ(again[i].instruction.parent_id, expected[i].instruction.parent_id);
      EXPECT_EQ(again[i].instruction.round, expected[i].instruction.round);
      EXPECT_EQ(again[i].response, expected[i].response);
      EXPECT_EQ(again[i].not_learnt, expected[i].not_learnt);
    }
  };
  EXPECT_EQ(question_key(rows), QuestionKey::messages);
  same(rows);
  EXPECT_EQ(question_key(std::span(rows).subspan(1, 1)), QuestionKey::instruction);
  same({rows[1]});
}

TEST(Statistics, CountWhatIsThere) {
  std::vector<DataRow> rows = {row("1", "abcd"), row("2", "日本語", std::nullopt)};
  rows[0].instruction.messages.insert(rows[0].instruction.messages.begin(), {Role::system, "ab"});
  rows[1].instruction.messages.insert(rows[1].instruction.messages.begin(),
                                      {{Role::user, "x"}, {Role::assistant, "y"}});
  rows[1].instruction.task = "Math";
  const Statistics s = statistics(rows);
  EXPECT_EQ(s.rows, 2U);
  EXPECT_EQ(s.with_response, 1U);
  EXPECT_EQ(s.with_system, 1U);
  EXPECT_EQ(s.with_history, 1U);
  EXPECT_EQ(s.instructions.least, 5U);
  EXPECT_EQ(s.instructions.most, 6U);
  EXPECT_DOUBLE_EQ(s.instructions.mean, 5.5);
  EXPECT_EQ(s.responses.count, 1U);
  EXPECT_THAT(s.tasks, ElementsAre(Pair("", 1U), Pair("Math", 1U)));
  EXPECT_THAT(s.scripts, ElementsAre(Pair("east_asian", 1U), Pair("latin", 1U)));
  EXPECT_EQ(lengths_of({}).count, 0U);
}

}  // namespace
}  // namespace tapir::dataset
