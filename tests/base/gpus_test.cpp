#include "base/gpus.h"

#include <gtest/gtest.h>

namespace tapir {
namespace {

TEST(VisibleGpus, AreNamedAsThisProcessMayUseThem) {
  EXPECT_EQ(visible_gpus({2, 0}, std::nullopt), "2,0");
  EXPECT_EQ(visible_gpus({1}, "4,5"), "5");
  EXPECT_EQ(visible_gpus({0, 1}, "GPU-aa, MIG-bb"), "GPU-aa,MIG-bb");
}

TEST(GpuMemories, OfEveryGpuThereIs) {
  for (const std::int64_t bytes : gpu_memories()) EXPECT_GT(bytes, 1'000'000'000);
}

}  // namespace
}  // namespace tapir
