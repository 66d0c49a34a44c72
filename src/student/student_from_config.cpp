#include "student/student_from_config.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "student/initial_weights.h"
#include "student/parameters.h"
#include "student/student_folder.h"
#include "text/tokenizer.h"

namespace tapir::student {
namespace {

using Path = std::filesystem::path;

constexpr std::string_view kTokenizerFiles[] = {
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
};

void copy_tokenizer(const Path& from, const Path& to, const ModelConfig& config) {
  for (const std::string_view name : kTokenizerFiles) {
    if (std::filesystem::exists(from / name)) write_aside(to / name, read_file(from / name));
  }
  const std::int64_t tokens = text::load_tokenizer(to)->vocab_size();
  if (tokens <= config.vocab_size) return;
  throw Error(ErrorKind::data,
              from.string() + ": the tokenizer has " + std::to_string(tokens) +
                  " tokens, config.json's vocab_size is " + std::to_string(config.vocab_size),
              "raise vocab_size, or name the tokenizer that belongs to this config");
}

// All keys of the given file; and what transformers needs to find the class and the type.
void write_configs(OrderedJson json, const ModelConfig& config, const Path& folder) {
  json["architectures"] = {config.architecture};
  json.erase("dtype");
  json["torch_dtype"] = to_string(config.torch_dtype);
  write_aside(folder / "config.json", json.dump(2) + "\n");
  OrderedJson generation;
  generation["_from_model_config"] = true;
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    if (json.contains(key) && !json[key].is_null()) generation[key] = json[key];
  }
  write_aside(folder / "generation_config.json", generation.dump(2) + "\n");
}

std::vector<float> draw(const ModelConfig& config, const ParameterLayout& layout,
                        std::uint64_t seed) {
  std::vector<float> values = draw_initial_weights(config, layout, seed);
  const auto padding = config.pad_token_id.value_or(-1);
  if (padding >= 0 && padding < config.vocab_size) {
    const std::int64_t row =
        layout.embed_tokens + static_cast<std::int64_t>(padding) * config.hidden_size;
    std::fill_n(values.begin() + row, config.hidden_size, 0.0F);
  }
  return values;
}

StudentFromConfigSummary write_student(const StudentFromConfig& wanted, const Path& folder) {
  const std::string where = wanted.config.string();
  const std::string text = read_file(wanted.config);
  StudentFromConfigSummary summary;
  summary.config = parse_config(parse_json(text, where), where);
  if (wanted.torch_dtype) summary.config.torch_dtype = *wanted.torch_dtype;
  write_configs(parse_ordered_json(text, where), summary.config, folder);
  if (!wanted.tokenizer.empty()) copy_tokenizer(wanted.tokenizer, folder, summary.config);
  const ParameterLayout layout = make_layout(summary.config);
  const std::vector<float> values = draw(summary.config, layout, wanted.seed);
  write_parameters(layout, values.data(), folder,
                   {summary.config.torch_dtype, wanted.max_shard_size});
  summary.parameters = layout.size;
  const std::filesystem::directory_iterator files(folder);
  summary.files =
      static_cast<std::size_t>(std::count_if(begin(files), end(files), [](const auto& entry) {
        return entry.path().extension() == ".safetensors";
      }));
  return summary;
}

}  // namespace

StudentFromConfigSummary make_student_from_config(const StudentFromConfig& wanted,
                                                  const Path& folder) {
  check_output_folder(folder);
  StudentFromConfigSummary summary;
  write_folder(folder, [&](const Path& aside) { summary = write_student(wanted, aside); });
  return summary;
}

}  // namespace tapir::student
