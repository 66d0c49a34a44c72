#include "base/secret.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "base/error.h"

namespace tapir {
namespace {

std::string error_of(const std::string& name) {
  try {
    secret_from_environment(name, "judge.endpoints[0].api_key_env");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    return std::string(e.what()) + " / " + e.hint();
  }
  return "no error";
}

TEST(Secret, IsCutOutOfTexts) {
  const Secret key("sk-1234");
  EXPECT_EQ(key.scrubbed("wrong key sk-1234, no sk-1234"), "wrong key [key], no [key]");
  EXPECT_EQ(key.scrubbed("nothing"), "nothing");
  EXPECT_EQ(Secret().scrubbed("nothing"), "nothing");
}

TEST(Secret, ComesFromTheEnvironmentByName) {
  ::setenv("TAPIR_TEST_SECRET", "sk-1234", 1);
  EXPECT_EQ(secret_from_environment("TAPIR_TEST_SECRET", "x").reveal(), "sk-1234");
  EXPECT_TRUE(secret_from_environment("", "x").empty());
  ::unsetenv("TAPIR_TEST_SECRET");
  EXPECT_NE(error_of("TAPIR_TEST_SECRET").find("TAPIR_TEST_SECRET is not set"), std::string::npos);
}

TEST(Secret, AKeyInPlaceOfItsNameIsNotRepeated) {
  for (const char* key : {"sk-proj-abc123", "abcdef0123456789", "7UPPER"}) {
    const std::string error = error_of(key);
    EXPECT_NE(error.find("name of an environment variable"), std::string::npos) << error;
    EXPECT_EQ(error.find(key), std::string::npos) << error;
  }
}

TEST(Secret, AValueThatCannotStandInAHeaderIsNotShown) {
  ::setenv("TAPIR_TEST_SECRET", "sk-12\n34", 1);
  const std::string error = error_of("TAPIR_TEST_SECRET");
  ::unsetenv("TAPIR_TEST_SECRET");
  EXPECT_NE(error.find("blanks"), std::string::npos) << error;
  EXPECT_EQ(error.find("sk-12"), std::string::npos) << error;
}

}  // namespace
}  // namespace tapir
