#include "teach/novelty.h"

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

}  // namespace
}  // namespace tapir::teach
