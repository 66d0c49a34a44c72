#include "text/decoder.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "text/byte_level.h"

namespace tapir::text {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// The byte that "<0x0A>" stands for.
std::optional<char> fallback_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  unsigned byte = 0;
  const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, byte, 16);
  if (error != std::errc() || end != token.data() + 5) return std::nullopt;
  return static_cast<char>(byte);
}

// Runs of byte tokens become characters; a run that is no UTF-8 one U+FFFD a byte.
void join_fallback_bytes(std::vector<std::string>& tokens) {
  std::vector<std::string> joined;
  std::string bytes;
  const auto flush = [&] {
    if (bytes.empty()) return;
    if (!is_valid_utf8(bytes)) {
      const std::size_t count = bytes.size();
      bytes.clear();
      for (std::size_t i = 0; i < count; ++i) bytes += kReplacement;
    }
    joined.push_back(std::exchange(bytes, {}));
  };
  for (std::string& token : tokens) {
    if (const auto byte = fallback_byte(token)) {
      bytes += *byte;
    } else {
      flush();
      joined.push_back(std::move(token));
    }
  }
  flush();
  tokens = std::move(joined);
}

void strip(const std::string& character, int start, int stop, std::string& token) {
  std::string_view rest = token;
  for (int i = 0; i < start && rest.starts_with(character); ++i) {
    rest.remove_prefix(character.size());
  }
  for (int i = 0; i < stop && rest.ends_with(character); ++i) rest.remove_suffix(character.size());
  token = std::string(rest);
}

std::string bytes_of(const std::string& token) { return from_byte_level(token).value_or(token); }

}  // namespace

Decoder::Decoder(const Json& description, const std::string& where) {
  if (description.is_null()) {
    throw Error(ErrorKind::data, where + ": a tokenizer without a decoder is not supported");
  }
  add(description, where);
}

void Decoder::add(const Json& description, const std::string& where) {
  const auto type = json_get<std::string>(description, "type", where);
  Step step;
  if (type == "Sequence") {
    for (const Json& part : json_member(description, "decoders", where)) add(part, where);
    return;
  }
  if (type == "ByteLevel") {
    step.kind = Kind::byte_level;
  } else if (type == "ByteFallback") {
    step.kind = Kind::byte_fallback;
  } else if (type == "Fuse") {
    step.kind = Kind::fuse;
  } else if (type == "Strip") {
    step.kind = Kind::strip;
    step.pattern = json_get<std::string>(description, "content", where);
    step.start = json_get_or<int>(description, "start", 0, where);
    step.stop = json_get_or<int>(description, "stop", 0, where);
  } else if (type == "Replace") {
    step.kind = Kind::replace;
    step.pattern =
        json_get<std::string>(json_member(description, "pattern", where), "String", where);
    step.content = json_get<std::string>(description, "content", where);
  } else if (type == "Metaspace") {
    step.kind = Kind::metaspace;
    step.pattern = json_get_or<std::string>(description, "replacement", "▁", where);
    step.drop_first =
        json_get_or<bool>(description, "add_prefix_space", true, where) &&
        json_get_or<std::string>(description, "prepend_scheme", "always", where) != "never";
  } else {
    throw Error(ErrorKind::data, where + ": \"" + type + "\" is not supported",
                "supported decoders: ByteLevel, ByteFallback, Fuse, Strip, Replace by a string, "
                "Metaspace, Sequence");
  }
  if (step.pattern.empty() && step.kind >= Kind::strip) {
    throw Error(ErrorKind::data, where + ": " + type + " looks for an empty string");
  }
  steps_.push_back(std::move(step));
}

void Decoder::apply(const Step& step, std::vector<std::string>& tokens) {
  switch (step.kind) {
    case Kind::byte_level: {
      std::string bytes;
      for (const std::string& token : tokens) bytes += bytes_of(token);
      tokens = {valid_utf8(bytes)};
      return;
    }
    case Kind::byte_fallback:
      return join_fallback_bytes(tokens);
    case Kind::fuse:
      tokens = {join(tokens, "")};
      return;
    case Kind::strip:
      for (std::string& token : tokens) strip(step.pattern, step.start, step.stop, token);
      return;
    case Kind::replace:
      for (std::string& token : tokens) {
        token = replace_all(std::move(token), step.pattern, step.content);
      }
      return;
    case Kind::metaspace:
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        tokens[i] =
            replace_all(std::move(tokens[i]), step.pattern, i == 0 && step.drop_first ? "" : " ");
      }
  }
}

std::string Decoder::decode(std::vector<std::string> tokens) const {
  for (const Step& step : steps_) apply(step, tokens);
  return join(tokens, "");
}

std::string Decoder::token_bytes(const std::string& token) const {
  std::string bytes = token;
  for (const Step& step : steps_) {
    if (step.kind == Kind::byte_level) bytes = bytes_of(bytes);
    if (step.kind == Kind::replace) bytes = replace_all(bytes, step.pattern, step.content);
    if (step.kind == Kind::metaspace) bytes = replace_all(bytes, step.pattern, " ");
    if (step.kind != Kind::byte_fallback) continue;
    if (const auto byte = fallback_byte(bytes)) return std::string(1, *byte);
  }
  return bytes;
}

bool Decoder::bytes_only() const {
  return steps_.size() == 1 && steps_.front().kind == Kind::byte_level;
}

}  // namespace tapir::text
