// For TAPIR_FUZZ_SECONDS; a short one is in tokenizer_json_test.cpp.
#include "tokenizer_fuzz.h"

namespace tapir::text {
namespace {

TEST(TokenizerFuzz, AnyFileIsLoadedOrRefused) {
  const testing::FuzzCount count = testing::fuzz(tokenizer_json_plan());
  RecordProperty("inputs", static_cast<int>(count.inputs));
  EXPECT_GT(count.refused, 0U);
  EXPECT_LT(count.refused, count.inputs);
}

}  // namespace
}  // namespace tapir::text
