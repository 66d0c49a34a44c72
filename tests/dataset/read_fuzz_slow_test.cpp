// The long run of the fuzz test of instruction files.
#include "read_fuzz.h"

namespace tapir::dataset {
namespace {

TEST(ReadInstructionsFuzz, LinesForAsLongAsAsked) {
  const testing::TemporaryFolder folder;
  testing::fuzz(read_fuzz_plan(/*lines=*/true, folder.path()));
}

TEST(ReadInstructionsFuzz, ArraysForAsLongAsAsked) {
  const testing::TemporaryFolder folder;
  testing::fuzz(read_fuzz_plan(/*lines=*/false, folder.path()));
}

}  // namespace
}  // namespace tapir::dataset
