#include "text/token_table.h"

#include "base/error.h"

namespace tapir::text {
namespace {

constexpr TokenId kLargestId = 1 << 24;  // a bound on what a broken file can make us allocate

}  // namespace

void TokenTable::place(TokenId id, const std::string& token, const std::string& where) {
  if (id < 0 || id > kLargestId) {
    throw Error(ErrorKind::data,
                where + ": token \"" + token + "\" has the id " + std::to_string(id));
  }
  if (index(id) >= tokens_.size()) {
    tokens_.resize(index(id) + 1);
    special_.resize(index(id) + 1);
  }
  std::string& place = tokens_[index(id)];
  if (!place.empty() && place != token) {
    throw Error(ErrorKind::data, where + ": id " + std::to_string(id) + " is given to both \"" +
                                     place + "\" and \"" + token + "\"");
  }
  place = token;
  ids_[token] = id;
}

void TokenTable::place(const AddedToken& token, const std::string& where) {
  place(token.id, token.content, where);
  special_[index(token.id)] = token.special;
  if (token.lstrip || token.rstrip) edges_.push_back({token.id, {token.lstrip, token.rstrip}});
}

std::optional<TokenId> TokenTable::find(std::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

TokenEdges TokenTable::edges(TokenId id) const {
  for (const auto& [token, edges] : edges_) {
    if (token == id) return edges;
  }
  return {};
}

}  // namespace tapir::text
