// Published vocabularies with the ids that their own tokenizers gave for a set of strings.
#include <sstream>

#include <gtest/gtest.h>

#include "base/strings.h"
#include "text/word_scanner.h"
#include "text_testing.h"

namespace tapir::text {
namespace {

struct Published {
  const char* folder;
  const char* vocabulary;
  const char* merges;
  const char* vectors;       // without .inp and .out
  std::string_view pattern;  // empty: ByteLevel's own
  bool nfc;
  bool ignore_merges;
};

Json build(const Published& published, const std::filesystem::path& folder) {
  Json merges = Json::array();
  for_each_line(folder / published.merges, [&](std::string_view line, std::size_t) {
    if (!line.empty() && !line.starts_with("#version")) merges.push_back(line);
  });
  const Json bytes = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", published.pattern.empty()}};
  const Json split = {
      {"type", "Split"}, {"pattern", {{"Regex", published.pattern}}}, {"behavior", "Isolated"}};
  Json tokenizer;
  tokenizer["normalizer"] = published.nfc ? Json{{"type", "NFC"}} : Json();
  tokenizer["pre_tokenizer"] = published.pattern.empty()
                                   ? bytes
                                   : Json{{"type", "Sequence"}, {"pretokenizers", {split, bytes}}};
  tokenizer["decoder"] = bytes;
  tokenizer["model"] = {
      {"type", "BPE"},
      {"ignore_merges", published.ignore_merges},
      {"vocab", parse_json(read_file(folder / published.vocabulary), "vocabulary")},
      {"merges", std::move(merges)}};
  return tokenizer;
}

// Strings stand between lines __ggml_vocab_test__; the line end before that line is not part of
// them.
std::vector<std::string> read_strings(const std::filesystem::path& path) {
  constexpr std::string_view kSeparator = "\n__ggml_vocab_test__\n";
  std::vector<std::string> strings;
  const std::string all = read_file(path);
  std::string_view rest = all;
  for (std::size_t end = rest.find(kSeparator); end != rest.npos; end = rest.find(kSeparator)) {
    strings.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end + kSeparator.size());
  }
  strings.emplace_back(rest);
  return strings;
}

class PublishedVectors : public ::testing::TestWithParam<Published> {};

// Every string gives the published ids, and the ids give the string.
void expect_vectors(const Tokenizer& tokenizer, const std::filesystem::path& vectors) {
  const auto strings = read_strings(vectors.string() + ".inp");
  const auto lines = split(read_file(vectors.string() + ".out"), '\n');
  int matched = 0;
  for (std::size_t i = 0; i < strings.size() && i < lines.size(); ++i) {
    std::istringstream line(lines[i]);
    const std::vector<TokenId> expected{std::istream_iterator<TokenId>(line), {}};
    const auto found = tokenizer.encode_with_specials(strings[i], /*add_special_tokens=*/false);
    EXPECT_EQ(found, expected) << "string " << i << ": " << strings[i];
    matched += found == expected ? 1 : 0;
    EXPECT_EQ(tokenizer.decode(found, false), strings[i]);
  }
  EXPECT_EQ(matched, 47);
}

TEST_P(PublishedVectors, AllMatch) {
  const std::filesystem::path relative = std::filesystem::path("tokenizers") / GetParam().folder;
  TAPIR_NEEDS_TEST_DATA(relative);
  const std::filesystem::path folder = testing::test_data() / relative;
  expect_vectors(*load_from(build(GetParam(), folder).dump()), folder / GetParam().vectors);
}

TEST(PublishedSentencePiece, Llama2AllMatch) {
  const std::filesystem::path relative = "tokenizers/llama2";
  TAPIR_NEEDS_TEST_DATA(relative);
  const std::filesystem::path folder = testing::test_data() / relative;
  const auto tokenizer = load_tokenizer(folder);
  EXPECT_EQ(tokenizer->vocab_size(), 32000);
  EXPECT_EQ(tokenizer->bos_token(), 1);
  EXPECT_EQ(tokenizer->eos_token(), 2);
  expect_vectors(*tokenizer, folder / "ggml-vocab-llama-spm.gguf");
}

INSTANTIATE_TEST_SUITE_P(
    All, PublishedVectors,
    ::testing::Values(Published{"gpt2", "encoder.json.gz", "vocab.bpe.gz", "ggml-vocab-gpt-2.gguf",
                                "", false, false},
                      Published{"qwen2", "vocab.json.gz", "merges.txt.gz", "ggml-vocab-qwen2.gguf",
                                kQwen2Pattern, true, false},
                      Published{"llama3", "encoder.json.gz", "vocab.bpe.gz",
                                "ggml-vocab-llama-bpe.gguf", kLlama3Pattern, false, true}),
    [](const auto& instance) { return std::string(instance.param.folder); });

}  // namespace
}  // namespace tapir::text
