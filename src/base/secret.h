// A key that must not be seen: it cannot be printed by accident, and is cut out of what others say.
#pragma once

#include <string>
#include <string_view>

namespace tapir {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  bool empty() const { return value_.empty(); }
  // For the one place that sends or compares it.
  const std::string& reveal() const { return value_; }
  // The text with every occurrence of the secret replaced by "[key]".
  std::string scrubbed(std::string text) const;

 private:
  std::string value_;
};

// Whether this can be the name of an environment variable that holds a key: A-Z, 0-9 and _, not a
// digit first. Keys themselves hardly ever look so.
// Error{usage} naming `where` when it cannot; the name is then not repeated: it may be the key.
void check_secret_name(std::string_view name, const std::string& where);

// The value of that environment variable. `where` is what named it ("judge.endpoints[0]"). An empty
// name gives an empty secret. Error{usage}: not a name; not set; a value that cannot stand in a
// header (never shown).
Secret secret_from_environment(const std::string& name, const std::string& where);

}  // namespace tapir
