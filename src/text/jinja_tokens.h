// The words of a Jinja template. Inside this folder only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tapir::text {

struct JinjaToken {
  enum class Kind {
    text,         // outside of tags, white space control applied
    block_begin,  // {%
    block_end,
    print_begin,  // {{
    print_end,
    name,
    string,  // escapes resolved
    integer,
    number,
    symbol,  // operators and brackets
    end,
  };
  Kind kind = Kind::end;
  std::string text;
  int line = 1;
};

// The answer ends with a token of kind end. Error{data} "<where>:<line>: ...".
std::vector<JinjaToken> jinja_tokens(std::string_view source, const std::string& where);

}  // namespace tapir::text
