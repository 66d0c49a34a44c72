#include "fuzz_plans.h"

namespace tapir::serve {
namespace {

TEST(HttpBodyFuzz, IsReadOrRefused) {
  testing::FuzzPlan plan = body_plan();
  plan.iterations = 3000;
  const testing::FuzzCount count = testing::fuzz(plan);
  EXPECT_EQ(count.inputs, 3000U);
}

TEST(HttpRequestFuzz, IsAnsweredOrClosed) {
  testing::FuzzPlan plan = request_plan();
  plan.iterations = 60;
  EXPECT_EQ(testing::fuzz(plan).inputs, 60U);
}

}  // namespace
}  // namespace tapir::serve
