// From tokens back to text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace tapir::text {

// The "decoder" of a tokenizer.json: ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace and
// Sequences of them. Immutable; thread-safe.
class Decoder {
 public:
  // Error{data} naming `where` and the component that is not supported.
  Decoder(const Json& description, const std::string& where);

  // The text of a row of tokens; bytes that are no UTF-8 become U+FFFD, as many as the reference
  // writes.
  std::string decode(std::vector<std::string> tokens) const;
  // What one token stands for, in bytes: perhaps a part of a character.
  std::string token_bytes(const std::string& token) const;
  // The decoder is ByteLevel alone: decode() is the tokens' bytes in a row, made valid.
  bool bytes_only() const;

 private:
  enum class Kind { byte_level, byte_fallback, fuse, strip, replace, metaspace };
  struct Step {
    Kind kind = Kind::fuse;
    std::string pattern;      // strip, replace, metaspace: what is looked for
    std::string content;      // replace: what is put there
    int start = 0;            // strip: at most so many at the start of a token
    int stop = 0;             // and at its end
    bool drop_first = false;  // metaspace: the first token's blanks are left out
  };
  void add(const Json& description, const std::string& where);
  static void apply(const Step& step, std::vector<std::string>& tokens);

  std::vector<Step> steps_;
};

}  // namespace tapir::text
