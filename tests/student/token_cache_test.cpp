// Rows as tokens in a file: the same rows again, or none.
#include "student/token_cache.h"

#include <fstream>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/random.h"
#include "random_student.h"
#include "test_data.h"

namespace tapir::student {
namespace {

std::vector<EncodedRow> some_rows(int count) {
  RandomStream random(1, "test", "token cache");
  std::vector<EncodedRow> rows;
  for (int i = 0; i < count; ++i) {
    EncodedRow row = testing::random_row(random, {0, 40, 150001, 0.5});
    row.id = "row " + std::to_string(i) + (i % 3 == 0 ? " é" : "");
    row.truncated = random.chance(0.2);
    rows.push_back(std::move(row));
  }
  return rows;
}

void expect_equal(const std::vector<EncodedRow>& a, const std::vector<EncodedRow>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].id, b[i].id);
    EXPECT_TRUE(
        std::equal(a[i].tokens.begin(), a[i].tokens.end(), b[i].tokens.begin(), b[i].tokens.end()));
    EXPECT_TRUE(std::equal(a[i].loss.begin(), a[i].loss.end(), b[i].loss.begin(), b[i].loss.end()));
    EXPECT_EQ(a[i].supervised, b[i].supervised);
    EXPECT_EQ(a[i].truncated, b[i].truncated);
  }
}

const std::string kKey(64, 'a');

TEST(TokenCache, GivesTheRowsBack) {
  const testing::TemporaryFolder folder;
  const auto file = folder.path() / "rows.tokens";
  const auto rows = some_rows(50);
  write_token_cache(file, kKey, rows);
  std::optional<std::vector<EncodedRow>> read = read_token_cache(file, kKey);
  ASSERT_TRUE(read);
  std::filesystem::remove(file);  // the mapping outlives the name
  expect_equal(*read, rows);
  const EncodedRow kept = (*read)[7];
  read.reset();
  EXPECT_EQ(kept.tokens.size(), rows[7].tokens.size()) << "a row keeps the file mapped";
  write_token_cache(file, kKey, {});
  EXPECT_TRUE(read_token_cache(file, kKey)->empty());
}

TEST(TokenCache, TornOrForeignFilesAreNotRead) {
  const testing::TemporaryFolder folder;
  const auto file = folder.path() / "rows.tokens";
  write_token_cache(file, kKey, some_rows(20));
  EXPECT_FALSE(read_token_cache(file, std::string(64, 'b')));
  EXPECT_FALSE(read_token_cache(folder.path() / "none", kKey));
  const std::string bytes = read_file(file);
  RandomStream random(2, "test", "token cache");
  for (int i = 0; i < 200; ++i) {
    std::string damaged = bytes;
    if (random.chance(0.5)) {
      damaged.resize(random.below(damaged.size()));
    } else {
      const std::size_t at = random.below(damaged.size());
      // The four bytes that are reserved say nothing.
      if (at >= 12 && at < 16) continue;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << random.below(8)));
    }
    std::ofstream(file, std::ios::binary) << damaged;
    EXPECT_FALSE(read_token_cache(file, kKey)) << i;
  }
}

TEST(TokenCache, RowsAreMadeOnce) {
  const testing::TemporaryFolder folder;
  int made = 0;
  const auto encode = [&] {
    ++made;
    return some_rows(10);
  };
  expect_equal(cached_rows(folder.path() / "new", kKey, encode), some_rows(10));
  expect_equal(cached_rows(folder.path() / "new", kKey, encode), some_rows(10));
  EXPECT_EQ(made, 1);
  cached_rows(folder.path() / "new", std::string(64, 'c'), encode);
  EXPECT_EQ(made, 2);
  cached_rows({}, kKey, encode);
  EXPECT_EQ(made, 3) << "no folder, no file";
  write_file(folder.path() / "file", "x");
  expect_equal(cached_rows(folder.path() / "file" / "sub", kKey, encode), some_rows(10));
}

TEST(TokenCache, WhatDecidesTheRowsIsInTheKey) {
  const testing::TemporaryFolder folder;
  const std::vector<Example> examples = {
      {"a", {{Role::user, "q", false}, {Role::assistant, "r", true}}}};
  const auto key = [&](const std::vector<Example>& rows, std::string_view format,
                       std::int64_t limit) {
    return token_cache_key(rows, folder.path(), format, limit);
  };
  const std::string first = key(examples, "chatml", 10);
  EXPECT_EQ(first, key(examples, "chatml", 10));
  EXPECT_NE(first, key(examples, "llama3", 10));
  EXPECT_NE(first, key(examples, "chatml", 11));
  auto changed = examples;
  changed[0].segments[1].loss = false;
  EXPECT_NE(first, key(changed, "chatml", 10));
  changed = examples;
  changed[0].segments[0].text = "q2";
  EXPECT_NE(first, key(changed, "chatml", 10));
  write_file(folder.path() / "tokenizer.json", "{}");
  EXPECT_NE(first, key(examples, "chatml", 10));
}

}  // namespace
}  // namespace tapir::student
