// Asking and reading the judge of AlpacaEval, bit by bit as upstream.
#include "evaluate/alpaca_judge.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "alpaca_data.h"

namespace tapir::evaluate {
namespace {

using Tokens = std::vector<llm::TokenLogprob>;

// random.Random(seed).random() of Python 3.11
TEST(PythonRandom, FirstDrawOfATextSeed) {
  EXPECT_EQ(python_random(""), 0.9602256525641875);
  EXPECT_EQ(python_random("abc"), 0.7720246314157545);
  EXPECT_EQ(python_random("is_switched_outputsWhat is 2+2?0"), 0.05631924392020804);
  EXPECT_EQ(python_random("ünïcödé 🙂"), 0.623069154291113);
  EXPECT_EQ(python_random(std::string(1000, 'x')), 0.16324419727364425);
}

TEST(OrderSwitch, RightOnEveryPublishedRow) {
  TAPIR_NEEDS_TEST_DATA("alpaca_eval/annotations");
  std::size_t rows = 0;
  for (const std::string& model : testing::alpaca_models()) {
    for (const Json& row : testing::stripped_annotations(model)) {
      if (!row.contains("M_is")) continue;  // equal outputs: the judge was not asked
      const auto& instruction = testing::alpaca_baseline().at(row.at("i").get<std::size_t>());
      ASSERT_EQ(is_switched(instruction.instruction), row.at("M_is") == "output_1")
          << model << " row " << row.at("i");
      ++rows;
    }
  }
  EXPECT_EQ(rows, 8825U);
}

TEST(Preference, OfPublishedTokensAsPublished) {
  TAPIR_NEEDS_TEST_DATA("alpaca_eval/annotations");
  for (const std::string& model : testing::alpaca_models()) {
    for (const Annotation& row : testing::alpaca_annotations(model)) {
      if (row.first_tokens.empty()) continue;
      const auto preference = preference_of_tokens(row.first_tokens);
      ASSERT_TRUE(preference) << row.instruction;
      EXPECT_NEAR(unswitched(*preference, is_switched(row.instruction)), *row.preference, 1e-9)
          << model << ": " << row.instruction;
    }
  }
}

TEST(Preference, OfRawCompletionsAsPublished) {
  TAPIR_NEEDS_TEST_DATA("alpaca_eval/annotations");
  for (const std::string model : {"alpaca-7b", "gpt-3.5-turbo-1106"}) {
    const std::string file = "annotations/" + model + ".raw.json.gz";
    const auto rows = read_annotations(testing::alpaca_text(file), file);
    ASSERT_EQ(rows.size(), 805U);
    for (const Annotation& row : rows) {
      EXPECT_EQ(row.first_tokens.empty(), row.output_1 == row.output_2);
      if (row.first_tokens.empty()) {
        EXPECT_EQ(row.preference, 1.5);
        continue;
      }
      EXPECT_NEAR(unswitched(*preference_of_tokens(row.first_tokens), is_switched(row.instruction)),
                  *row.preference, 1e-9);
    }
  }
}

TEST(Preference, OneLabelAloneIsCertain) {
  EXPECT_EQ(preference_of_tokens(Tokens{{"The", -0.1}, {"m", -3}}), 1.0);
  EXPECT_EQ(preference_of_tokens(Tokens{{"M", -3}}), 2.0);
}

TEST(Preference, BothLabelsShareTheirProbability) {
  const auto preference = preference_of_tokens(Tokens{{"m", std::log(0.1)}, {"M", std::log(0.3)}});
  EXPECT_NEAR(*preference, 1.75, 1e-12);
}

TEST(Preference, NeitherLabelIsNoPreference) {
  EXPECT_EQ(preference_of_tokens(Tokens{{" m", -0.1}, {"The", -3}}), std::nullopt);
  EXPECT_EQ(preference_of_tokens(Tokens{}), std::nullopt);
  const double never = -std::numeric_limits<double>::infinity();
  EXPECT_EQ(preference_of_tokens(Tokens{{"m", never}, {"M", never}}), std::nullopt);
}

TEST(Preference, LettersAreExact) {
  EXPECT_EQ(preference_of_letter("m"), 1.0);
  EXPECT_EQ(preference_of_letter(" M\n"), 2.0);
  EXPECT_EQ(preference_of_letter("Model m"), std::nullopt);
  EXPECT_EQ(unswitched(1.25, true), 1.75);
  EXPECT_EQ(unswitched(1.25, false), 1.25);
}

}  // namespace
}  // namespace tapir::evaluate
