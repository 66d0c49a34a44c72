#include "evaluate/held_out.h"

#include <gmock/gmock.h>

#include "evaluate/exam.h"
#include "foreseeing_student.h"

namespace tapir::evaluate {
namespace {

// Foresees every token with a loss of as many tenths as the prompt has letters; of an empty answer
// there is nothing to foresee.
class Foreseer : public testing::ForeseeingStudent {
  student::TokenLosses losses_of(const Example& example) const override {
    const double loss = 0.1 * static_cast<double>(example.segments.front().text.size());
    student::TokenLosses losses{example.id, {}, {}, loss};
    losses.logprobs.assign(example.segments.back().text.size(), static_cast<float>(-loss));
    return losses;
  }
};

HeldOutRow row_of(const std::string& id, const std::string& prompt, const std::string& reference) {
  HeldOutRow row;
  row.instruction = {.id = id, .messages = {{Role::user, prompt}}, .task = "Math"};
  row.reference = reference;
  row.answer = "an answer";
  row.score = 4;
  return row;
}

TEST(HeldOut, RowsHaveTheJudgesScoreAndTheLossOnTheRecordedAnswer) {
  std::vector<HeldOutRow> rows;
  for (int i = 0; i < 150; ++i)  // more than are measured at a time
    rows.push_back(row_of(std::to_string(i), std::string(static_cast<std::size_t>(i), 'x'), "abc"));
  rows[3].reached = true;
  rows[4].reference = "";
  std::vector<store::ExamRow> kept;
  EXPECT_TRUE(measure_held_out(Foreseer(), "tapir/round-1", rows,
                               [&](const store::ExamRow& row) { kept.push_back(row); },
                               silent_progress(), {}));
  ASSERT_EQ(kept.size(), rows.size());
  EXPECT_EQ(kept[3].student, "tapir/round-1");
  EXPECT_EQ(kept[3].set, "held_out");
  EXPECT_EQ(kept[3].family, "Math");
  EXPECT_TRUE(kept[3].correct);
  EXPECT_EQ(kept[3].score, 4);
  EXPECT_DOUBLE_EQ(*kept[3].loss, 0.1 * 3);
  EXPECT_EQ(kept[3].loss_tokens, 3);
  EXPECT_FALSE(kept[4].loss.has_value());
  EXPECT_DOUBLE_EQ(*kept[149].loss, 0.1 * 149);
}

TEST(HeldOut, StopsBetweenTheRows) {
  std::stop_source source;
  source.request_stop();
  const std::vector<HeldOutRow> rows = {row_of("1", "x", "y")};
  EXPECT_FALSE(measure_held_out(
      Foreseer(), "s0", rows, [](const store::ExamRow&) { FAIL(); }, silent_progress(),
      source.get_token()));
}

store::ExamRow sat(const std::string& id, double score, std::optional<double> loss,
                   std::int64_t tokens, const std::string& answer = "abcd") {
  return {"s", id, "held_out", "Math", 0, answer, score > 5, score, loss, tokens};
}

TEST(HeldOut, FiguresWeighLossesByTokens) {
  const std::vector<store::ExamRow> rows = {sat("1", 10, 1.0, 30, "\xC3\xA4"),
                                            sat("2", 4, 3.0, 10),
                                            sat("3", 1, std::nullopt, 0),
                                            {"s", "4", "uniform", "f", 1, "x", true, 10}};
  const HeldOutFigures figures = held_out_figures(rows);
  EXPECT_EQ(figures.items, 3);
  EXPECT_DOUBLE_EQ(figures.loss, (30 * 1.0 + 10 * 3.0) / 40);
  EXPECT_DOUBLE_EQ(figures.score, 5);
  EXPECT_DOUBLE_EQ(figures.reached, 1.0 / 3);
  EXPECT_DOUBLE_EQ(figures.characters, (1 + 4 + 4) / 3.0) << "code points";
  EXPECT_EQ(held_out_figures({}).items, 0);
}

TEST(HeldOut, ComparisonsArePairedById) {
  std::vector<store::ExamRow> a;
  std::vector<store::ExamRow> b;
  for (int i = 0; i < 40; ++i) {
    const std::string id = std::to_string(i);
    // Better by score in the first ten, worse in the next five, else the same.
    const double lead = i < 10 ? 2 : (i < 15 ? -2 : 0);
    a.push_back(sat(id, 5 + lead, 2.0 + 0.01 * i, 10, "abcdef"));
    b.insert(b.begin(), sat(id, 5, 2.5 + 0.01 * i, 10));
  }
  a.push_back(sat("only a", 10, 0.0, 1));
  b.push_back(sat("only b", 1, 9.0, 1));
  const HeldOutComparison c = compare_held_out(a, b, 1);
  EXPECT_EQ(c.items, 40);
  EXPECT_EQ(c.ties, 25);
  EXPECT_DOUBLE_EQ(c.wins, (10 + 25 * 0.5) / 40);
  EXPECT_TRUE(c.wins_interval.contains(c.wins));
  EXPECT_NEAR(c.loss.value, -0.5, 1e-12);
  EXPECT_NEAR(c.loss.interval.high, -0.5, 1e-9);
  EXPECT_LT(c.loss.p, 0.01);
  EXPECT_DOUBLE_EQ(c.characters.value, 2);
  EXPECT_EQ(compare_held_out(a, {}, 1).items, 0);
}

}  // namespace
}  // namespace tapir::evaluate
