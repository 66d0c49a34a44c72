// What is not supported or broken in tokenizer.json is refused, with file and component named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "error_of.h"
#include "text_testing.h"
#include "tokenizer_fuzz.h"

namespace tapir::text {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Json valid() {
  return parse_json(read_file(goldens() / "gpt2_pattern" / "tokenizer.json"), "golden");
}

std::string refusal(const std::string& tokenizer, const std::string& config = "{}") {
  return testing::complaint_of(ErrorKind::data, [&] { load_from(tokenizer, config); });
}

std::string refusal_with(const std::string& pointer, const Json& value) {
  Json tokenizer = valid();
  tokenizer[Json::json_pointer(pointer)] = value;
  return refusal(tokenizer.dump());
}

TEST(TokenizerJson, NamesTheComponentThatIsNotSupported) {
  EXPECT_THAT(refusal_with("/model/type", "Unigram"),
              AllOf(HasSubstr("tokenizer.json: model"), HasSubstr("Unigram")));
  EXPECT_THAT(refusal_with("/model/dropout", 0.1), HasSubstr("dropout"));
  EXPECT_THAT(refusal_with("/model/end_of_word_suffix", "</w>"), HasSubstr("end_of_word_suffix"));
  EXPECT_THAT(refusal_with("/normalizer", {{"type", "BertNormalizer"}}),
              AllOf(HasSubstr("normalizer"), HasSubstr("BertNormalizer")));
  EXPECT_THAT(refusal_with("/decoder", {{"type", "WordPiece"}}),
              AllOf(HasSubstr("decoder"), HasSubstr("WordPiece")));
  EXPECT_THAT(refusal_with("/decoder", nullptr), HasSubstr("decoder"));
  EXPECT_THAT(refusal_with("/pre_tokenizer", {{"type", "BertPreTokenizer"}}),
              AllOf(HasSubstr("pre_tokenizer"), HasSubstr("BertPreTokenizer")));
  EXPECT_THAT(refusal_with("/post_processor", {{"type", "BertProcessing"}}),
              HasSubstr("BertProcessing"));
}

TEST(TokenizerJson, NamesWhatIsBroken) {
  EXPECT_THAT(refusal("{"), HasSubstr("tokenizer.json"));
  EXPECT_THAT(refusal("[]"), HasSubstr("expected a JSON object"));
  EXPECT_THAT(refusal_with("/model/merges", {"a"}), HasSubstr("a merge is two strings"));
  EXPECT_THAT(refusal_with("/model/merges", {"zq qqqz"}), HasSubstr("not in the vocabulary"));
  EXPECT_THAT(refusal_with("/model/vocab/!", 1000000000), HasSubstr("has the id 1000000000"));
  EXPECT_THAT(refusal_with("/model/vocab/!", -1), HasSubstr("has the id -1"));
  EXPECT_THAT(refusal_with("/post_processor/special_tokens/<s>/ids", {5000}),
              HasSubstr("which is no token"));
  EXPECT_THAT(refusal_with("/model/vocab/!", "x"), HasSubstr("not an integer"));
  EXPECT_THAT(refusal_with("/model/vocab/!", 0), HasSubstr("id 0 is given to both"));
  const Json behind = {{"type", "Sequence"},
                       {"pretokenizers", {{{"type", "ByteLevel"}}, {{"type", "Digits"}}}}};
  EXPECT_THAT(refusal_with("/pre_tokenizer", behind), HasSubstr("\"Digits\" behind ByteLevel"));
  EXPECT_THAT(refusal_with("/pre_tokenizer", {{"type", "Metaspace"}, {"prepend_scheme", "last"}}),
              HasSubstr("prepend_scheme \"last\""));
  EXPECT_THAT(refusal_with("/decoder", {{"type", "Strip"}, {"content", ""}}),
              HasSubstr("empty string"));
  const Json bad_pattern = {
      {"type", "Split"}, {"pattern", {{"Regex", "(a"}}}, {"behavior", "Isolated"}};
  EXPECT_THAT(refusal_with("/pre_tokenizer", bad_pattern), HasSubstr("does not compile"));
  EXPECT_THAT(refusal(valid().dump(), R"({"eos_token": "<none>"})"), HasSubstr("<none>"));
  EXPECT_THAT(refusal(valid().dump(), R"({"added_tokens_decoder": {"x": {"content": "y"}}})"),
              HasSubstr("not an id"));
}

TEST(TokenizerJson, FolderWithoutTokenizerIsNamed) {
  const testing::TemporaryFolder folder;
  const Error e = testing::error_of([&] { load_tokenizer(folder.path()); });
  EXPECT_THAT(e.what(), HasSubstr(folder.path().string()));
}

// Seeded damage of good files: loaded or refused as data, nothing else.
TEST(TokenizerJson, DamagedFilesAreRefusedAsData) {
  testing::FuzzPlan plan = tokenizer_json_plan();
  plan.iterations = 60;
  const testing::FuzzCount count = testing::fuzz(plan);
  EXPECT_EQ(count.inputs, 60U);
  EXPECT_GT(count.refused, 0U);
}

struct SplitCase {
  const char* behavior;
  bool invert;
  std::vector<std::string> words;
};

// Every byte is a token of its own here but for the words: the ids show where the text was cut.
TEST(TokenizerJson, SplitBehaviors) {
  const std::vector<SplitCase> cases = {{"Isolated", false, {"a", "-", "-", "b", "-"}},
                                        {"Removed", false, {"a", "b"}},
                                        {"MergedWithPrevious", false, {"a-", "-", "b-"}},
                                        {"MergedWithNext", false, {"a", "-", "-b", "-"}},
                                        {"Contiguous", false, {"a", "--", "b", "-"}},
                                        {"Removed", true, {"-", "-", "-"}}};
  Json tokenizer = valid();
  tokenizer["added_tokens"] = Json::array();
  tokenizer["post_processor"] = nullptr;
  tokenizer["model"]["vocab"] = Json::object();
  tokenizer["model"]["merges"] = Json::array();
  tokenizer["model"]["ignore_merges"] = true;
  int id = 0;
  for (const char* token : {"a", "b", "-", "a-", "-b", "b-", "--", "a--b-"})
    tokenizer["model"]["vocab"][token] = id++;
  for (const SplitCase& c : cases) {
    const Json split = {{"type", "Split"},
                        {"pattern", {{"String", "-"}}},
                        {"behavior", c.behavior},
                        {"invert", c.invert}};
    const Json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
    tokenizer["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, bytes}}};
    const auto loaded = load_from(tokenizer.dump());
    std::vector<std::string> words;
    for (const TokenId token : loaded->encode("a--b-")) words.push_back(loaded->id_to_token(token));
    EXPECT_EQ(words, c.words) << c.behavior << (c.invert ? " inverted" : "");
  }
}

}  // namespace
}  // namespace tapir::text
