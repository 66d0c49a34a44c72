// A byte-level BPE trained on files, as a folder that Hugging Face loads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace tapir::text {

struct TrainTokenizerOptions {
  // *.jsonl and *.json (also .gz): instructions, conversations or {"text"}; the strings of "text",
  // "prompt", "completion", "instruction", "input", "output", "response" and "content" are learnt
  // from. Any other file is plain text.
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path output_dir;  // tokenizer.json and tokenizer_config.json are written there
  BpeTrainerOptions bpe;             // pattern: also a name of split_pattern_names()
  std::string bos_token;             // added to the special tokens; empty: none
  std::string eos_token;
};

struct TrainTokenizerSummary {
  std::int64_t texts = 0;
  std::int64_t bytes = 0;
  std::int64_t vocab_size = 0;  // what was reached: fewer when no pair is frequent enough
  double bytes_per_token = 0;   // over the training texts, a sample of at most 1,000
};

// Error{data} naming the file when one has no text, Error{usage} for options that cannot be.
TrainTokenizerSummary train_tokenizer(const TrainTokenizerOptions& options);

std::vector<std::string> split_pattern_names();  // gpt2, qwen2, llama3

}  // namespace tapir::text
