// The tokens of a tokenizer by id and by name, and the part of Tokenizer that only looks up there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/added_tokens.h"
#include "text/bpe_model.h"
#include "text/tokenizer.h"

namespace tapir::text {

class TokenTable {
 public:
  // Error{data} naming `where`: an id out of bounds, or given to two tokens.
  void place(TokenId id, const std::string& token, const std::string& where);
  // Places an added token; where the id is taken by the same text, only its nature is noted.
  void place(const AddedToken& token, const std::string& where);

  std::optional<TokenId> find(std::string_view token) const;
  bool known(TokenId id) const { return id >= 0 && index(id) < tokens_.size(); }
  const std::string& token(TokenId id) const { return tokens_[index(id)]; }  // id is known
  bool special(TokenId id) const { return known(id) && special_[index(id)]; }
  void set_special(TokenId id) { special_[index(id)] = true; }
  TokenEdges edges(TokenId id) const;
  std::int64_t size() const { return static_cast<std::int64_t>(tokens_.size()); }

 private:
  static std::size_t index(TokenId id) { return static_cast<std::size_t>(id); }

  std::vector<std::string> tokens_;
  std::vector<bool> special_;
  std::vector<std::pair<TokenId, TokenEdges>> edges_;  // of the few that have any
  BytesToId ids_;
};

// What every tokenizer that is read from files has.
class TableTokenizer : public Tokenizer {
 public:
  std::optional<TokenId> token_to_id(std::string_view token) const final {
    return table_.find(token);
  }
  std::string id_to_token(TokenId id) const final {
    return table_.known(id) ? table_.token(id) : std::string();
  }
  std::int64_t vocab_size() const final { return table_.size(); }
  bool is_special(TokenId id) const final { return table_.special(id); }
  TokenEdges edges(TokenId id) const final { return table_.edges(id); }
  std::optional<TokenId> bos_token() const final { return bos_; }
  std::optional<TokenId> eos_token() const final { return eos_; }

 protected:
  TableTokenizer(TokenTable table, std::optional<TokenId> bos, std::optional<TokenId> eos)
      : table_(std::move(table)), bos_(bos), eos_(eos) {}
  const TokenTable& table() const { return table_; }

 private:
  TokenTable table_;
  std::optional<TokenId> bos_;
  std::optional<TokenId> eos_;
};

}  // namespace tapir::text
