// The tree of a Jinja template. Inside this folder only.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace tapir::text {

struct JinjaNode;
using JinjaChild = std::unique_ptr<JinjaNode>;

// One node of the tree; what `name` and `children` hold is said by the kind.
struct JinjaNode {
  enum class Kind {
    // statements
    body,           // children in order
    text,           // name: the text
    print,          // children: expression
    condition,      // children: test, body[, else body]
    loop,           // names: variables; children: list, body, filter or null, else body or null
    set,            // name; children: value
    set_attribute,  // name, names[0]: attribute; children: value
    // expressions
    constant,   // value
    variable,   // name
    list,       // children
    object,     // children: key, value, key, value, ...
    attribute,  // name; children: of what
    element,    // children: of what, index
    slice,      // children: of what, begin or null, end or null, step or null
    call,       // name: function; children: arguments; names: of the last ones, given by name
    method,     // name; children: of what, arguments
    filter,     // name; children: of what, arguments; names as in call
    test,       // name; children: of what, arguments
    unary,      // name: "not", "-", "+"
    binary,     // name: operator; "and" and "or" look at the second only where needed
    choice,     // children: value, test[, other value]
  };
  Kind kind = Kind::body;
  int line = 1;
  int height = 1;  // of the chain of operators below
  std::string name;
  std::vector<std::string> names;
  std::vector<JinjaChild> children;
  Json value;
};

// Error{data} "<where>:<line>: ...".
JinjaChild parse_jinja(std::string_view source, const std::string& where);

}  // namespace tapir::text
