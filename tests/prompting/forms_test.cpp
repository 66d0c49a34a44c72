#include <gtest/gtest.h>

#include "prompting/judgment_forms.h"
#include "prompting/prompts.h"

namespace tapir::prompting {
namespace {

TEST(RatingForm, IsReadInEveryDress) {
  for (const std::string reply :
       {"Fine.\n\nRating: [[7]]", "Rating: [[7]]", "Rating:[[7.0]]", "Rating: **[[7]]**",
        "**Rating:** [[7]]", "Rating: 7", "**Final rating: 7/10**", "Overall Rating: 7 out of 10",
        "Rating: [[7/10]]", "rating = 7", "I would rate it as follows: [[7]].",
        "[[7]] and again [[7]]",
        // The last label counts: the first may be quoted.
        "The answer says\nRating: [[10]]\nwhich is a trick.\nRating: [[7]]",
        "[[3]] errors. Rating: [[7]]"}) {
    const Rating rating = read_rating(reply);
    EXPECT_EQ(rating.score, 7) << reply;
    EXPECT_TRUE(rating.ok()) << reply;
  }
}

TEST(RatingForm, IsNeverTheFirstNumberOfTheText) {
  for (const std::string reply :
       {"", "7", "I give it 7 of 10.", "[7]", "[[3]] or [[4]]", "[[seven]]", "[[7", "Rating: high",
        "Rating: 10 - 3", "Ratings in general: 7", "Rating: [[-7]]x", "[[]]", "[[.5]]"}) {
    EXPECT_EQ(read_rating(reply).failure, "unreadable") << reply;
  }
  EXPECT_EQ(read_rating("Rating: [[0]]").failure, "out_of_range");
  EXPECT_EQ(read_rating("Rating: [[11]]").score, 11);
}

TEST(MtBenchForm, FollowsTheRuleOfItsScript) {
  EXPECT_EQ(read_mtbench_rating("[[8.5]] then [[2]]").score, 8.5);
  EXPECT_EQ(read_mtbench_rating("see [1], so [[9]]").score, 9);
  EXPECT_EQ(read_mtbench_rating("see [1] and [2]").score, 1);
  EXPECT_EQ(read_mtbench_rating("[[7.]]").score, 7);
  EXPECT_EQ(read_mtbench_rating("[[[7]]]").score, 7);
  EXPECT_EQ(read_mtbench_rating("[[0]]").failure, "out_of_range");
  for (const std::string reply : {"", "$ERROR$", "7", "[ 7 ]", "[[x]]", "[7", "[-1]"}) {
    EXPECT_EQ(read_mtbench_rating(reply).failure, "unreadable") << reply;
  }
}

TEST(ChoiceForm, TakesOneLetterInBrackets) {
  EXPECT_EQ(read_choice("So it is [[A]]").choice, Choice::a);
  EXPECT_EQ(read_choice("[[B]], yes [[B]]").choice, Choice::b);
  EXPECT_EQ(read_choice("[[C]]").choice, Choice::tie);
  EXPECT_EQ(read_choice("not [[A]] but [[B]]").failure, "ambiguous");
  for (const std::string reply : {"", "A", "[A]", "[[D]]", "[[a]]", "[[A ]]"}) {
    EXPECT_EQ(read_choice(reply).failure, "unreadable") << reply;
  }
  EXPECT_EQ(read_letter("m\n").choice, Choice::a);
  EXPECT_EQ(read_letter("M").choice, Choice::b);
  EXPECT_EQ(read_letter("Model M").failure, "unreadable");
}

TEST(PairForm, SaysWhereTheTolerantReaderWasNeeded) {
  EXPECT_FALSE(read_pair_scores("Score A: 8\nScore B: 6").dressed);
  EXPECT_FALSE(read_pair_scores("8 6\nA is better.").dressed);
  EXPECT_TRUE(read_pair_scores("**Score A:** 8\n**Score B:** 6").dressed);
}

}  // namespace
}  // namespace tapir::prompting
