#include "base/secret.h"

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/strings.h"

namespace tapir {

std::string Secret::scrubbed(std::string text) const {
  if (value_.empty() || text.find(value_) == std::string::npos) return text;
  return replace_all(std::move(text), value_, "[key]");
}

void check_secret_name(std::string_view name, const std::string& where) {
  const auto is_part = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  const bool is_name = !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
                       std::all_of(name.begin(), name.end(), is_part);
  if (is_name) return;
  throw Error(ErrorKind::usage,
              where + ": expected the name of an environment variable (A-Z, 0-9 and _)",
              "keys are never written down: export JUDGE_API_KEY=..., then name JUDGE_API_KEY");
}

Secret secret_from_environment(const std::string& name, const std::string& where) {
  if (name.empty()) return {};
  check_secret_name(name, where);
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') {
    throw Error(ErrorKind::usage, where + ": the environment variable " + name + " is not set",
                "export " + name + "=... first");
  }
  const std::string_view key = value;
  const auto is_plain = [](char c) { return c > ' ' && c < 127; };
  if (!std::all_of(key.begin(), key.end(), is_plain)) {
    throw Error(ErrorKind::usage,
                where + ": the key in " + name + " holds blanks or characters that are not ASCII",
                "look for a line end or a quotation mark that was copied with it");
  }
  return Secret(std::string(key));
}

}  // namespace tapir
