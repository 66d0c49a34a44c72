// Win rates against the published ones (test data), and properties of the length control.
#include "evaluate/alpaca_score.h"

#include <cmath>

#include <gmock/gmock.h>

#include "alpaca_data.h"
#include "base/random.h"
#include "base/strings.h"

namespace tapir::evaluate {
namespace {

std::vector<std::optional<double>> preferences_of(const std::vector<Annotation>& rows) {
  std::vector<std::optional<double>> preferences;
  for (const Annotation& row : rows) preferences.push_back(row.preference);
  return preferences;
}

TEST(WinRates, AsPublished) {
  TAPIR_NEEDS_TEST_DATA("alpaca_eval/annotations");
  const auto leaderboard = testing::alpaca_leaderboard();
  for (const std::string& model : testing::alpaca_models()) {
    const WinRates rates = win_rates(preferences_of(testing::alpaca_annotations(model)));
    const WinRates& published = leaderboard.at(model).rates;
    EXPECT_NEAR(rates.win_rate, published.win_rate, 1e-9) << model;
    EXPECT_NEAR(rates.standard_error, published.standard_error, 1e-9) << model;
    EXPECT_NEAR(rates.discrete_win_rate, published.discrete_win_rate, 1e-9) << model;
    EXPECT_EQ(rates.n_wins, published.n_wins) << model;
    EXPECT_EQ(rates.n_wins_base, published.n_wins_base) << model;
    EXPECT_EQ(rates.n_draws, published.n_draws) << model;
    EXPECT_EQ(rates.n_total, published.n_total) << model;
  }
}

TEST(WinRates, MissingAndImpossiblePreferencesAreLeftOut) {
  const std::vector<std::optional<double>> preferences = {2.0, std::nullopt, 1.0, 1.5, 3.7, 0.2};
  const WinRates rates = win_rates(preferences);
  EXPECT_EQ(rates.n_total, 3);
  EXPECT_DOUBLE_EQ(rates.win_rate, 50);
  EXPECT_NEAR(rates.standard_error, 100 * 0.5 / std::sqrt(3.0), 1e-12);
  EXPECT_DOUBLE_EQ(rates.discrete_win_rate, 50);
  EXPECT_EQ(win_rates({}).n_total, 0);
}

TEST(WinRates, OfEveryRepeatOfTheJudge) {
  const std::vector<std::vector<double>> repeats = {{1, 2, 2}, {}, {1, 1, 2}};
  const std::vector<std::optional<double>> preferences = {5.0 / 3, 1.5, 4.0 / 3};
  EXPECT_THAT(
      win_rates_by_repeat(repeats, preferences),
      ::testing::ElementsAre(::testing::DoubleEq(100.0 / 6), 50, ::testing::DoubleEq(250.0 / 3)));
  const std::vector<std::vector<double>> uneven = {{1, 2}, {1}};
  EXPECT_TRUE(win_rates_by_repeat(uneven, std::vector<std::optional<double>>{1.5, 1}).empty());
  const std::vector<std::vector<double>> none = {{}, {}};
  EXPECT_TRUE(win_rates_by_repeat(none, std::vector<std::optional<double>>{1.5, 1}).empty());
}

class LengthControl : public ::testing::Test {
 protected:
  void SetUp() override {
    TAPIR_NEEDS_TEST_DATA("alpaca_eval/annotations");
    difficulties = read_difficulties(
        testing::alpaca_text("instruction_difficulty_reconstructed.csv"), "difficulty");
    regularization =
        read_regularization(testing::alpaca_text("df_gamed_reconstructed.csv"), "df_gamed");
    weights = read_weights(testing::alpaca_text("glm_weights.csv"), "weights");
  }

  // shifted: difficulties by the row's position in the file, as upstream has it when rows were
  // dropped.
  std::vector<LengthRow> rows_of(const std::string& model, bool shifted = false) const {
    std::vector<LengthRow> rows;
    for (const Json& row : testing::stripped_annotations(model)) {
      const double delta = row.at("len_1").get<double>() - row.at("len_2").get<double>();
      const std::size_t place = shifted ? rows.size() : row.at("i").get<std::size_t>();
      rows.push_back({delta, difficulties.at(place), row.at("preference").get<double>() - 1});
    }
    return rows;
  }

  static PercentMean win_rate(const LengthControlWeights& of, const std::vector<LengthRow>& rows) {
    std::vector<double> here;
    for (const LengthRow& row : rows) here.push_back(row.difficulty);
    return percent_mean(length_controlled_shares(of, {}, here));
  }

  std::vector<double> difficulties;
  std::vector<RegularizationRow> regularization;
  WeightTable weights;
};

// Rows of these were dropped, and the difficulties of all behind them shifted by one or two.
bool was_shifted(const std::string& model) {
  return model == "phi-2" || model == "text_davinci_001";
}

TEST_F(LengthControl, FromPublishedCoefficientsAsPublished) {
  const auto leaderboard = testing::alpaca_leaderboard();
  for (const std::string& model : testing::alpaca_models()) {
    if (model == "NullModel") continue;  // the published coefficients are stale
    const PercentMean mean = win_rate(weights.at(model), rows_of(model, was_shifted(model)));
    EXPECT_NEAR(mean.mean, *leaderboard.at(model).length_controlled_winrate, 1e-6) << model;
  }
}

TEST_F(LengthControl, RefittedNearThePublished) {
  const auto leaderboard = testing::alpaca_leaderboard();
  LengthControlOptions options;
  options.c = 21.54;
  for (const std::string& model : testing::alpaca_models()) {
    const std::vector<LengthRow> rows = rows_of(model, was_shifted(model));
    const auto fit = fit_length_control(rows, regularization, options);
    ASSERT_TRUE(fit && fit->converged) << model;
    EXPECT_NEAR(win_rate(fit->weights, rows).mean, *leaderboard.at(model).length_controlled_winrate,
                0.11)
        << model;
  }
}

// Where no row is dropped nothing is shifted; where some are, it is not a detail.
TEST_F(LengthControl, AShiftOfDifficultiesMovesTheFigure) {
  LengthControlOptions options;
  options.c = 21.54;
  const auto rate = [&](bool shifted) {
    const std::vector<LengthRow> rows = rows_of("text_davinci_001", shifted);
    return win_rate(fit_length_control(rows, regularization, options)->weights, rows).mean;
  };
  EXPECT_GT(rate(true) - rate(false), 2);
}

TEST_F(LengthControl, HeadToHeadIsAntisymmetric) {
  const auto& a = weights.at("claude-2");
  const auto& b = weights.at("vicuna-7b");
  const double one = percent_mean(length_controlled_shares(a, b, difficulties)).mean;
  const double other = percent_mean(length_controlled_shares(b, a, difficulties)).mean;
  EXPECT_NEAR(one + other, 100, 1e-9);
  EXPECT_GT(one, 80);
  EXPECT_DOUBLE_EQ(percent_mean(length_controlled_shares(a, a, difficulties)).mean, 50);
}

TEST_F(LengthControl, CrossValidationChoosesAmongUpstreamsCandidates) {
  const auto fit = fit_length_control(rows_of("vicuna-7b"), regularization, {});
  ASSERT_TRUE(fit);
  ASSERT_EQ(fit->candidates.size(), 10U);
  EXPECT_THAT(fit->candidates, ::testing::Contains(fit->c));
  EXPECT_EQ(*std::min_element(fit->losses.begin(), fit->losses.end()),
            fit->losses[static_cast<std::size_t>(
                std::find(fit->candidates.begin(), fit->candidates.end(), fit->c) -
                fit->candidates.begin())]);
}

// Simulated: a model whose wins come from length alone is near 50 % when length is controlled.
TEST(LengthControlSimulated, WinsByLengthAloneAreTakenOut) {
  RandomStream random(5, "length");
  std::vector<LengthRow> rows;
  std::vector<std::optional<double>> preferences;
  for (int i = 0; i < 3000; ++i) {
    const double delta = -300 + 400 * random.normal();  // the model's are longer
    rows.push_back({delta, 0, random.chance(stats::sigmoid(-delta / 250)) ? 1.0 : 0.0});
    preferences.emplace_back(1 + *rows.back().share);
  }
  LengthControlOptions options;
  options.use_difficulty = false;
  const auto fit = fit_length_control(rows, {}, options);
  ASSERT_TRUE(fit);
  EXPECT_GT(win_rates(preferences).win_rate, 65);
  EXPECT_NEAR(100 * stats::sigmoid(fit->weights.model), 50, 5);
  EXPECT_EQ(fit->weights.difficulty, 0);
}

TEST(LengthControlSimulated, EqualLengthsLeaveTheTermOut) {
  const std::vector<LengthRow> rows(20, LengthRow{7, 0, 0.25});
  LengthControlOptions options;
  options.use_difficulty = false;
  const auto fit = fit_length_control(rows, {}, options);
  ASSERT_TRUE(fit);
  EXPECT_EQ(fit->weights.length, 0);
  EXPECT_TRUE(std::isfinite(fit->weights.model));
}

TEST(LengthControlSimulated, TooFewRowsGiveNothing) {
  const std::vector<LengthRow> rows = {{1, 0, 0.5}, {2, 0, std::nullopt}};
  EXPECT_FALSE(fit_length_control(rows, {}, {}));
}

TEST(LengthControlSimulated, MissingPreferencesAreLeftOutOfTheFitOnly) {
  std::vector<LengthRow> rows;
  for (int i = 0; i < 40; ++i) rows.push_back({i * 10.0 - 200, 0, (i % 4) / 3.0});
  LengthControlOptions options;
  options.use_difficulty = false;
  options.c = 1;
  const auto all = length_control_rows(rows, {}, options);
  rows[3].share.reset();
  const auto some = length_control_rows(rows, {}, options);
  ASSERT_EQ(some.size(), all.size() - 1);
  // Lengths are standardised over all rows still.
  EXPECT_EQ(some.row(3)[0], all.row(4)[0]);
}

// The instructions come out in the order of the levels they were drawn with.
TEST(JointDifficulty, FindsWhichInstructionsAreEasy) {
  RandomStream random(6, "joint");
  constexpr std::size_t kModels = 12, kInstructions = 60;
  std::vector<double> truth;
  for (std::size_t i = 0; i < kInstructions; ++i) truth.push_back(random.normal());
  std::vector<JointRow> rows;
  for (std::size_t m = 0; m < kModels; ++m) {
    const double level = random.normal();
    for (std::size_t i = 0; i < kInstructions; ++i) {
      const double delta = random.normal();
      rows.push_back({m, i, delta, stats::sigmoid(level - 0.8 * std::tanh(delta) + truth[i])});
    }
  }
  const std::vector<double> found = joint_difficulty(rows, kModels, kInstructions, 0.01);
  double mean = 0, truth_mean = 0;
  for (std::size_t i = 0; i < kInstructions; ++i) {
    mean += found[i] / kInstructions;
    truth_mean += truth[i] / kInstructions;
  }
  EXPECT_NEAR(mean, 0, 1e-9);
  for (std::size_t i = 0; i < kInstructions; ++i)
    EXPECT_NEAR(found[i], truth[i] - truth_mean, 0.05) << i;
}

TEST(JointDifficulty, ThePenaltyPullsAndInstructionsWithoutRowsStayAtZero) {
  const std::vector<JointRow> rows = {{0, 0, 0, 1}, {0, 1, 0, 0}, {1, 0, 0, 1}, {1, 1, 0, 0}};
  const auto weak = joint_difficulty(rows, 2, 3, 0.1);
  const auto strong = joint_difficulty(rows, 2, 3, 10);
  EXPECT_GT(weak[0], strong[0]);
  EXPECT_GT(strong[0], 0);
  EXPECT_EQ(weak[2], 0);
}

}  // namespace
}  // namespace tapir::evaluate
