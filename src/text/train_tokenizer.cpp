#include "text/train_tokenizer.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/word_scanner.h"

namespace tapir::text {
namespace {

using Texts = std::vector<std::string>;

struct NamedPattern {
  const char* name;
  std::string_view pattern;
};
constexpr std::array<NamedPattern, 3> kPatterns = {
    {{"gpt2", kGpt2Pattern}, {"qwen2", kQwen2Pattern}, {"llama3", kLlama3Pattern}}};

void collect(const Json& value, bool wanted, Texts& texts) {
  static const std::set<std::string> kFields = {"text",     "prompt", "completion", "instruction",
                                                "input",    "output", "response",   "content",
                                                "question", "answer"};
  if (value.is_string() && wanted && !value.get_ref<const std::string&>().empty()) {
    texts.push_back(value.get<std::string>());
  }
  if (value.is_array()) {
    for (const Json& item : value) collect(item, wanted, texts);
  }
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) collect(member, kFields.contains(key), texts);
  }
}

void read_texts(const std::filesystem::path& path, Texts& texts) {
  const std::size_t before = texts.size();
  std::filesystem::path name = path;
  if (name.extension() == ".gz") name = name.stem();
  if (name.extension() == ".jsonl") {
    for_each_jsonl(path, [&](const Json& row, const std::string&) { collect(row, false, texts); });
  } else if (name.extension() == ".json") {
    collect(parse_json(read_file(path), path.string()), false, texts);
  } else {
    for_each_line(path, [&](std::string_view line, std::size_t) {
      texts.emplace_back(line).push_back('\n');
    });
  }
  if (texts.size() == before) {
    throw Error(ErrorKind::data, path.string() + ": no text found",
                "expected plain text, or JSON with \"text\", \"instruction\" and \"output\", or "
                "\"messages\"");
  }
}

BpeTrainerOptions resolve(const TrainTokenizerOptions& options) {
  BpeTrainerOptions bpe = options.bpe;
  for (const NamedPattern& named : kPatterns) {
    if (bpe.pattern == named.name) bpe.pattern = named.pattern;
  }
  for (const std::string* token : {&options.bos_token, &options.eos_token}) {
    const auto& known = bpe.special_tokens;
    if (!token->empty() && std::find(known.begin(), known.end(), *token) == known.end()) {
      bpe.special_tokens.push_back(*token);
    }
  }
  return bpe;
}

std::string config_text(const TrainTokenizerOptions& options) {
  const auto name = [](const std::string& token) { return token.empty() ? Json() : Json(token); };
  const OrderedJson config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                              {"bos_token", name(options.bos_token)},
                              {"eos_token", name(options.eos_token)},
                              {"pad_token", name(options.eos_token)},
                              {"clean_up_tokenization_spaces", false}};
  return config.dump(2) + "\n";
}

double bytes_per_token(const Tokenizer& tokenizer, const Texts& texts) {
  const std::size_t step = std::max<std::size_t>(texts.size() / 1000, 1);
  std::size_t bytes = 0;
  std::size_t tokens = 0;
  for (std::size_t i = 0; i < texts.size(); i += step) {
    bytes += texts[i].size();
    tokens += tokenizer.encode(texts[i]).size();
  }
  return tokens == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(tokens);
}

}  // namespace

TrainTokenizerSummary train_tokenizer(const TrainTokenizerOptions& options) {
  Texts texts;
  for (const std::filesystem::path& path : options.inputs) read_texts(path, texts);
  const std::string json = train_bpe(texts, resolve(options));
  std::filesystem::create_directories(options.output_dir);
  write_file(options.output_dir / "tokenizer.json", json);
  write_file(options.output_dir / "tokenizer_config.json", config_text(options));
  const auto tokenizer = load_tokenizer(options.output_dir);
  TrainTokenizerSummary summary;
  summary.texts = static_cast<std::int64_t>(texts.size());
  for (const std::string& text : texts) summary.bytes += static_cast<std::int64_t>(text.size());
  summary.vocab_size = tokenizer->vocab_size();
  summary.bytes_per_token = bytes_per_token(*tokenizer, texts);
  return summary;
}

std::vector<std::string> split_pattern_names() {
  std::vector<std::string> names;
  for (const NamedPattern& named : kPatterns) names.emplace_back(named.name);
  return names;
}

}  // namespace tapir::text
