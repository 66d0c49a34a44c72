// Readers of replies take any text, in linear time.
#include "fuzzed_replies.h"

namespace tapir::prompting {
namespace {

TEST(Readers, AreTotal) {
  const std::vector<std::string> labels = {"Math", "Art"};
  for (std::uint64_t i = 0; i < 100000; ++i) {
    const std::string text = testing::fuzzed_reply(i);
    testing::expect_total(text);
    const ReadText expansion = read_expansion(text);
    ASSERT_EQ(expansion.ok(), !expansion.text.empty());
    ASSERT_EQ(read_answer(text).ok(), !read_answer(text).text.empty());
    const ReadText label = read_label(text, labels);
    ASSERT_TRUE(!label.ok() || label.text == "Math" || label.text == "Art");
    read_fence(text, "answer");
  }
}

// Whatever stands before them, the two labelled last lines are read, and only they.
TEST(Readers, TakeTheLastTwoLinesWhateverStandsBefore) {
  for (std::uint64_t i = 0; i < 20000; ++i) {
    RandomStream stream(12, "last lines", std::to_string(i));
    const int a = stream.between(1, 10);
    const int b = stream.between(1, 10);
    const std::string text = testing::fuzzed_reply(i) + "\nScore A: " + std::to_string(a) +
                             "\nScore B: " + std::to_string(b) + "\n";
    const PairScores scores = read_pair_scores(text);
    ASSERT_TRUE(scores.ok()) << text;
    ASSERT_EQ(scores.a, a) << text;
    ASSERT_EQ(scores.b, b) << text;
    const Rating rating =
        read_rating(testing::fuzzed_reply(i) + "\nRating: [[" + std::to_string(a) + "]]");
    ASSERT_EQ(rating.score, a) << text;
  }
}

TEST(Readers, TakeLinearTimeOnHugeReplies) {
  const std::string spaces(2'000'000, ' ');
  EXPECT_EQ(read_pair_scores(std::string(2'000'000, '8')).failure, "unreadable");
  EXPECT_EQ(read_pair_scores(spaces + "8").failure, "unreadable");
  std::string lines;
  for (int i = 0; i < 200'000; ++i) lines += "Score B: 5\n";
  EXPECT_EQ(read_pair_scores(lines).failure, "unreadable");
  EXPECT_EQ(read_rating(lines).failure, "unreadable");
  for (const std::string& reply : {std::string(2'000'000, '['), std::string(2'000'000, '7')}) {
    EXPECT_EQ(read_rating(reply).failure, "unreadable");
    EXPECT_EQ(read_mtbench_rating(reply).failure, "unreadable");
  }
  std::string ratings;
  for (int i = 0; i < 200'000; ++i) ratings += "[[5]]*  ";
  EXPECT_EQ(read_rating(ratings).score, 5);
  std::string tags;
  for (int i = 0; i < 200'000; ++i) tags += "<answer>";
  EXPECT_EQ(read_label(tags, {"Math"}).failure, "unreadable");
  EXPECT_EQ(read_fence(fenced("task", tags), "task"), tags);
}

}  // namespace
}  // namespace tapir::prompting
