#include "student/folder_files.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "student/config.h"
#include "text/chat_format.h"
#include "text/tokenizer.h"

namespace tapir::student {
namespace {

using Path = std::filesystem::path;

OrderedJson read_optional(const Path& file) {
  return std::filesystem::exists(file) ? read_ordered_json_object(file) : OrderedJson::object();
}

void write_object(const Path& file, const OrderedJson& json) {
  write_aside(file, json.dump(2) + "\n");
}

// The tokens that end an answer; none without a chat template that is known.
std::vector<text::TokenId> stop_tokens(const Path& folder) {
  const std::shared_ptr<const text::Tokenizer> tokenizer = text::load_tokenizer(folder);
  try {
    return text::load_chat_format(folder, tokenizer)->stop_tokens();
  } catch (const Error&) {  // an unknown template: its end is not ours to say
    return {};
  }
}

void complete_generation_config(const Path& folder) {
  const Path file = folder / "generation_config.json";
  OrderedJson json = read_optional(file);
  const ModelConfig config = read_config(folder);  // its end tokens are those of both files
  std::vector<std::int32_t> ends = config.eos_token_ids;
  const bool there = json.contains("eos_token_id") && !json["eos_token_id"].is_null();
  for (const text::TokenId id : stop_tokens(folder)) {
    if (std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
  }
  if (ends.empty() || (there && ends == config.eos_token_ids)) return;
  if (json.empty()) {
    json["_from_model_config"] = true;
    if (config.bos_token_id) json["bos_token_id"] = *config.bos_token_id;
    if (config.pad_token_id) json["pad_token_id"] = *config.pad_token_id;
  }
  json["eos_token_id"] = ends.size() == 1 ? OrderedJson(ends.front()) : OrderedJson(ends);
  write_object(file, json);
}

void add_special_tokens_map(const Path& folder) {
  const Path file = folder / "special_tokens_map.json";
  if (std::filesystem::exists(file)) return;
  const OrderedJson config = read_optional(folder / "tokenizer_config.json");
  OrderedJson map = OrderedJson::object();
  for (const char* key : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                          "cls_token", "mask_token", "additional_special_tokens"}) {
    if (config.contains(key) && !config[key].is_null()) map[key] = config[key];
  }
  write_object(file, map);
}

void add_chat_template(const Path& folder) {
  const Path file = folder / "chat_template.jinja";
  const std::string jinja = text::folder_chat_template(folder).jinja;
  if (!jinja.empty() && !std::filesystem::exists(file)) write_aside(file, jinja);
}

}  // namespace

void complete_folder(const Path& folder) {
  complete_generation_config(folder);
  add_special_tokens_map(folder);
  add_chat_template(folder);
}

}  // namespace tapir::student
