#include "text/tokenizer_config.h"

#include <utility>

#include "base/error.h"

namespace tapir::text {
namespace {

// "bos_token" and the like: a string, or an object with "content".
std::optional<std::string> token_name(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.contains("content") && value["content"].is_string()) {
    return value["content"].get<std::string>();
  }
  return std::nullopt;
}

std::optional<std::string> named_token(const Json& config, const Json& map, const char* key) {
  const auto name = token_name(config.value(key, Json()));
  return name ? name : token_name(map.value(key, Json()));
}

std::optional<bool> read_flag(const Json& config, const char* key, const std::string& where) {
  if (!config.contains(key) || config[key].is_null()) return std::nullopt;
  return json_get<bool>(config, key, where);
}

std::vector<std::string> other_specials(const Json& config, const Json& map) {
  std::vector<std::string> names;
  for (const Json* source : {&config, &map}) {
    for (const char* key : {"pad_token", "sep_token", "cls_token", "mask_token"}) {
      if (auto name = token_name(source->value(key, Json()))) names.push_back(std::move(*name));
    }
    for (const Json& entry : source->value("additional_special_tokens", Json::array())) {
      if (auto name = token_name(entry)) names.push_back(std::move(*name));
    }
  }
  return names;
}

std::map<TokenId, AddedToken> read_decoder(const Json& config, const std::string& where) {
  std::map<TokenId, AddedToken> tokens;
  const Json entries = config.value("added_tokens_decoder", Json::object());
  for (const auto& [key, entry] : entries.items()) {
    const std::string place = where + ": added_tokens_decoder";
    if (key.empty() || key.size() > 9 || key.find_first_not_of("0123456789") != std::string::npos) {
      throw Error(ErrorKind::data, place + ": \"" + key + "\" is not an id");
    }
    const auto id = static_cast<TokenId>(std::stol(key));
    tokens.emplace(id, read_added_token(entry, id, place));
  }
  return tokens;
}

Json read_optional(const std::filesystem::path& path) {
  return std::filesystem::exists(path) ? read_json_object(path) : Json::object();
}

}  // namespace

AddedToken read_added_token(const Json& entry, TokenId id, const std::string& where) {
  AddedToken token;
  token.id = id;
  token.content = json_get<std::string>(entry, "content", where);
  token.single_word = json_get_or<bool>(entry, "single_word", false, where);
  token.lstrip = json_get_or<bool>(entry, "lstrip", false, where);
  token.rstrip = json_get_or<bool>(entry, "rstrip", false, where);
  token.special = json_get_or<bool>(entry, "special", false, where);
  token.normalized = json_get_or<bool>(entry, "normalized", !token.special, where);
  return token;
}

TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder) {
  TokenizerConfig config;
  config.path = folder / "tokenizer_config.json";
  const std::string where = config.path.string();
  const Json json = read_optional(config.path);
  const Json map = read_optional(folder / "special_tokens_map.json");
  try {
    config.added_tokens = read_decoder(json, where);
    config.bos_token = named_token(json, map, "bos_token");
    config.eos_token = named_token(json, map, "eos_token");
    config.unk_token = named_token(json, map, "unk_token");
    config.other_special_tokens = other_specials(json, map);
    config.add_bos_token = read_flag(json, "add_bos_token", where);
    config.add_eos_token = read_flag(json, "add_eos_token", where);
    config.add_prefix_space = read_flag(json, "add_prefix_space", where);
    config.legacy = read_flag(json, "legacy", where);
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorKind::data, where + ": not as expected: " + e.what());
  }
  return config;
}

std::map<TokenId, std::string> read_added_tokens_file(const std::filesystem::path& folder) {
  std::map<TokenId, std::string> tokens;
  const std::filesystem::path path = folder / "added_tokens.json";
  const Json json = read_optional(path);
  for (const auto& [token, id] : json.items()) {
    tokens[json_get<TokenId>(json, token, path.string())] = token;
  }
  return tokens;
}

}  // namespace tapir::text
