#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "base/atomic_file.h"
#include "base/bounded_queue.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/random.h"
#include "base/strings.h"
#include "error_of.h"
#include "test_data.h"

namespace tapir {
namespace {

TEST(Hash, KnownDigest) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_NE(hash_fields({"ab", "c"}), hash_fields({"a", "bc"}));
}

TEST(Hash, KnownSha512) {
  const auto digest = sha512("abc");
  EXPECT_EQ(digest[0], 0xDD);
  EXPECT_EQ(digest[1], 0xAF);
  EXPECT_EQ(digest[63], 0x9F);
}

TEST(Hash, PiecesAreTheWhole) {
  Sha256 hash;
  for (const char* piece : {"a", "", "bc"}) hash.update(piece);
  EXPECT_EQ(hash.hex(), sha256_hex("abc"));
}

TEST(Random, StreamsAreNamedAndRepeat) {
  RandomStream a(1, "stage", "row");
  RandomStream b(1, "stage", "row");
  RandomStream c(1, "stage", "other");
  const auto first = a.next();
  EXPECT_EQ(first, b.next());
  EXPECT_NE(first, c.next());
}

TEST(Random, BelowIsInRangeAndEven) {
  RandomStream stream(7, "below");
  std::vector<int> counts(6);
  for (int i = 0; i < 60000; ++i) ++counts.at(stream.below(6));
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
}

TEST(Random, ASampleIsOfIdsNotOfTheirPlaces) {
  std::vector<std::string> ids;
  for (int i = 0; i < 50; ++i) ids.push_back("row-" + std::to_string(i));
  const auto drawn = [&](std::size_t rows, std::uint64_t seed, std::string_view stage) {
    std::vector<std::string> sample;
    const auto places = sample_places(ids, rows, seed, stage);
    EXPECT_TRUE(std::is_sorted(places.begin(), places.end()));
    for (const std::size_t place : places) sample.push_back(ids.at(place));
    std::sort(sample.begin(), sample.end());
    return sample;
  };
  const auto sample = drawn(7, 1, "stage");
  EXPECT_EQ(sample.size(), 7U);
  EXPECT_NE(drawn(7, 2, "stage"), sample);
  EXPECT_NE(drawn(7, 1, "other"), sample);
  std::reverse(ids.begin(), ids.end());
  EXPECT_EQ(drawn(7, 1, "stage"), sample);
  EXPECT_EQ(drawn(99, 1, "stage").size(), 50U);
  EXPECT_TRUE(drawn(0, 1, "stage").empty());
}

TEST(Random, ARestoredStreamGoesOn) {
  RandomStream stream(3, "s");
  stream.next();
  const auto state = stream.state();
  const auto expected = stream.next();
  stream.restore(state);
  EXPECT_EQ(stream.next(), expected);
}

TEST(File, WriteReplacesWhole) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "a.txt";
  write_file(path, "one");
  write_file(path, "two");
  EXPECT_EQ(read_file(path), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Folder, IsPublishedWholeWithOrWithoutASlash) {
  const testing::TemporaryFolder folder;
  const auto place = folder.path() / "out" / "";
  EXPECT_EQ(beside(place, ".work"), folder.path() / "out.work");
  EXPECT_EQ(beside(folder.path() / "out", ".work"), folder.path() / "out.work");
  for (const std::string text : {"one", "two"}) {
    write_folder(place, [&](const auto& aside) { write_file(aside / "a.txt", text); });
    EXPECT_EQ(read_file(place / "a.txt"), text);
  }
  EXPECT_THROW(write_folder(place, [](const auto&) { throw Error(ErrorKind::data, "no"); }), Error);
  EXPECT_EQ(read_file(place / "a.txt"), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(AtomicFile, PiecesArePutInPlaceWhole) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "a.bin";
  write_file(path, "old");
  AtomicFile file(path);
  file.write("one ");
  file.write("two");
  EXPECT_EQ(read_file(path), "old");
  file.finish();
  EXPECT_EQ(read_file(path), "one two");
}

TEST(AtomicFile, LeavesNothingWithoutFinish) {
  const testing::TemporaryFolder folder;
  { AtomicFile(folder.path() / "a.bin").write("half"); }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(File, MissingFileNamesThePath) {
  const Error e = testing::error_of([&] { read_file("/nonexistent/file"); });
  EXPECT_EQ(e.kind(), ErrorKind::data);
  EXPECT_THAT(e.what(), ::testing::HasSubstr("/nonexistent/file"));
}

TEST(Jsonl, MalformedLineIsNamed) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "rows.jsonl";
  std::string text;
  for (int i = 1; i <= 16; ++i) text += "{\"id\": " + std::to_string(i) + "}\n";
  write_file(path, text + "{\"id\": 17,\n");
  const Error e =
      testing::error_of([&] { for_each_jsonl(path, [](const Json&, const std::string&) {}); });
  EXPECT_THAT(e.what(), ::testing::HasSubstr("rows.jsonl:17"));
}

TEST(Json, DeepNestingIsAnError) {
  EXPECT_THROW(parse_json(std::string(100000, '['), "text"), Error);
}

TEST(Strings, CountsAreListedByName) {
  EXPECT_EQ(list_counts({{"slow", 1}, {"refused", 3}}), "3 refused, 1 slow");
  EXPECT_EQ(list_counts({}), "");
}

TEST(Strings, NearestSuggestsOnlyWhatIsNear) {
  EXPECT_EQ(nearest("learning_rat", {"learning_rate", "seed"}), "learning_rate");
  EXPECT_EQ(nearest("zebra", {"learning_rate", "seed"}), std::nullopt);
}

TEST(Strings, InvalidUtf8IsReplacedByMaximalSubparts) {
  EXPECT_EQ(valid_utf8("a\xF0\x9F\x98z"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(valid_utf8("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_TRUE(is_valid_utf8("h\xC3\xA9llo \xF0\x9F\x98\x80"));
}

TEST(BoundedQueue, HandsOverEverythingOnce) {
  BoundedQueue<int> queue(4);
  std::vector<int> got;
  {
    std::jthread consumer([&] {
      while (auto item = queue.pop()) got.push_back(*item);
    });
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(queue.push(i));
    queue.close();
  }
  EXPECT_FALSE(queue.push(1));
  EXPECT_EQ(got.size(), 1000U);
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
}

}  // namespace
}  // namespace tapir
