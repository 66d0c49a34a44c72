#include <algorithm>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "tasks/classifier.h"
#include "tasks/light_features.h"
#include "test_data.h"

namespace tapir::tasks {
namespace {

// Sentences of three kinds from small vocabularies with words in common.
std::vector<LabelledText> kinds(int rows, std::uint64_t seed) {
  const std::vector<std::vector<std::string>> words = {
      {"add", "sum", "number", "plus", "digits"},
      {"translate", "French", "German", "sentence", "word"},
      {"function", "python", "loop", "return", "list"}};
  const std::vector<std::string> shared = {"the", "please", "a", "write", "give", "now", "of"};
  const std::vector<std::string> names = {"Math", "Multilingual", "Code"};
  std::vector<LabelledText> out;
  for (int i = 0; i < rows; ++i) {
    RandomStream stream(seed, "kinds", std::to_string(i));
    const std::size_t kind = stream.below(3);
    std::string text;
    for (int w = 0; w < 9; ++w) {
      if (w > 0) text.append(" ");
      text.append(stream.chance(0.4) ? stream.choose(words[kind]) : stream.choose(shared));
    }
    out.push_back({std::to_string(i), text, names[kind]});
  }
  return out;
}

LightOptions quick() {
  LightOptions options;
  options.hash_bits = 14;
  return options;
}

TEST(LightClassifier, LearnsWhatIsLearnable) {
  const auto classifier = train_light(kinds(600, 1), quick());
  const auto held_out = kinds(300, 2);
  const Agreement result = agreement(*classifier, held_out);
  EXPECT_EQ(result.rows, 300);
  EXPECT_GT(result.accuracy, 0.93);
  EXPECT_LT(result.expected_calibration_error, 0.15);
  std::int64_t counted = 0;
  std::int64_t diagonal = 0;
  for (const auto& [truth, row] : result.confusion) {
    for (const auto& [predicted, count] : row) {
      counted += count;
      diagonal += truth == predicted ? count : 0;
    }
  }
  EXPECT_EQ(counted, 300);
  EXPECT_DOUBLE_EQ(static_cast<double>(diagonal) / 300, result.accuracy);
}

TEST(LightClassifier, IsTheSameForAnyOrderOfRows) {
  auto rows = kinds(200, 1);
  const auto first = train_light(rows, quick());
  RandomStream(1, "order").shuffle(rows);
  const auto second = train_light(rows, quick());
  LightOptions other = quick();
  other.seed = 43;
  const auto third = train_light(rows, other);
  bool seed_matters = false;
  for (const LabelledText& row : kinds(50, 3)) {
    const Label label = first->classify(row.text);
    EXPECT_EQ(label.task, second->classify(row.text).task);
    EXPECT_EQ(label.confidence, second->classify(row.text).confidence);
    seed_matters = seed_matters || label.confidence != third->classify(row.text).confidence;
    EXPECT_GT(label.confidence, 1.0 / 3);
    EXPECT_LE(label.confidence, 1);
  }
  EXPECT_TRUE(seed_matters);
}

TEST(LightClassifier, AnswersForAnyText) {
  const auto classifier = train_light(kinds(60, 1), quick());
  for (int i = 0; i < 2000; ++i) {
    RandomStream stream(17, "text", std::to_string(i));
    std::string text;
    for (std::uint64_t n = stream.below(40); n > 0; --n)
      text += static_cast<char>(stream.below(256));
    const Label label = classifier->classify(text);
    EXPECT_TRUE(label.task == "Math" || label.task == "Multilingual" || label.task == "Code");
    EXPECT_TRUE(label.confidence > 0 && label.confidence <= 1);
  }
}

TEST(LightClassifier, OneLabelAndNoRows) {
  EXPECT_THROW(train_light({}, quick()), Error);
  const std::vector<LabelledText> one = {{"1", "text", "Only"}};
  EXPECT_EQ(train_light(one, quick())->classify("anything").task, "Only");
  EXPECT_EQ(agreement(*train_light(one, quick()), {}).rows, 0);
}

class Fixed : public TaskClassifier {
 public:
  explicit Fixed(double confidence) : confidence_(confidence) {}
  Label classify(const std::string& /*prompt*/) const override { return {"Math", confidence_}; }

 private:
  double confidence_;
};

TEST(Agreement, CalibrationIsTheGapBetweenConfidenceAndAccuracy) {
  std::vector<LabelledText> rows;
  for (int i = 0; i < 10; ++i) rows.push_back({std::to_string(i), "x", i < 6 ? "Math" : "Art"});
  EXPECT_DOUBLE_EQ(agreement(Fixed(0.6), rows).accuracy, 0.6);
  EXPECT_NEAR(agreement(Fixed(0.6), rows).expected_calibration_error, 0, 1e-12);
  EXPECT_NEAR(agreement(Fixed(1.0), rows).expected_calibration_error, 0.4, 1e-12);
}

TEST(HashText, CountsWordsPairsAndGrams) {
  const HashedText hashed = hash_text("Add add, now", 16);
  const auto total = [&](Block block) {
    float sum = 0;
    for (const HashedCount& one : hashed[block]) sum += one.count;
    return sum;
  };
  EXPECT_EQ(total(Block::words), 4);
  EXPECT_EQ(hashed[Block::words].size(), 3U) << "add, the comma, now";
  EXPECT_EQ(total(Block::pairs), 3);
  EXPECT_EQ(total(Block::opening), 4 + 3);
  EXPECT_EQ(total(Block::characters), 3 * (3 + 2 + 1) + 1)
      << "' add ' and ' now ' have six each, ' , ' has one";
  for (const auto& block : hashed.blocks) {
    EXPECT_TRUE(std::is_sorted(block.begin(), block.end(),
                               [](const auto& a, const auto& b) { return a.bucket < b.bucket; }));
  }
  EXPECT_TRUE(hash_text("", 16)[Block::words].empty());
}

// A fifth of the real rows is held out; the figure of all five folds stands in the benchmark.
TEST(LightClassifier, OnRealScenariosBeatsTheCommonestLabelByFar) {
  TAPIR_NEEDS_TEST_DATA("tasks/auto-j_scenarios_train.jsonl.gz");
  std::vector<LabelledText> train;
  std::vector<LabelledText> held_out;
  for_each_jsonl(testing::test_data() / "tasks/auto-j_scenarios_train.jsonl.gz",
                 [&](const Json& row, const std::string& where) {
                   LabelledText text{where, json_get<std::string>(row, "instruction", where),
                                     json_get<std::string>(row, "category", where)};
                   auto& part = (train.size() + held_out.size()) % 5 == 0 ? held_out : train;
                   part.push_back(std::move(text));
                 });
  LightOptions options;
  options.epochs = 3;
  const auto classifier = train_light(train, options);
  EXPECT_GT(agreement(*classifier, held_out).accuracy, 0.35);
}

}  // namespace
}  // namespace tapir::tasks
