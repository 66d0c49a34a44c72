#include <gmock/gmock.h>

#include "base/error.h"
#include "error_of.h"
#include "records/instruction.h"
#include "records/ledger.h"

namespace tapir {
namespace {

TEST(Records, MessagesGoThroughJson) {
  const Messages messages = {{Role::system, "be brief"}, {Role::user, "a \"quoted\"\nline"}};
  EXPECT_EQ(messages_from_json(messages_to_json(messages), "test"), messages);
}

TEST(Records, UnknownRoleListsTheKnown) {
  const Error e = testing::error_of(
      [&] { messages_from_json(R"([{"role":"robot","content":"x"}])", "rows.jsonl:3"); });
  EXPECT_THAT(e.what(), ::testing::HasSubstr("rows.jsonl:3"));
  EXPECT_THAT(e.hint(), ::testing::HasSubstr("assistant"));
}

TEST(Records, TextHashFoldsWhiteSpaceOnly) {
  EXPECT_EQ(text_hash({{Role::user, "a  b\n"}}), text_hash({{Role::user, "a b"}}));
  EXPECT_NE(text_hash({{Role::user, "a b"}}), text_hash({{Role::user, "A b"}}));
}

TEST(Records, ExampleLearnsTheAnswerOnly) {
  const Instruction instruction{.id = "1", .messages = {{Role::user, "q"}}};
  const Example example = make_example(instruction, "a");
  ASSERT_EQ(example.segments.size(), 2U);
  EXPECT_FALSE(example.segments[0].loss);
  EXPECT_TRUE(example.segments[1].loss);
}

TEST(Ledger, Balances) {
  Ledger ledger{.in = 5, .done = 3, .failed = {{"length", 1}}, .filtered = {{"duplicate", 1}}};
  EXPECT_TRUE(ledger.balances());
  ledger.in = 6;
  EXPECT_FALSE(ledger.balances());
}

}  // namespace
}  // namespace tapir
