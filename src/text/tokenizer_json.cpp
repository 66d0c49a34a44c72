// Reads tokenizer.json and tokenizer_config.json, and refuses what is not supported by name.
#include <map>
#include <utility>

#include "base/error.h"
#include "text/bpe_json.h"
#include "text/bpe_tokenizer.h"
#include "text/tokenizer_config.h"

namespace tapir::text {
namespace {

// A component's value, null when it is missing.
Json component(const Json& object, const char* key) { return object.value(key, Json()); }

// One sequence's template: the ids before and after "A".
void read_template(const Json& description, const std::string& where, BpeTokenizerParts& parts) {
  const Json& specials = json_member(description, "special_tokens", where);
  std::vector<TokenId>* side = &parts.prefix;
  for (const Json& piece : json_member(description, "single", where)) {
    if (piece.contains("Sequence")) {
      side = &parts.suffix;
      continue;
    }
    const auto name = json_get<std::string>(json_member(piece, "SpecialToken", where), "id", where);
    const auto ids =
        json_get<std::vector<TokenId>>(json_member(specials, name, where), "ids", where);
    for (const TokenId id : ids) {
      if (parts.table.known(id)) continue;
      throw Error(ErrorKind::data, where + ": \"" + name + "\" has the id " + std::to_string(id) +
                                       ", which is no token");
    }
    side->insert(side->end(), ids.begin(), ids.end());
  }
}

void read_post_processor(const Json& description, const std::string& where,
                         BpeTokenizerParts& parts) {
  if (description.is_null()) return;
  const auto type = json_get<std::string>(description, "type", where);
  if (type == "ByteLevel") return;  // moves offsets only
  if (type == "TemplateProcessing") return read_template(description, where, parts);
  if (type != "Sequence") {
    throw Error(ErrorKind::data, where + ": \"" + type + "\" is not supported",
                "supported post_processors: ByteLevel, TemplateProcessing, Sequence");
  }
  for (const Json& part : json_member(description, "processors", where)) {
    read_post_processor(part, where, parts);
  }
}

// "add_bos_token" and "add_eos_token" of the configuration, when given, go before the template.
void apply_flags(const TokenizerConfig& config, BpeTokenizerParts& parts) {
  const auto apply = [](std::optional<bool> wanted, std::optional<TokenId> token,
                        std::vector<TokenId>& side) {
    if (!wanted) return;
    side.clear();
    if (*wanted && token) side.push_back(*token);
  };
  apply(config.add_bos_token, parts.bos, parts.prefix);
  apply(config.add_eos_token, parts.eos, parts.suffix);
}

// Those of tokenizer.json, and those that only tokenizer_config.json names; by id.
std::map<TokenId, AddedToken> read_added_tokens(const Json& tokenizer,
                                                const TokenizerConfig& config,
                                                const std::string& where) {
  std::map<TokenId, AddedToken> tokens;
  const Json added = component(tokenizer, "added_tokens");
  for (const Json& entry : added) {
    const auto id = json_get<TokenId>(entry, "id", where);
    tokens[id] = read_added_token(entry, id, where);
  }
  tokens.insert(config.added_tokens.begin(), config.added_tokens.end());
  return tokens;
}

void place_added_tokens(const std::map<TokenId, AddedToken>& added, const std::string& where,
                        BpeTokenizerParts& parts) {
  std::vector<AddedToken> raw;
  std::vector<AddedToken> normalized;
  std::vector<std::string> raw_contents;
  std::vector<std::string> normalized_contents;
  for (const auto& [id, token] : added) {
    parts.table.place(token, where);
    if (token.normalized) {
      std::string buffer;
      normalized_contents.emplace_back(
          parts.normalizer.apply(token.content, Before::nothing, buffer));
      normalized.push_back(token);
    } else {
      raw_contents.push_back(token.content);
      raw.push_back(token);
    }
  }
  parts.raw_added = AddedTokenMatcher(std::move(raw), raw_contents);
  parts.normalized_added = AddedTokenMatcher(std::move(normalized), normalized_contents);
}

std::optional<TokenId> find_named(const std::optional<std::string>& name, const char* key,
                                  const TokenizerConfig& config, BpeTokenizerParts& parts) {
  if (!name) return std::nullopt;
  const auto id = parts.table.find(*name);
  if (!id) {
    throw Error(ErrorKind::data, config.path.string() + ": " + key + " \"" + *name +
                                     "\" is not a token of tokenizer.json");
  }
  // Text must not turn into it, even where the file forgot to call it special.
  if (name->size() > 1) parts.table.set_special(*id);
  return id;
}

void read_components(const Json& tokenizer, const TokenizerConfig& config, const std::string& where,
                     BpeTokenizerParts& parts) {
  parts.normalizer = Normalizer(component(tokenizer, "normalizer"), where + ": normalizer");
  parts.pre_tokenizer = std::make_unique<PreTokenizer>(component(tokenizer, "pre_tokenizer"),
                                                       where + ": pre_tokenizer");
  parts.decoder = std::make_unique<Decoder>(component(tokenizer, "decoder"), where + ": decoder");
  BpeDescription bpe = read_bpe(json_member(tokenizer, "model", where),
                                parts.pre_tokenizer->byte_level(), where + ": model", parts.table);
  place_added_tokens(read_added_tokens(tokenizer, config, where + ": added_tokens"),
                     where + ": added_tokens", parts);
  parts.bos = find_named(config.bos_token, "bos_token", config, parts);
  parts.eos = find_named(config.eos_token, "eos_token", config, parts);
  for (TokenId id = 0; id < static_cast<TokenId>(parts.table.size()); ++id) {
    if (parts.table.special(id)) bpe.control_tokens.insert(id);
  }
  parts.model = std::make_unique<BpeModel>(bpe, where + ": model");
  read_post_processor(component(tokenizer, "post_processor"), where + ": post_processor", parts);
  apply_flags(config, parts);
}

}  // namespace

BpeTokenizerParts read_bpe_tokenizer(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer.json";
  const TokenizerConfig config = read_tokenizer_config(folder);
  BpeTokenizerParts parts;
  try {
    read_components(read_json_object(path), config, path.string(), parts);
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorKind::data, path.string() + ": not as expected: " + e.what());
  }
  return parts;
}

}  // namespace tapir::text
