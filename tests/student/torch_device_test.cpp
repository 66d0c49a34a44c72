#include "student/torch_device.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "student/bf16_kernels.h"
#include "student/torch_test.h"

namespace tapir::student {
namespace {

std::string error_of(const std::string& wanted, const std::string& dtype = "auto") {
  try {
    (void)find_device(wanted, dtype);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    return e.what();
  }
  return "";
}

TEST(TorchDevice, NamesAreRead) {
  EXPECT_TRUE(find_device("cpu").own_kernels());
  EXPECT_FALSE(find_device("torch-cpu").own_kernels());
  EXPECT_EQ(find_device("torch-cpu").torch_name(), "cpu");
  for (const char* wrong : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "CPU"})
    EXPECT_NE(error_of(wrong).find("found " + std::string(wrong)), std::string::npos) << wrong;
}

TEST(TorchDevice, DtypesAreTakenWhereTheyCanBeComputed) {
  EXPECT_FALSE(find_device("cpu").bf16);
  EXPECT_FALSE(find_device("cpu", "float32").bf16);
  EXPECT_NE(error_of("cpu", "float16").find("found float16"), std::string::npos);
  EXPECT_NE(error_of("torch-cpu", "float32").find("as the weights are stored"), std::string::npos);
  if (bf16_kernels() == nullptr) {
    EXPECT_NE(error_of("cpu", "bfloat16").find("no bf16 units"), std::string::npos);
  } else {
    EXPECT_TRUE(find_device("cpu", "bfloat16").bf16);
  }
}

// Here as anywhere: `auto` finds something, and cuda is there or the error says what is missing.
TEST(TorchDevice, AutoIsCudaWhereItCanBeUsed) {
  const std::string problem = error_of("cuda");
  EXPECT_EQ(find_device("auto").name, problem.empty() ? "cuda:0" : "cpu");
  if (problem.empty()) {
    EXPECT_NE(error_of("cuda:99").find("GPUs"), std::string::npos);
    return;
  }
  EXPECT_EQ("no GPU: " + problem.substr(std::string("device cuda: ").size()), describe_gpus());
  EXPECT_EQ(error_of("cuda:99"),
            "device cuda:99" + problem.substr(std::string("device cuda").size()));
}

TEST(TorchDevice, TheGpuOfTheGpuTestsIsUsable) {
  const testing::OnDevice on;
  if (!on.reason.empty()) GTEST_SKIP() << on.reason;
  EXPECT_FALSE(on.device.own_kernels());
}

}  // namespace
}  // namespace tapir::student
