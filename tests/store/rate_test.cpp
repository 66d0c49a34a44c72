// How many rows a second become durable. The floor only catches a commit per row; the figure is
// printed.
#include <chrono>
#include <iostream>

#include <gmock/gmock.h>

#include "store_fixture.h"

namespace tapir::store {
namespace {

TEST_F(StoreTest, RowsPerSecond) {
  constexpr int kRows = 50'000;
  const auto store = open();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kRows; ++i) {
    const int mixed =
        static_cast<int>(i * 7919LL % 50'021);  // keys come in no order, as digests do
    store->put_reply(
        ok_reply(std::to_string(mixed) + "-0123456789abcdef01234567", std::string(1500, 'x')));
  }
  store->flush();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::cout << static_cast<int>(kRows / seconds.count()) << " rows of 1.5 kB a second\n";
  EXPECT_EQ(store->usage().at(0).replies, kRows);
  EXPECT_GT(kRows / seconds.count(), 1'000);
}

}  // namespace
}  // namespace tapir::store
