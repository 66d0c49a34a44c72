#include "teach/novelty.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/strings.h"

namespace tapir::teach {
namespace {

Instruction says(std::string text) {
  Instruction instruction;
  instruction.messages = {{Role::user, std::move(text)}};
  return instruction;
}

std::string folded(const Instruction& instruction) {
  return lower_ascii(trim(instruction.prompt()));
}

TEST(HashNovelty, KnowsByCanonicalText) {
  HashNovelty novelty(folded);
  EXPECT_EQ(novelty.reject(says("Add 2 and 3.")), "");
  novelty.add(says("Add 2 and 3."));
  EXPECT_EQ(novelty.reject(says(" add 2 AND 3. ")), "duplicate");
  EXPECT_EQ(novelty.reject(says("Add 2 and 4.")), "");
}

TEST(HashNovelty, AsksTheExtraFunctionFirst) {
  HashNovelty novelty(folded, [](const Instruction& candidate) {
    return std::string(candidate.prompt().starts_with("exam") ? "held_out" : "");
  });
  novelty.add(says("exam one"));
  EXPECT_EQ(novelty.reject(says("exam one")), "held_out");
  EXPECT_EQ(novelty.reject(says("other")), "");
}

TEST(HashNovelty, NeedsACanonicalFunction) { EXPECT_THROW(HashNovelty({}, {}), Error); }

TEST(TextNovelty, RefusesWithTheReason) {
  const auto evaluation = std::make_shared<dataset::EvaluationIndex>(
      std::vector<dataset::EvaluationItem>{{"exam", "1", "Which planet is the largest of all?"}});
  TextNoveltyOptions options;
  options.length = {10, 200};
  TextNovelty novelty(options, evaluation);
  EXPECT_EQ(novelty.reject(says("Сколько будет дважды два?")), "") << "nothing is known yet";
  novelty.add(says("Write a poem about the old harbour at night."));
  for (const auto& [text, reason] : std::vector<std::pair<std::string, std::string>>{
           {"Describe how bread is baked in a wood oven.", ""},
           {"Write a poem about the old harbour at night.", "near_duplicate"},
           {"write a song about the old harbour at night", "near_duplicate"},
           {"Poem?", "too_short"},
           {std::string(201, 'x'), "too_long"},
           {"Сколько будет дважды два?", "other_script"},
           {"Which planet is the largest of all", "contaminated"},
           {"Broken \xEF\xBF\xBD text in here", "bad_encoding"}}) {
    EXPECT_EQ(novelty.reject(says(text)), reason) << text;
  }
}

TEST(TextNovelty, TakesUpstreamsThreshold) {
  TextNovelty novelty({});
  novelty.add(says("a b c d e f g h i j"));
  EXPECT_EQ(novelty.reject(says("a b c d e f x y z w")), "") << "ROUGE-L 0.6";
  EXPECT_EQ(novelty.reject(says("a b c d e f g h z w")), "near_duplicate") << "ROUGE-L 0.8";
}

TEST(TextNovelty, MinHashFindsWhatRougeLDoesNot) {
  std::string text;
  std::string moved;
  for (int i = 0; i < 120; ++i) text += "word" + std::to_string(i) + " ";
  for (int i = 0; i < 120; ++i) moved += "word" + std::to_string((i + 50) % 120) + " ";
  TextNoveltyOptions options;
  options.minhash = 0.8;
  TextNovelty with(options);
  TextNovelty without({});
  with.add(says(text));
  without.add(says(text));
  EXPECT_EQ(with.reject(says(moved)), "near_duplicate_minhash");
  EXPECT_EQ(without.reject(says(moved)), "");
}

}  // namespace
}  // namespace tapir::teach
