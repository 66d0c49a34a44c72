#include "text/white_space.h"

#include <gtest/gtest.h>

#include "text_testing.h"

namespace tapir::text {
namespace {

TEST(WhiteSpace, IsUnicodesOrPythons) {
  const std::string spaces = "\t\n\v\f\r \u0085\u00a0\u1680\u2003\u2028\u202f\u205f\u3000";
  for (const SpaceTest test : {is_white_space, is_python_space}) {
    EXPECT_EQ(strip_space(spaces, test), "");
    EXPECT_EQ(strip_space(spaces + "a" + spaces + "b" + spaces, test), "a" + spaces + "b");
    EXPECT_EQ(strip_space("\u200b\u180e", test), "\u200b\u180e") << "no white space";
  }
  // str.strip() takes the four separators of ASCII off, regular expressions do not.
  EXPECT_EQ(strip_space("\x1c\x1d\x1e\x1f a \x1f"), "a");
  EXPECT_EQ(strip_space("\x1c a \x1f", is_white_space), "\x1c a \x1f");
}

TEST(WhiteSpace, OneSideIsLeft) {
  EXPECT_EQ(strip_space_left(" \u3000a "), "a ");
  EXPECT_EQ(strip_space_right(" a\u3000 "), " a");
  EXPECT_EQ(strip_space_right(""), "");
}

// The end was looked for from the beginning, character by character.
TEST(WhiteSpace, BothSidesTogetherAreStripForAnyBytes) {
  RandomStream random(1, "test", "white_space");
  for (int i = 0; i < 2000; ++i) {
    const std::string text = random_text(random);
    const std::string_view left = strip_space_left(text);
    EXPECT_EQ(strip_space_right(left), strip_space(text));
    EXPECT_TRUE(text.ends_with(left));
    EXPECT_TRUE(text.starts_with(strip_space_right(text)));
  }
}

}  // namespace
}  // namespace tapir::text
