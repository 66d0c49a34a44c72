#include "text/tokenizer.h"

#include "base/error.h"
#include "text/bpe_tokenizer.h"
#include "text/sentencepiece_tokenizer.h"

namespace tapir::text {

std::string Tokenizer::token_bytes(TokenId id) const {
  return decode(std::span<const TokenId>(&id, 1), /*skip_special_tokens=*/false);
}

std::shared_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / "tokenizer.json")) {
    return std::make_shared<BpeTokenizer>(read_bpe_tokenizer(folder));
  }
  if (std::filesystem::exists(folder / "tokenizer.model")) {
    return load_sentencepiece_tokenizer(folder);
  }
  throw Error(ErrorKind::data,
              folder.string() + ": no tokenizer found: neither tokenizer.json nor tokenizer.model",
              "a student's folder holds the tokenizer that it was trained with; with transformers, "
              "AutoTokenizer.from_pretrained(...).save_pretrained(...) writes one");
}

}  // namespace tapir::text
