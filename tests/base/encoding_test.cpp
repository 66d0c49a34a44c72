#include "base/encoding.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "error_of.h"

namespace tapir {
namespace {

using ::testing::HasSubstr;

TEST(Encoding, OthersBecomeUtf8) {
  EXPECT_EQ(to_utf8("caf\xE9", "latin1", "f"), "café");
  EXPECT_EQ(to_utf8("\x93x\x94", "windows-1252", "f"), "“x”");
  EXPECT_EQ(to_utf8(std::string("\xFF\xFEh\0i\0", 6), "utf-16", "f"), "hi");
  EXPECT_EQ(to_utf8("\xEF\xBB\xBFhi 🙂", "utf-8", "f"), "hi 🙂");
  const std::string large(200000, 'x');
  EXPECT_EQ(to_utf8(large, "utf-8", "f"), large);
}

TEST(Encoding, TheFirstWrongByteIsNamed) {
  EXPECT_THAT(testing::complaint_of(ErrorKind::data,
                                    [] { return to_utf8("ab\xE9 c", "utf-8", "rows.json"); }),
              HasSubstr("rows.json: byte 3 is not in utf-8"));
  EXPECT_THAT(
      testing::complaint_of(ErrorKind::data, [] { return to_utf8("ab\xE2\x82", "utf-8", "f"); }),
      HasSubstr("byte 3"));
  EXPECT_THAT(testing::complaint_of(ErrorKind::usage, [] { return to_utf8("a", "klingon", "f"); }),
              HasSubstr("klingon"));
}

}  // namespace
}  // namespace tapir
