// Ten million fuzzed replies through every reader of judgments.
#include "fuzzed_replies.h"

namespace tapir::prompting {
namespace {

TEST(ReadersSlow, TakeTenMillionFuzzedReplies) {
  for (std::uint64_t i = 0; i < 10'000'000; ++i) {
    testing::expect_total(testing::fuzzed_reply(i));
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace tapir::prompting
