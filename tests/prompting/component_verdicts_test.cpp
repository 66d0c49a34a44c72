#include <gtest/gtest.h>

#include "base/random.h"
#include "prompting/prompts.h"

namespace tapir::prompting {
namespace {

const std::vector<std::string> kNames = {"c1", "c10", "tone"};

TEST(ComponentVerdicts, AreReadByName) {
  const std::vector<std::string> replies = {
      "Reasons.\n\nc1: met\nc10: not met\ntone: met",
      "tone: met\nc1: met\nc10: not met\n",
      "**c1**: met\n**c10**: not met\n**tone**: met",
      "- c1: Met\n- c10: Not met - it has two lines only\n- tone: met (quite)\n\nI hope this "
      "helps!",
      "c1: yes\nc10: no\ntone: yes",
      "`c1` = met\n`c10` = unmet\n`tone` = met",
      "c1: met.\nc10: not met; too long\ntone: met, clearly",
      "c1: met\r\nc10: not met\r\ntone: met\r\n",
  };
  for (const std::string& reply : replies) {
    const ComponentVerdicts read = read_component_verdicts(reply, kNames);
    EXPECT_TRUE(read.ok()) << reply;
    EXPECT_EQ(read.met, (std::map<std::string, bool>{{"c1", true}, {"c10", false}, {"tone", true}}))
        << reply;
  }
  EXPECT_FALSE(read_component_verdicts(replies[0], kNames).dressed);
  EXPECT_TRUE(read_component_verdicts(replies[2], kNames).dressed);
}

TEST(ComponentVerdicts, AreUnreadableWhereOneIsMissingOrInDoubt) {
  for (const std::string reply :
       {"", "All are met.", "c1: met\nc10: not met", "c1: met\nc1: met\ntone: met",
        "c1: met\nc10: met\ntone: met\nOn second thought:\ntone: not met",
        "c1: met\nc10: not metres\ntone: met", "c1: met\nc10: no answer is given here\ntone: met",
        "c1: met\nc10: partly met\ntone: met", "C1: met\nC10: met\nTone: met",
        "1: met\n2: met\n3: met", "c1: met c10: met tone: met"}) {
    const ComponentVerdicts read = read_component_verdicts(reply, kNames);
    EXPECT_EQ(read.failure, "unreadable") << reply;
    EXPECT_TRUE(read.met.empty()) << reply;
  }
}

TEST(ComponentVerdicts, AreAllOrNoneOfAnyText) {
  const std::vector<std::string> pieces = {"c1",  "c10",   "tone", ": ", "met",  "not met",
                                           "yes", "no",    "\n",   "\n", "- ",   "**",
                                           "`",   " (so)", "c1:",  "=",  "\xFF", "met\n"};
  int read = 0;
  for (int i = 0; i < 20000; ++i) {
    RandomStream stream(3, "verdicts", std::to_string(i));
    std::string reply;
    for (std::uint64_t n = stream.below(24); n > 0; --n) reply += stream.choose(pieces);
    for (const std::string& name : kNames) {
      if (stream.chance(0.5)) reply += "\n" + name + (stream.chance(0.5) ? ": met" : ": not met");
    }
    const ComponentVerdicts verdicts = read_component_verdicts(reply, kNames);
    ASSERT_EQ(verdicts.met.size(), verdicts.ok() ? kNames.size() : 0U) << reply;
    read += verdicts.ok() ? 1 : 0;
  }
  EXPECT_GT(read, 500) << "the fuzz reaches readable replies";
}

}  // namespace
}  // namespace tapir::prompting
