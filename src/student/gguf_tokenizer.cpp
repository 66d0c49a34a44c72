#include "student/gguf_tokenizer.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "student/gguf_pre_tokenizer.h"
#include "text/sentencepiece_model.h"

namespace tapir::student {
namespace {

// llama.cpp's kinds of tokens.
enum TokenType : std::int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

constexpr std::string_view kBlank = "\u2581";  // how sentencepiece writes a blank

struct Token {
  std::string text;
  std::int32_t type = kNormal;
  float score = 0;
};

// By id, as the file has them.
struct Tokens {
  std::vector<std::string> texts;
  std::vector<std::int32_t> types;
  std::vector<float> scores;
};

// "<0x0A>"
bool is_byte_token(std::string_view token) {
  return token.size() == 6 && token.starts_with("<0x") && token.ends_with(">") &&
         token.find_first_not_of("0123456789ABCDEF", 3) == 5;
}

std::set<std::string> added_tokens(const Json& tokenizer, const std::string& where) {
  std::set<std::string> contents;
  for (const Json& token : json_get_or<Json>(tokenizer, "added_tokens", Json::array(), where)) {
    contents.insert(json_get<std::string>(token, "content", where));
  }
  return contents;
}

// Every id of the model has a token, and every token a text of its own: llama.cpp insists on both.
// An empty text stands for an id without a token.
Tokens list_tokens(std::int64_t vocab_size, const std::function<Token(text::TokenId)>& token_of,
                   const std::string& where) {
  Tokens tokens;
  std::set<std::string> seen;
  for (text::TokenId id = 0; id < vocab_size; ++id) {
    Token token = token_of(id);
    if (token.text.empty()) token = {"[PAD" + std::to_string(id) + "]", kUnused};
    if (!seen.insert(token.text).second) {
      throw Error(ErrorKind::data, where + ": the token \"" + valid_utf8(token.text) +
                                       "\" has two ids; GGUF needs a text of its own for each");
    }
    tokens.texts.push_back(std::move(token.text));
    tokens.types.push_back(token.type);
    tokens.scores.push_back(token.score);
  }
  return tokens;
}

Tokens tokens_of_json(const Json& json, const text::Tokenizer& tokenizer, std::int64_t vocab_size,
                      const std::string& where) {
  const Json& model = json_member(json, "model", where);
  const std::set<std::string> added = added_tokens(json, where);
  const auto unknown = json_get_or<std::string>(model, "unk_token", "", where);
  const bool bytes = json_get_or<bool>(model, "byte_fallback", false, where);
  const auto type_of = [&](text::TokenId id, const std::string& token) {
    if (!unknown.empty() && token == unknown) return kUnknown;
    if (tokenizer.is_special(id)) return kControl;
    if (added.contains(token)) return kUserDefined;
    return bytes && is_byte_token(token) ? kByte : kNormal;
  };
  return list_tokens(
      vocab_size,
      [&](text::TokenId id) -> Token {
        if (id >= tokenizer.vocab_size()) return {};
        const std::string token = tokenizer.id_to_token(id);
        return {token, type_of(id, token)};
      },
      where);
}

// "left right", whichever form the file has.
std::vector<std::string> list_merges(const Json& model, const std::string& where) {
  std::vector<std::string> merges;
  for (const Json& merge : json_member(model, "merges", where)) {
    merges.push_back(merge.is_array()
                         ? merge.at(0).get<std::string>() + " " + merge.at(1).get<std::string>()
                         : merge.get<std::string>());
  }
  return merges;
}

// llama.cpp merges the pair whose token has the highest score, where tokenizer.json merges the pair
// of the lowest rank: a token's score is minus the rank of the first merge that makes it. Other
// tokens come below all of them, in the order of their ids.
void score_by_merges(const std::vector<std::string>& merges, Tokens& tokens) {
  std::unordered_map<std::string, std::size_t> ranks;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    std::string token = merges[rank];
    token.erase(token.find(' '), 1);
    ranks.emplace(std::move(token), rank);
  }
  for (std::size_t id = 0; id < tokens.texts.size(); ++id) {
    if (tokens.types[id] != kNormal) continue;
    const auto found = ranks.find(tokens.texts[id]);
    const std::size_t place = found != ranks.end() ? found->second : merges.size() + id;
    tokens.scores[id] = -static_cast<float>(place);
  }
}

void add_id(GgufMetadata& metadata, std::string_view key, std::optional<text::TokenId> id) {
  if (id) metadata.add(key, static_cast<std::uint32_t>(*id));
}

void add_special_ids(const GgufTokenizerFacts& facts, const text::Tokenizer& tokenizer,
                     GgufMetadata& metadata) {
  check(!facts.end_tokens.empty(), "a GGUF file names an end token");
  const auto end = [&](std::size_t i) {
    return i < facts.end_tokens.size() ? std::optional(facts.end_tokens[i]) : std::nullopt;
  };
  add_id(metadata, "tokenizer.ggml.bos_token_id", facts.bos);
  add_id(metadata, "tokenizer.ggml.eos_token_id", end(0));
  add_id(metadata, "tokenizer.ggml.eot_token_id", end(1));
  add_id(metadata, "tokenizer.ggml.eom_token_id", end(2));
  add_id(metadata, "tokenizer.ggml.padding_token_id", facts.pad);
  // What the post-processor puts around an empty text.
  const std::vector<text::TokenId> around = tokenizer.encode_with_specials("", true);
  const auto has = [&](std::optional<text::TokenId> id) {
    return id && std::find(around.begin(), around.end(), *id) != around.end();
  };
  metadata.add("tokenizer.ggml.add_bos_token", has(facts.bos));
  metadata.add("tokenizer.ggml.add_eos_token",
               has(tokenizer.eos_token()) && facts.bos != tokenizer.eos_token());
  if (!facts.chat_template.empty()) {
    metadata.add("tokenizer.chat_template", facts.chat_template);
  }
}

// Character tokens with byte fallback ("llama"), scored.
void add_scored(const Tokens& tokens, const text::Tokenizer& tokenizer, GgufMetadata& metadata) {
  metadata.add("tokenizer.ggml.model", "llama");
  metadata.add("tokenizer.ggml.pre", "default");
  metadata.add("tokenizer.ggml.tokens", tokens.texts);
  metadata.add("tokenizer.ggml.scores", tokens.scores);
  metadata.add("tokenizer.ggml.token_type", tokens.types);
  const std::vector<text::TokenId> word = tokenizer.encode("a");
  metadata.add("tokenizer.ggml.add_space_prefix",
               !word.empty() && tokenizer.id_to_token(word.front()).starts_with(kBlank));
  const auto unknown = std::find(tokens.types.begin(), tokens.types.end(), kUnknown);
  if (unknown == tokens.types.end()) return;
  metadata.add("tokenizer.ggml.unknown_token_id",
               static_cast<std::uint32_t>(unknown - tokens.types.begin()));
}

// tokenizer.model alone, where a folder has no tokenizer.json. Its types are llama.cpp's.
void add_sentencepiece(const std::filesystem::path& file, const text::Tokenizer& tokenizer,
                       std::int64_t vocab_size, GgufMetadata& metadata) {
  const auto model = text::read_sentencepiece_model(read_file(file), file.string());
  if (model.kind != text::SentencePieceModel::Kind::bpe) {
    throw Error(ErrorKind::data,
                file.string() +
                    ": llama.cpp merges by score, as BPE does; this "
                    "sentencepiece model is of another kind",
                "supported: sentencepiece models of kind BPE, and tokenizer.json");
  }
  const auto token_of = [&](text::TokenId id) -> Token {
    if (id >= tokenizer.vocab_size()) return {};
    const auto place = static_cast<std::size_t>(id);
    if (place >= model.pieces.size()) {
      return {tokenizer.id_to_token(id), tokenizer.is_special(id) ? kControl : kUserDefined};
    }
    const text::SentencePiece& piece = model.pieces[place];
    const bool made_special =
        tokenizer.is_special(id) && piece.type == text::SentencePiece::Type::normal;
    return {piece.text, made_special ? kControl : static_cast<std::int32_t>(piece.type),
            piece.score};
  };
  add_scored(list_tokens(vocab_size, token_of, file.string()), tokenizer, metadata);
}

// BPE over bytes ("gpt2"), with merges.
void add_byte_level(const Json& json, const Tokens& tokens, const std::string& where,
                    GgufMetadata& metadata) {
  metadata.add("tokenizer.ggml.model", "gpt2");
  metadata.add("tokenizer.ggml.pre", gguf_pre_tokenizer(json, where));
  metadata.add("tokenizer.ggml.tokens", tokens.texts);
  metadata.add("tokenizer.ggml.token_type", tokens.types);
  metadata.add("tokenizer.ggml.merges", list_merges(json["model"], where));
}

}  // namespace

std::vector<std::string> add_gguf_tokenizer(const std::filesystem::path& folder,
                                            const text::Tokenizer& tokenizer,
                                            const GgufTokenizerFacts& facts,
                                            GgufMetadata& metadata) {
  const std::filesystem::path file = folder / "tokenizer.json";
  std::vector<std::string> notes;
  if (!std::filesystem::exists(file)) {
    add_sentencepiece(folder / "tokenizer.model", tokenizer, facts.vocab_size, metadata);
    add_special_ids(facts, tokenizer, metadata);
    return notes;
  }
  const std::string where = file.string();
  const Json json = parse_json(read_file(file), where);
  const Json& model = json_member(json, "model", where);
  Tokens tokens = tokens_of_json(json, tokenizer, facts.vocab_size, where);
  if (json_get_or<bool>(model, "byte_fallback", false, where)) {
    score_by_merges(list_merges(model, where), tokens);
    add_scored(tokens, tokenizer, metadata);
  } else {
    add_byte_level(json, tokens, where, metadata);
    if (!json.value("normalizer", Json()).is_null()) {
      notes.emplace_back(
          "llama.cpp does not normalise text (NFC): type text in composed form there");
    }
  }
  add_special_ids(facts, tokenizer, metadata);
  return notes;
}

}  // namespace tapir::student
