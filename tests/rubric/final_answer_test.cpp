#include "rubric/final_answer.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "test_data.h"

namespace tapir::rubric {
namespace {

TEST(FinalAnswer, IsFoundWhereATextStatesIt) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"48/2 = <<48/2=24>>24 clips.\n#### 24", "24"},
      {"#### 7\nNo, again:\n#### 1,234", "1,234"},
      {"#### Step 1\nAdd.\n#### Step 2\nSo the answer is 12.", "12"},
      {"Thus \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"},
      {"First \\boxed{1}, then \\boxed{2}", "2"},
      {"The answer is (B) because of that.", "(B)"},
      {"**Answer:** 3/4", "3/4"},
      {"The final answer is: Paris. It lies in France.", "Paris"},
      {"Answer: x = 5", "x = 5"},
      {"The answer is 3.5.", "3.5"},
      {"42", "42"},
      {" $1,234.50 ", "$1,234.50"},
      {"B", "B"},
  };
  for (const auto& [text, answer] : cases) EXPECT_EQ(final_answer(text), answer) << text;
}

TEST(FinalAnswer, IsNothingWhereNoneIsStated) {
  for (const std::string text :
       {"", "There are 3 apples and 4 pears.", "Paris", "#### Heading\nText.", "\\boxed{1",
        "The answer is", "A dog", "Add 3 and 4. Then stop."}) {
    EXPECT_FALSE(final_answer(text)) << text << " -> " << final_answer(text).value_or("");
  }
}

TEST(FinalAnswer, LastNumberOfAText) {
  EXPECT_EQ(last_number("so she has 3 + 4 = 7 apples."), "7");
  EXPECT_EQ(last_number("that is $1,234.50."), "1,234.50");
  EXPECT_EQ(last_number("it is -5"), "-5");
  EXPECT_EQ(last_number("10-5"), "5");
  EXPECT_EQ(last_number("about 3/4 of it"), "3/4");
  EXPECT_FALSE(last_number("none at all"));
}

TEST(SameAnswer, HoldsForWhatMeansTheSame) {
  const std::vector<std::pair<std::string, std::string>> same = {
      {"42", "42.0"},          {"1,234.5", "$1234.50"},
      {"18", "18 dollars"},    {"18", "**18**."},
      {"50%", "50"},           {"3/4", "0.75"},
      {"3/4", "\\frac{3}{4}"}, {"6", "2*3"},
      {"x = 5", "5"},          {"5", "y=5"},
      {"2x+3", "3 + 2x"},      {"(B)", "B) twelve apples"},
      {"B", "B. twelve"},      {"(c)", "C"},
      {"Paris", "paris."},     {"New York", "new-york"},
      {"$x^2$", "x*x"},        {"-3", "\xE2\x88\x92\x33"},
  };
  for (const auto& [a, b] : same) {
    EXPECT_TRUE(same_answer(a, b)) << a << " / " << b;
    EXPECT_EQ(same_answer(b, a), same_answer(a, b)) << a << " / " << b;
  }
  const std::vector<std::pair<std::string, std::string>> different = {
      {"42", "43"},    {"42", "-42"},      {"0.5", "50%"}, {"A", "B"}, {"Paris", "London"},
      {"3/4", "4/3"},  {"2x", "3x"},       {"x+1", "x-1"}, {"", ""},   {"42", ""},
      {"1.0", "1.01"}, {"42", "42 or 43"}, {"12", "1 2"},
  };
  for (const auto& [a, b] : different) {
    EXPECT_FALSE(same_answer(a, b)) << a << " / " << b;
    EXPECT_FALSE(same_answer(b, a)) << a << " / " << b;
  }
}

TEST(SameAnswer, TakesAnyText) {
  const std::vector<std::string> pieces = {"####", "\\boxed{", "}", "answer is", "42", "B",   ")",
                                           "(",    "$",        "=", "x",         "\n", ".",   "%",
                                           " ",    "-",        "/", "because",   ",",  "\xC3"};
  for (int i = 0; i < 100000; ++i) {
    RandomStream stream(8, "answers", std::to_string(i));
    std::string text;
    for (std::uint64_t n = stream.below(14); n > 0; --n) text += stream.choose(pieces);
    const auto answer = final_answer(text);
    last_number(text);
    if (answer && is_checkable(*answer)) {
      ASSERT_TRUE(same_answer(*answer, *answer)) << text;
    }
  }
}

// Every worked answer of GSM8K states its own final answer.
TEST(FinalAnswer, OfGsm8kIsTheRecordedOne) {
  TAPIR_NEEDS_TEST_DATA("instructions/gsm8k_train.jsonl.gz");
  int rows = 0;
  for_each_jsonl(testing::test_data() / "instructions/gsm8k_train.jsonl.gz",
                 [&](const Json& row, const std::string& where) {
                   const auto text = json_get<std::string>(row, "answer", where);
                   const auto answer = final_answer(text);
                   ASSERT_TRUE(answer) << where;
                   EXPECT_EQ(*answer, text.substr(text.rfind("#### ") + 5)) << where;
                   EXPECT_TRUE(is_checkable(*answer)) << where;
                   ++rows;
                 });
  EXPECT_EQ(rows, 7473);
}

// The same questions answered in another form, with the answer in a column of its own.
TEST(SameAnswer, HoldsBetweenTwoRecordingsOfGsm8k) {
  TAPIR_NEEDS_TEST_DATA("instructions/flan_cot_gsm8k.tsv.gz");
  std::map<std::string, std::string> answers;
  for_each_jsonl(testing::test_data() / "instructions/gsm8k_train.jsonl.gz",
                 [&](const Json& row, const std::string& where) {
                   answers[json_get<std::string>(row, "question", where)] =
                       json_get<std::string>(row, "answer", where);
                 });
  int compared = 0;
  int same = 0;
  for_each_line(testing::test_data() / "instructions/flan_cot_gsm8k.tsv.gz",
                [&](std::string_view line, std::size_t) {
                  const std::size_t tab = line.find('\t');
                  const auto found = answers.find(std::string(line.substr(0, tab)));
                  if (found == answers.end()) return;
                  const std::string_view rest = line.substr(tab + 1);
                  ++compared;
                  same +=
                      same_answer(*final_answer(found->second), rest.substr(0, rest.find('\t')));
                });
  EXPECT_GT(compared, 5000);
  EXPECT_EQ(same, compared);
}

}  // namespace
}  // namespace tapir::rubric
