// What the tests of src/text share.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "test_data.h"
#include "text/tokenizer.h"

namespace tapir::text {

inline std::filesystem::path goldens() { return testing::goldens() / "tokenizers"; }

// A folder with these two files, loaded.
inline std::shared_ptr<const Tokenizer> load_from(const std::string& tokenizer_json,
                                                  const std::string& config_json = "{}") {
  const testing::TemporaryFolder folder;
  // Without write_file's wait for the disk: fuzz tests come here thousands of times.
  std::ofstream(folder.path() / "tokenizer.json", std::ios::binary) << tokenizer_json;
  std::ofstream(folder.path() / "tokenizer_config.json", std::ios::binary) << config_json;
  return load_tokenizer(folder.path());
}

// Text with some structure: words of a small lexicon, numbers, other scripts, line ends.
inline std::vector<std::string> sample_texts(std::uint64_t seed, int count) {
  const std::vector<std::string> words = {"river",  "stone",   "lamp",   "garden",  "engine",
                                          "window", "carries", "opens",  "follows", "paints",
                                          "ready",  "aaaa",    "ababab", "naïve",   "Größe",
                                          "привет", "世界",    "🙂",   "it's"};
  RandomStream random(seed, "test", "sample_texts");
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    std::string text;
    for (int n = random.between(1, 12); n > 0; --n) {
      text += random.chance(0.15) ? std::to_string(random.below(1000)) : random.choose(words);
      text += random.chance(0.1) ? ".\n" : " ";
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

// Any bytes, with well-formed characters of every length and control-token look-alikes among them.
inline std::string random_text(RandomStream& random) {
  static const std::vector<std::string> bits = {
      "a",  " ",   "  ", "\n", "é",       "世",         "🙂", "<|", "|>", "<|end|>", "<|user|>",
      "\t", "<s>", "7",  "42", "e\u0301", "<|im_end|>", "</s>", "x",  "'s", "\xff",    "\xe4\xb8"};
  std::string text;
  for (int n = random.between(0, 30); n > 0; --n) text += random.choose(bits);
  return text;
}

}  // namespace tapir::text
