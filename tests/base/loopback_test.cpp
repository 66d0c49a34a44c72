#include "base/loopback.h"

#include <gtest/gtest.h>

namespace tapir {
namespace {

TEST(Loopback, KnowsThisMachineOnly) {
  for (const char* host : {"localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1"}) {
    EXPECT_TRUE(is_loopback(host)) << host;
  }
  for (const char* host : {"", "0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.com", "localhost.x",
                           "example.com", "1127.0.0.1"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

TEST(Loopback, FindsTheHost) {
  EXPECT_EQ(host_of("localhost:8000"), "localhost");
  EXPECT_EQ(host_of("example.com"), "example.com");
  EXPECT_EQ(host_of("[::1]:8000"), "::1");
  EXPECT_EQ(host_of("http://127.0.0.1:3000"), "127.0.0.1");
  EXPECT_EQ(host_of("https://[::1]"), "::1");
  EXPECT_EQ(host_of("null"), "null");
  EXPECT_EQ(host_of("["), "");
}

}  // namespace
}  // namespace tapir
