#include "text/bpe_json.h"

#include <utility>

#include "base/error.h"
#include "text/byte_level.h"

namespace tapir::text {
namespace {

[[noreturn]] void unsupported(const std::string& where, const std::string& what) {
  throw Error(ErrorKind::data, where + ": " + what + " is not supported",
              "supported: BPE over bytes or over characters with byte_fallback, as Llama, Mistral, "
              "Qwen, Phi and Gemma have it");
}

void check_options(const Json& model, const std::string& where) {
  const auto type = json_get_or<std::string>(model, "type", "BPE", where);
  if (type != "BPE") unsupported(where, "\"" + type + "\"");
  if (json_get_or<double>(model, "dropout", 0, where) > 0) unsupported(where, "dropout");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!json_get_or<std::string>(model, key, "", where).empty()) unsupported(where, key);
  }
}

std::pair<std::string, std::string> split_merge(const Json& merge) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  }
  if (!merge.is_string()) return {};
  const auto text = merge.get<std::string>();
  const std::size_t blank = text.find(' ');
  if (blank == std::string::npos) return {};
  return {text.substr(0, blank), text.substr(blank + 1)};
}

std::pair<std::string, std::string> read_merge(const Json& merge, bool byte_level,
                                               const std::string& where) {
  auto [left, right] = split_merge(merge);
  auto left_bytes = byte_level ? from_byte_level(left) : left;
  auto right_bytes = byte_level ? from_byte_level(right) : right;
  if (left.empty() || right.empty() || !left_bytes || !right_bytes) {
    throw Error(ErrorKind::data, where + ": a merge is two strings" +
                                     (byte_level ? " of the byte-level alphabet" : "") +
                                     ", found " +
                                     merge.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  return {std::move(*left_bytes), std::move(*right_bytes)};
}

}  // namespace

BpeDescription read_bpe(const Json& model, bool byte_level, const std::string& where,
                        TokenTable& table) {
  check_options(model, where);
  BpeDescription bpe;
  bpe.byte_level = byte_level;
  for (const auto& [token, id] : json_member(model, "vocab", where).items()) {
    if (!id.is_number_integer()) {
      throw Error(ErrorKind::data, where + ": the id of \"" + token + "\" is not an integer");
    }
    table.place(id.get<TokenId>(), token, where);
    if (!byte_level) {
      bpe.vocabulary.emplace(token, id);
    } else if (auto bytes = from_byte_level(token)) {
      bpe.vocabulary.emplace(std::move(*bytes), id);
    }
  }
  const Json& merges = json_member(model, "merges", where);
  bpe.merges.reserve(merges.size());
  for (const Json& merge : merges) bpe.merges.push_back(read_merge(merge, byte_level, where));
  bpe.ignore_merges = json_get_or<bool>(model, "ignore_merges", false, where);
  bpe.byte_fallback = json_get_or<bool>(model, "byte_fallback", false, where);
  bpe.fuse_unknown = json_get_or<bool>(model, "fuse_unk", false, where);
  const auto unknown = json_get_or<std::string>(model, "unk_token", "", where);
  bpe.unknown = table.find(unknown).value_or(-1);
  return bpe;
}

}  // namespace tapir::text
