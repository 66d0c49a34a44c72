#include "text/sentencepiece_tokenizer.h"

#include <charconv>
#include <set>
#include <utility>

#include <sentencepiece_processor.h>

#include "base/error.h"
#include "base/file.h"
#include "base/strings.h"
#include "text/sentencepiece_model.h"
#include "text/token_table.h"
#include "text/tokenizer_config.h"

namespace tapir::text {
namespace {

using Type = SentencePiece::Type;
using Processor = std::shared_ptr<const sentencepiece::SentencePieceProcessor>;

constexpr std::string_view kBlank = "▁";
// Put before a text whose first blank must stay; its tokens are taken away.
constexpr std::string_view kGuard = "<unk>";

Processor load_processor(std::string_view file, const std::string& where) {
  auto processor = std::make_shared<sentencepiece::SentencePieceProcessor>();
  const auto status = processor->LoadFromSerializedProto(file);
  if (!status.ok()) {
    throw Error(ErrorKind::data, where + ": sentencepiece refuses the model: " + status.ToString());
  }
  return processor;
}

// One way to read text: with the blank in front, and without it.
struct Readers {
  Processor with_prefix;
  Processor without_prefix;
  std::size_t guard = 0;  // tokens of kGuard without the blank
};

// What the files say, read and checked.
struct Parts {
  TokenTable table;
  std::vector<SentencePiece> pieces;
  AddedTokenMatcher added;
  Readers all;   // user-defined pieces are found in the text
  Readers text;  // but for those that are special
  bool legacy = true;
  bool prefix = true;  // a blank is put in front at all
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
  bool add_bos = true;
  bool add_eos = false;
};

class SentencePieceTokenizer final : public TableTokenizer {
 public:
  explicit SentencePieceTokenizer(Parts parts)
      : TableTokenizer(std::move(parts.table), parts.bos, parts.eos), parts_(std::move(parts)) {}

  std::vector<TokenId> encode(std::string_view utf8) const override {
    return encode_part(utf8, Before::nothing);
  }
  std::vector<TokenId> encode_part(std::string_view utf8, Before before) const override {
    std::vector<TokenId> ids;
    append_ids(utf8, before, /*skip_special=*/true, ids);
    return ids;
  }
  std::vector<TokenId> encode_with_specials(std::string_view utf8,
                                            bool add_special_tokens) const override {
    std::vector<TokenId> ids;
    if (add_special_tokens && parts_.add_bos && parts_.bos) ids.push_back(*parts_.bos);
    append_ids(utf8, Before::nothing, /*skip_special=*/false, ids);
    if (add_special_tokens && parts_.add_eos && parts_.eos) ids.push_back(*parts_.eos);
    return ids;
  }
  std::string decode(std::span<const TokenId> ids, bool skip_special_tokens) const override;
  std::string token_bytes(TokenId id) const override;

 private:
  void append_ids(std::string_view utf8, Before before, bool skip_special,
                  std::vector<TokenId>& ids) const;
  std::vector<TokenId> encode_section(std::string_view utf8, Before before,
                                      const Readers& readers) const;
  std::string decode_section(const std::vector<TokenId>& ids, bool first) const;
  bool is_piece(TokenId id) const { return static_cast<std::size_t>(id) < parts_.pieces.size(); }

  Parts parts_;
};

std::vector<TokenId> encode_with(const Processor& processor, std::string_view utf8) {
  std::vector<int> ids;
  const auto status = processor->Encode(utf8, &ids);
  check(status.ok(), "sentencepiece encodes any text");
  return ids;
}

void SentencePieceTokenizer::append_ids(std::string_view utf8, Before before, bool skip_special,
                                        std::vector<TokenId>& ids) const {
  std::string repaired;
  if (!is_valid_utf8(utf8)) utf8 = repaired = valid_utf8(utf8);
  std::vector<TokenOrText> sections;
  parts_.added.split(utf8, skip_special, sections);
  for (const TokenOrText& section : sections) {
    if (section.token) {
      ids.push_back(*section.token);
    } else {
      const auto more =
          encode_section(section.text, before, skip_special ? parts_.text : parts_.all);
      ids.insert(ids.end(), more.begin(), more.end());
    }
    before = Before::token;
  }
}

std::vector<TokenId> SentencePieceTokenizer::encode_section(std::string_view utf8, Before before,
                                                            const Readers& readers) const {
  if (parts_.legacy && before != Before::text) return encode_with(readers.with_prefix, utf8);
  std::string text = replace_all(std::string(utf8), kBlank, " ");
  if (!parts_.legacy && parts_.prefix && before == Before::nothing) text.insert(0, kBlank);
  if (!text.starts_with(kBlank) && !text.starts_with(' ')) {
    return encode_with(readers.without_prefix, text);
  }
  // The model may drop a blank in front.
  std::vector<TokenId> ids = encode_with(readers.without_prefix, std::string(kGuard) + text);
  if (ids.size() >= readers.guard)
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(readers.guard));
  return ids;
}

std::string SentencePieceTokenizer::decode(std::span<const TokenId> ids,
                                           bool skip_special_tokens) const {
  std::string text;
  std::vector<TokenId> section;
  bool first = true;
  const auto flush = [&] {
    if (section.empty()) return;
    text += decode_section(section, first);
    section.clear();
    first = false;
  };
  for (const TokenId id : ids) {
    if (!table().known(id)) continue;
    if (is_piece(id) && !is_special(id)) {
      section.push_back(id);
      continue;
    }
    flush();
    first = false;
    if (!is_special(id) || !skip_special_tokens) text += table().token(id);
  }
  flush();
  return text;
}

std::string SentencePieceTokenizer::decode_section(const std::vector<TokenId>& ids,
                                                   bool first) const {
  const bool strip = parts_.legacy;  // of every section the blank that encoding put in front
  std::string text;
  const auto status =
      (strip ? parts_.all.with_prefix : parts_.all.without_prefix)->Decode(ids, &text);
  check(status.ok(), "sentencepiece decodes its own ids");
  if (!strip && first && parts_.prefix && text.starts_with(' ')) text.erase(0, 1);
  return text;
}

std::string SentencePieceTokenizer::token_bytes(TokenId id) const {
  if (!table().known(id)) return {};
  if (!is_piece(id) || is_special(id)) return table().token(id);
  const SentencePiece& piece = parts_.pieces[static_cast<std::size_t>(id)];
  if (piece.type != Type::byte) return replace_all(piece.text, kBlank, " ");
  unsigned byte = 0;  // "<0x0A>"
  if (piece.text.size() == 6)
    std::from_chars(piece.text.data() + 3, piece.text.data() + 5, byte, 16);
  return std::string(1, static_cast<char>(byte));
}

// Every token that the folder's files name besides the model's pieces.
std::map<TokenId, AddedToken> read_added(const std::filesystem::path& folder,
                                         const TokenizerConfig& config) {
  std::map<TokenId, AddedToken> added = config.added_tokens;
  for (const auto& [id, content] : read_added_tokens_file(folder)) {
    AddedToken token;
    token.id = id;
    token.content = content;
    added.emplace(id, token);
  }
  return added;
}

// The names of control tokens that the configuration gives.
std::set<std::string> special_names(const TokenizerConfig& config) {
  std::set<std::string> names(config.other_special_tokens.begin(),
                              config.other_special_tokens.end());
  for (const auto* name : {&config.bos_token, &config.eos_token, &config.unk_token}) {
    if (*name) names.insert(**name);
  }
  return names;
}

std::optional<TokenId> named_or(const std::optional<std::string>& name, const char* fallback,
                                const TokenTable& table) {
  return table.find(name ? *name : fallback);
}

void place_tokens(const std::filesystem::path& folder, const TokenizerConfig& config,
                  const std::string& where, Parts& parts) {
  for (std::size_t id = 0; id < parts.pieces.size(); ++id) {
    const SentencePiece& piece = parts.pieces[id];
    parts.table.place(static_cast<TokenId>(id), piece.text, where);
    if (piece.type == Type::control || piece.type == Type::unknown) {
      parts.table.set_special(static_cast<TokenId>(id));
    }
  }
  std::map<TokenId, AddedToken> added = read_added(folder, config);
  for (const auto& [id, token] : added) parts.table.place(token, where);
  for (const std::string& name : special_names(config)) {
    const auto id = parts.table.find(name);
    if (!id) continue;
    parts.table.set_special(*id);
    AddedToken& token = added.try_emplace(*id).first->second;
    token.id = *id;
    token.content = name;
    token.special = true;
  }
  std::vector<AddedToken> tokens;
  std::vector<std::string> contents;
  for (auto& [id, token] : added) {
    contents.push_back(token.content);
    tokens.push_back(std::move(token));
  }
  parts.added = AddedTokenMatcher(std::move(tokens), contents);
}

Readers load_readers(const std::string& file, const SentencePieceModel& model,
                     SentencePieceChange change, const std::string& where) {
  Readers readers;
  readers.with_prefix = load_processor(change_sentencepiece_model(file, change), where);
  readers.without_prefix = readers.with_prefix;
  if (model.add_dummy_prefix) {
    change.without_dummy_prefix = true;
    readers.without_prefix = load_processor(change_sentencepiece_model(file, change), where);
  }
  readers.guard = encode_with(readers.without_prefix, kGuard).size();
  return readers;
}

}  // namespace

std::shared_ptr<const Tokenizer> load_sentencepiece_tokenizer(const std::filesystem::path& folder) {
  const std::string where = (folder / "tokenizer.model").string();
  const std::string file = read_file(where);
  SentencePieceModel model = read_sentencepiece_model(file, where);
  if (model.kind != SentencePieceModel::Kind::bpe &&
      model.kind != SentencePieceModel::Kind::unigram) {
    throw Error(ErrorKind::data, where + ": a sentencepiece model of words or characters",
                "supported are BPE and unigram");
  }
  const TokenizerConfig config = read_tokenizer_config(folder);
  Parts parts;
  parts.pieces = std::move(model.pieces);
  place_tokens(folder, config, where, parts);
  parts.legacy = config.legacy.value_or(true);
  parts.prefix = config.add_prefix_space.value_or(model.add_dummy_prefix);
  parts.bos = named_or(config.bos_token, "<s>", parts.table);
  parts.eos = named_or(config.eos_token, "</s>", parts.table);
  parts.add_bos = config.add_bos_token.value_or(true);
  parts.add_eos = config.add_eos_token.value_or(false);
  parts.all = load_readers(file, model, {}, where);
  parts.text = parts.all;
  const auto special_text = [&](const SentencePiece& piece) {
    const auto id = parts.table.find(piece.text);
    return piece.type == Type::user_defined && id && parts.table.special(*id);
  };
  if (std::any_of(parts.pieces.begin(), parts.pieces.end(), special_text)) {
    parts.text = load_readers(file, model, {special_text, false}, where);
  }
  return std::make_shared<SentencePieceTokenizer>(std::move(parts));
}

}  // namespace tapir::text
