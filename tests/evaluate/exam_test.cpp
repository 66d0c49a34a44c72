#include "evaluate/exam.h"

#include <algorithm>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/random.h"

namespace tapir::evaluate {
namespace {

// Answers with the prompt in upper case, in reverse order of the requests; stops after `limit`
// rows.
class Shouter : public student::Student {
 public:
  explicit Shouter(std::size_t limit = 1000) : limit_(limit) {}
  std::int64_t parameter_count() const override { return 1; }
  int context_length() const override { return 20; }
  void generate(std::span<const student::GenerateRequest> requests, const student::GenerateOptions&,
                const student::GenerationSink& sink, std::stop_token) const override {
    std::size_t done = 0;
    for (std::size_t i = requests.size(); i-- > 0 && done < limit_; ++done) {
      student::Generation generation{.id = requests[i].id};
      const std::string& prompt = requests[i].messages.back().content;
      if (prompt.size() > 20) generation.failure = "too_long";
      for (const char c : prompt) generation.text += static_cast<char>(std::toupper(c));
      if (!generation.failure.empty()) generation.text.clear();
      sink(std::move(generation));
    }
  }
  std::vector<student::TokenLosses> token_losses(std::span<const Example>) const override {
    return {};
  }
  student::TokenLosses completion_losses(const std::string&, const std::string&) const override {
    return {};
  }
  std::vector<std::int32_t> tokenize(const std::string&, bool) const override { return {}; }
  std::vector<std::int32_t> tokenize_chat(const Messages&) const override { return {}; }

 private:
  std::size_t limit_;
};

class VowelGrader : public Grader {
 public:
  Grade grade(const ExamItem&, const std::string& answer) const override {
    return answer.find('A') != std::string::npos ? Grade{true, 10} : Grade{false, 3};
  }
};

const std::vector<ExamItem> kItems = {
    {"1", "uniform", "f", 1, {{Role::user, "abc"}}},
    {"2", "pool", "f", 2, {{Role::user, "xyz"}}},
    {"3", "uniform", "g", 1, {{Role::user, "a prompt that is far too long"}}}};

TEST(RunExam, GradesEveryItem) {
  std::map<std::string, store::ExamRow> rows;
  const bool complete =
      run_exam(Shouter(), "s0", kItems, VowelGrader(), {},
               [&](const store::ExamRow& row) { rows[row.item_id] = row; }, silent_progress(), {});
  EXPECT_TRUE(complete);
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_TRUE(rows["1"].correct);
  EXPECT_EQ(rows["1"].answer, "ABC");
  EXPECT_EQ(rows["1"].student, "s0");
  EXPECT_FALSE(rows["2"].correct);
  EXPECT_EQ(rows["2"].set, "pool");
  EXPECT_EQ(rows["2"].level, 2);
  EXPECT_EQ(rows["2"].score, 3);
  EXPECT_FALSE(rows["3"].correct) << "too long for the context: wrong, never skipped";
  EXPECT_EQ(rows["3"].score, 1);
}

TEST(RunExam, AnItemOfTwoSetsIsAnsweredInBoth) {
  const std::vector<ExamItem> items = {{"1", "uniform", "f", 1, {{Role::user, "abc"}}},
                                       {"1", "pool", "f", 1, {{Role::user, "abc"}}}};
  std::vector<std::string> sets;
  run_exam(Shouter(), "s0", items, VowelGrader(), {},
           [&](const store::ExamRow& row) {
             EXPECT_EQ(row.item_id, "1");
             sets.push_back(row.set);
           },
           silent_progress(), {});
  EXPECT_THAT(sets, ::testing::UnorderedElementsAre("uniform", "pool"));
  const std::vector<ExamItem> twice = {items[0], items[0]};
  EXPECT_THROW(run_exam(Shouter(), "s0", twice, VowelGrader(), {}, [](const store::ExamRow&) {},
                        silent_progress(), {}),
               Error);
}

TEST(RunExam, SaysWhenItWasStopped) {
  int rows = 0;
  EXPECT_FALSE(run_exam(Shouter(2), "s0", kItems, VowelGrader(), {},
                        [&](const store::ExamRow&) { ++rows; }, silent_progress(), {}));
  EXPECT_EQ(rows, 2);
}

store::ExamRow row(const std::string& id, const std::string& family, int level, bool correct,
                   double score, const std::string& set = "uniform") {
  return {.student = "s",
          .item_id = id,
          .set = set,
          .family = family,
          .level = level,
          .correct = correct,
          .score = score};
}

TEST(Summarise, MacroAccuracyCountsCellsEqually) {
  const std::vector<store::ExamRow> rows = {
      row("1", "f", 1, true, 10), row("2", "f", 1, true, 10), row("3", "f", 1, false, 4),
      row("4", "f", 2, false, 1), row("5", "g", 1, true, 9),  row("6", "g", 1, true, 1, "pool")};
  const ExamSummary summary = summarise(rows, "uniform");
  EXPECT_EQ(summary.all.items, 5);
  EXPECT_DOUBLE_EQ(summary.all.accuracy, 0.6);
  EXPECT_DOUBLE_EQ(summary.all.score, 6.8);
  EXPECT_DOUBLE_EQ(summary.macro_accuracy, (2.0 / 3 + 0 + 1) / 3);
  EXPECT_DOUBLE_EQ(summary.by_family.at("f").accuracy, 0.5);
  EXPECT_DOUBLE_EQ(summary.by_cell.at({"f", 1}).score, 8);
  EXPECT_EQ(summarise(rows, "beyond").all.items, 0);
  EXPECT_EQ(summarise({}, "uniform").macro_accuracy, 0);
}

// Two students on the same items, a better by `edge` in the probability of being right.
std::pair<std::vector<store::ExamRow>, std::vector<store::ExamRow>> pair_of_students(
    double edge, std::uint64_t seed) {
  RandomStream stream(seed, "students");
  std::vector<store::ExamRow> a;
  std::vector<store::ExamRow> b;
  for (int i = 0; i < 600; ++i) {
    const std::string family = std::string("f").append(std::to_string(i % 6));
    const bool b_right = stream.chance(0.4);
    const bool a_right = b_right || stream.chance(edge);
    a.push_back(row(std::to_string(i), family, 1 + i % 5, a_right, a_right ? 10 : 3));
    b.push_back(row(std::to_string(i), family, 1 + i % 5, b_right, b_right ? 10 : 3));
  }
  return {a, b};
}

TEST(Compare, FindsAnEdgeAndIsAntisymmetric) {
  const auto [a, b] = pair_of_students(0.2, 1);
  const Comparison result = compare(a, b, "uniform", 7);
  EXPECT_EQ(result.items, 600);
  EXPECT_NEAR(result.difference,
              summarise(a, "uniform").macro_accuracy - summarise(b, "uniform").macro_accuracy,
              1e-12);
  EXPECT_GT(result.low, 0);
  EXPECT_LT(result.low, result.difference);
  EXPECT_GT(result.high, result.difference);
  EXPECT_LT(result.p, 0.001);
  EXPECT_GT(result.win_low, 0.5);
  const Comparison reversed = compare(b, a, "uniform", 7);
  EXPECT_DOUBLE_EQ(reversed.difference, -result.difference);
  EXPECT_DOUBLE_EQ(reversed.p, result.p);
  EXPECT_DOUBLE_EQ(reversed.win_rate, 1 - result.win_rate);
}

TEST(Compare, TheOrderOfRowsIsIrrelevant) {
  auto [a, b] = pair_of_students(0.05, 2);
  const Comparison expected = compare(a, b, "uniform", 7);
  std::reverse(a.begin(), a.end());
  RandomStream stream(1, "shuffle");
  stream.shuffle(b);
  const Comparison again = compare(a, b, "uniform", 7);
  EXPECT_EQ(again.difference, expected.difference);
  EXPECT_EQ(again.low, expected.low);
  EXPECT_EQ(again.p, expected.p);
  EXPECT_EQ(again.win_high, expected.win_high);
}

TEST(Compare, AStudentAgainstItself) {
  const auto [a, b] = pair_of_students(0.2, 3);
  const Comparison result = compare(a, a, "uniform", 7);
  EXPECT_EQ(result.difference, 0);
  EXPECT_EQ(result.low, 0);
  EXPECT_EQ(result.high, 0);
  EXPECT_EQ(result.p, 1);
  EXPECT_EQ(result.win_rate, 0.5);
}

TEST(Compare, OtherItemsAreABug) {
  auto [a, b] = pair_of_students(0.2, 3);
  b.pop_back();
  EXPECT_THROW(compare(a, b, "uniform", 7), Error);
  b.push_back(row("another", "f1", 1, true, 10));
  EXPECT_THROW(compare(a, b, "uniform", 7), Error);
  a.push_back(a.front());
  EXPECT_THROW(summarise(a, "uniform"), Error);
  EXPECT_EQ(compare({}, {}, "uniform", 7).items, 0);
}

}  // namespace
}  // namespace tapir::evaluate
