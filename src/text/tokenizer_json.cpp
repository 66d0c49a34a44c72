// Reads tokenizer.json and tokenizer_config.json, and refuses what is not supported by name.
#include <algorithm>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/byte_level.h"
#include "text/byte_level_tokenizer.h"
#include "text/normalizer.h"

namespace tapir::text {
namespace {

constexpr TokenId kLargestId = 1 << 24;  // a bound on what a broken file can make us allocate

[[noreturn]] void unsupported(const std::string& where, const std::string& what) {
  throw Error(ErrorKind::data, where + ": " + what + " is not supported",
              "supported: BPE over bytes with pre_tokenizer ByteLevel or Split, normalizer none or "
              "NFC, post_processor ByteLevel or TemplateProcessing, decoder ByteLevel");
}

// The value of key, without a copy: vocabularies are big.
const Json& member(const Json& object, const char* key, const std::string& where) {
  if (!object.is_object() || !object.contains(key)) {
    throw Error(ErrorKind::data, where + ": key \"" + key + "\" is missing");
  }
  return object[key];
}

// A component's value, null when it is missing.
Json component(const Json& object, const char* key) { return object.value(key, Json()); }

bool read_normalizer(const Json& description, const std::string& where) {
  if (description.is_null()) return false;
  const auto type = json_get<std::string>(description, "type", where);
  if (type == "NFC") return true;
  if (type != "Sequence") unsupported(where, "\"" + type + "\"");
  bool nfc = false;
  for (const Json& part : member(description, "normalizers", where)) {
    nfc = read_normalizer(part, where) || nfc;
  }
  return nfc;
}

void check_decoder(const Json& description, const std::string& where) {
  const std::string type =
      description.is_null() ? "null" : json_get<std::string>(description, "type", where);
  if (type == "ByteLevel") return;
  if (type != "Sequence") unsupported(where, "\"" + type + "\"");
  for (const Json& part : member(description, "decoders", where)) check_decoder(part, where);
}

// One sequence's template: the ids before and after "A".
void read_template(const Json& description, const std::string& where, TokenizerParts& parts) {
  const Json& specials = member(description, "special_tokens", where);
  std::vector<TokenId>* side = &parts.prefix;
  for (const Json& piece : member(description, "single", where)) {
    if (piece.contains("Sequence")) {
      side = &parts.suffix;
      continue;
    }
    const Json& special = member(piece, "SpecialToken", where);
    const auto name = json_get<std::string>(special, "id", where);
    const auto ids =
        json_get<std::vector<TokenId>>(member(specials, name.c_str(), where), "ids", where);
    side->insert(side->end(), ids.begin(), ids.end());
  }
}

void read_post_processor(const Json& description, const std::string& where, TokenizerParts& parts) {
  if (description.is_null()) return;
  const auto type = json_get<std::string>(description, "type", where);
  if (type == "ByteLevel") return;  // moves offsets only
  if (type == "TemplateProcessing") return read_template(description, where, parts);
  if (type != "Sequence") unsupported(where, "\"" + type + "\"");
  for (const Json& part : member(description, "processors", where)) {
    read_post_processor(part, where, parts);
  }
}

void check_model_options(const Json& model, const std::string& where) {
  const auto type = json_get_or<std::string>(model, "type", "BPE", where);
  if (type != "BPE") unsupported(where, "\"" + type + "\"");
  if (json_get_or<bool>(model, "byte_fallback", false, where)) unsupported(where, "byte_fallback");
  if (json_get_or<double>(model, "dropout", 0, where) > 0) unsupported(where, "dropout");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!json_get_or<std::string>(model, key, "", where).empty()) unsupported(where, key);
  }
}

std::pair<std::string, std::string> read_merge(const Json& merge, const std::string& where) {
  std::string left;
  std::string right;
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    left = merge[0].get<std::string>();
    right = merge[1].get<std::string>();
  } else if (merge.is_string()) {
    const auto text = merge.get<std::string>();
    const std::size_t blank = text.find(' ');
    if (blank != std::string::npos) {
      left = text.substr(0, blank);
      right = text.substr(blank + 1);
    }
  }
  auto left_bytes = from_byte_level(left);
  auto right_bytes = from_byte_level(right);
  if (left.empty() || right.empty() || !left_bytes || !right_bytes) {
    throw Error(ErrorKind::data, where +
                                     ": a merge is two strings of the byte-level alphabet, found " +
                                     merge.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  return {std::move(*left_bytes), std::move(*right_bytes)};
}

void place_token(TokenId id, const std::string& token, const std::string& where,
                 TokenizerParts& parts) {
  if (id < 0 || id > kLargestId) {
    throw Error(ErrorKind::data,
                where + ": token \"" + token + "\" has the id " + std::to_string(id));
  }
  const auto at = static_cast<std::size_t>(id);
  if (at >= parts.tokens.size()) {
    parts.tokens.resize(at + 1);
    parts.bytes.resize(at + 1);
    parts.special.resize(at + 1);
  }
  if (!parts.tokens[at].empty() && parts.tokens[at] != token) {
    throw Error(ErrorKind::data, where + ": id " + std::to_string(id) + " is given to both \"" +
                                     parts.tokens[at] + "\" and \"" + token + "\"");
  }
  parts.tokens[at] = token;
  parts.bytes[at] = from_byte_level(token).value_or(token);
  parts.ids[token] = id;
}

BpeDescription read_model(const Json& model, const std::string& where, TokenizerParts& parts) {
  check_model_options(model, where);
  BpeDescription bpe;
  const Json& vocabulary = member(model, "vocab", where);
  for (const auto& [token, id] : vocabulary.items()) {
    if (!id.is_number_integer()) {
      throw Error(ErrorKind::data, where + ": the id of \"" + token + "\" is not an integer");
    }
    place_token(id.get<TokenId>(), token, where, parts);
    if (auto bytes = from_byte_level(token)) bpe.vocabulary.emplace(std::move(*bytes), id);
  }
  for (const Json& merge : member(model, "merges", where)) {
    bpe.merges.push_back(read_merge(merge, where));
  }
  bpe.ignore_merges = json_get_or<bool>(model, "ignore_merges", false, where);
  bpe.fuse_unknown = json_get_or<bool>(model, "fuse_unk", false, where);
  const auto unknown = json_get_or<std::string>(model, "unk_token", "", where);
  if (const auto found = parts.ids.find(unknown); found != parts.ids.end()) {
    bpe.unknown = found->second;
  }
  return bpe;
}

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

// Those of tokenizer.json, and those that only tokenizer_config.json names; by id.
std::map<TokenId, AddedToken> read_added_tokens(const Json& tokenizer, const Json& config,
                                                const std::string& where) {
  std::map<TokenId, AddedToken> tokens;
  const Json added = component(tokenizer, "added_tokens");
  for (const Json& entry : added) {
    const auto id = json_get<TokenId>(entry, "id", where);
    tokens[id] = read_added_token(entry, id, where);
  }
  const Json more = component(config, "added_tokens_decoder");
  for (const auto& [key, entry] : more.items()) {
    const std::string place = where + " (tokenizer_config.json, added_tokens_decoder)";
    if (key.empty() || key.size() > 9 || key.find_first_not_of("0123456789") != std::string::npos) {
      throw Error(ErrorKind::data, place + ": \"" + key + "\" is not an id");
    }
    const auto id = static_cast<TokenId>(std::stol(key));
    tokens.emplace(id, read_added_token(entry, id, place));
  }
  return tokens;
}

void add_tokens(const std::map<TokenId, AddedToken>& added, const std::string& where,
                TokenizerParts& parts) {
  std::vector<AddedToken> raw;
  std::vector<AddedToken> normalized;
  std::vector<std::string> raw_contents;
  std::vector<std::string> normalized_contents;
  for (const auto& [id, token] : added) {
    place_token(id, token.content, where, parts);
    parts.special[static_cast<std::size_t>(id)] = token.special;
    (token.normalized ? normalized : raw).push_back(token);
    (token.normalized ? normalized_contents : raw_contents)
        .push_back(token.normalized && parts.nfc ? to_nfc(token.content) : token.content);
  }
  parts.raw_added = AddedTokenMatcher(std::move(raw), raw_contents);
  parts.normalized_added = AddedTokenMatcher(std::move(normalized), normalized_contents);
}

// "bos_token" and the like: a string, or an object with "content".
std::optional<TokenId> named_token(const Json& config, const char* key, const std::string& where,
                                   const TokenizerParts& parts) {
  Json value = component(config, key);
  if (value.is_object()) value = component(value, "content");
  if (!value.is_string()) return std::nullopt;
  const auto found = parts.ids.find(value.get<std::string>());
  if (found == parts.ids.end()) {
    throw Error(ErrorKind::data, where + ": " + key + " \"" + value.get<std::string>() +
                                     "\" is not a token of tokenizer.json");
  }
  return found->second;
}

Json read_object(const std::filesystem::path& path) {
  Json object = parse_json(read_file(path), path.string());
  if (!object.is_object()) throw Error(ErrorKind::data, path.string() + ": expected a JSON object");
  return object;
}

void read_components(const Json& tokenizer, const Json& config, const std::string& where,
                     TokenizerParts& parts) {
  parts.nfc = read_normalizer(component(tokenizer, "normalizer"), where + ": normalizer");
  const Json pre_tokenizer = component(tokenizer, "pre_tokenizer");
  if (pre_tokenizer.is_null()) unsupported(where, "a tokenizer without pre_tokenizer");
  parts.pre_tokenizer = std::make_unique<PreTokenizer>(pre_tokenizer, where + ": pre_tokenizer");
  check_decoder(component(tokenizer, "decoder"), where + ": decoder");
  BpeDescription bpe = read_model(member(tokenizer, "model", where), where + ": model", parts);
  const auto added = read_added_tokens(tokenizer, config, where + ": added_tokens");
  add_tokens(added, where + ": added_tokens", parts);
  for (const auto& [id, token] : added) {
    if (token.special) bpe.control_tokens.insert(id);
  }
  parts.model = std::make_unique<BpeModel>(bpe, where + ": model");
  read_post_processor(component(tokenizer, "post_processor"), where + ": post_processor", parts);
}

}  // namespace

TokenizerParts read_tokenizer(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer.json";
  const std::filesystem::path config_path = folder / "tokenizer_config.json";
  if (!std::filesystem::exists(path)) {
    throw Error(ErrorKind::data, folder.string() + ": no tokenizer.json found",
                "a student's folder holds the tokenizer that it was trained with");
  }
  TokenizerParts parts;
  const Json config =
      std::filesystem::exists(config_path) ? read_object(config_path) : Json::object();
  try {
    read_components(read_object(path), config, path.string(), parts);
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorKind::data, path.string() + ": not as expected: " + e.what());
  }
  parts.bos = named_token(config, "bos_token", config_path.string(), parts);
  parts.eos = named_token(config, "eos_token", config_path.string(), parts);
  return parts;
}

}  // namespace tapir::text
