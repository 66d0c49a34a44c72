// What a tokenizer does to a text before it is cut into words.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace tapir::text {

// The "normalizer" of a tokenizer.json: NFC, NFD, NFKC, NFKD, Lowercase, Strip, Prepend, Replace
// and Sequences of them. Immutable; thread-safe.
class Normalizer {
 public:
  Normalizer() = default;  // changes nothing
  // Error{data} naming `where` and the component that is not supported.
  Normalizer(const Json& description, const std::string& where);

  // The normalized text: `utf8` itself where nothing changes, else a view into buffer. utf8: valid
  // UTF-8, no part of buffer. Prepend does nothing behind Before::text.
  std::string_view apply(std::string_view utf8, Before before, std::string& buffer) const;
  bool empty() const { return steps_.empty(); }

 private:
  // Writes the changed text to out, which is empty; false: the text stays as it is.
  using Change = std::function<bool(std::string_view utf8, std::string& out)>;
  struct Step {
    Change change;
    bool prepends = false;
  };
  void add(const Json& description, const std::string& where);

  std::vector<Step> steps_;
};

}  // namespace tapir::text
