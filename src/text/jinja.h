// The part of Jinja2 that chat templates are written in, to see what a template renders. As
// transformers sets it up: trim_blocks, lstrip_blocks, raise_exception(), strftime_now().
// Loops, conditions, set, namespaces, macros-free; what is not known is an error, never a guess.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace tapir::text {

struct JinjaNode;

// What came of rendering: the text, or what the template said in raise_exception().
struct JinjaResult {
  std::optional<std::string> text;
  std::string refusal;
};

// Immutable; thread-safe.
class JinjaTemplate {
 public:
  // Error{data} "<where>:<line>: ..." for what is malformed or not known.
  JinjaTemplate(std::string_view source, std::string where);

  // variables: an object. Error{data} for what the template does and this reader does not know, and
  // for templates that do not come to an end.
  JinjaResult render(const Json& variables) const;

 private:
  std::string where_;
  std::shared_ptr<const JinjaNode> root_;
};

}  // namespace tapir::text
