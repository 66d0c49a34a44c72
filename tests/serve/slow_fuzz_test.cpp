#include "fuzz_plans.h"

namespace tapir::serve {
namespace {

TEST(HttpBodyFuzz, IsReadOrRefusedForMinutes) { testing::fuzz(body_plan()); }

TEST(HttpRequestFuzz, IsAnsweredOrClosedForMinutes) { testing::fuzz(request_plan()); }

}  // namespace
}  // namespace tapir::serve
