// The long run of the fuzz tests of a student folder's files (label slow).
#include "weights_fuzz.h"

namespace tapir::student {
namespace {

TEST(SafetensorsFuzzLong, IsReadOrRefused) { testing::fuzz(safetensors_plan()); }
TEST(ConfigFuzzLong, IsReadOrRefused) { testing::fuzz(config_plan()); }

}  // namespace
}  // namespace tapir::student
