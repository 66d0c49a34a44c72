#include "dataset/text_faults.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/strings.h"

namespace tapir::dataset {
namespace {

// Calls take(code point) for every character of a text that is valid UTF-8; of another the bytes
// that are none are passed over.
template <typename Take>
void for_each_character(std::string_view text, Take&& take) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t bytes = lead < 0x80   ? 1
                              : lead < 0xC0 ? 0
                              : lead < 0xE0 ? 2
                              : lead < 0xF0 ? 3
                                            : 4;
    if (bytes == 0 || i + bytes > text.size()) {
      ++i;
      continue;
    }
    std::uint32_t code = bytes == 1 ? lead : lead & (0x7FU >> bytes);
    for (std::size_t k = 1; k < bytes; ++k)
      code = code << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3FU);
    take(code);
    i += bytes;
  }
}

// A two-byte character whose bytes were read as Latin-1: U+00C3 or U+00C2 before a character from
// U+0080 to U+00BF; and the quotation marks and dashes of Windows: U+00E2 U+20AC.
bool is_misread(std::uint32_t before, std::uint32_t code) {
  if ((before == 0xC2 || before == 0xC3) && code >= 0x80 && code <= 0xBF) return true;
  return before == 0xE2 && code == 0x20AC;
}

// Beginnings of refusals, in lower case, with straight apostrophes.
constexpr auto kRefusals = std::to_array<std::string_view>({"i'm sorry, but i can't",
                                                            "i'm sorry, but i cannot",
                                                            "i'm sorry, i can't",
                                                            "i'm sorry, i cannot",
                                                            "i am sorry, but i can't",
                                                            "i am sorry, but i cannot",
                                                            "i'm sorry, but i'm not able",
                                                            "i'm sorry, but i am not able",
                                                            "i'm sorry, but i'm unable",
                                                            "sorry, i can't",
                                                            "sorry, but i can't",
                                                            "sorry, i cannot",
                                                            "sorry, but i cannot",
                                                            "i apologize, but i can't",
                                                            "i apologize, but i cannot",
                                                            "i can't assist with",
                                                            "i cannot assist with",
                                                            "i can't help with",
                                                            "i cannot help with",
                                                            "i cannot fulfill",
                                                            "i can't fulfill",
                                                            "i must decline",
                                                            "i won't be able to help",
                                                            "i'm not able to help with"});

// "As an AI ...": a refusal where what follows declines.
constexpr auto kDisclaimers =
    std::to_array<std::string_view>({"as an ai", "as a language model",
                                     "as an artificial intelligence", "i'm an ai", "i am an ai"});
constexpr auto kDeclines = std::to_array<std::string_view>(
    {"i cannot", "i can't", "i am not able", "i'm not able", "i am unable", "i'm unable",
     "i do not have access", "i don't have access", "i do not have the ability",
     "i don't have the ability", "i am not capable", "i'm not capable"});
constexpr std::size_t kOpening = 200;  // bytes of an answer that are looked at

std::string opening_of(std::string_view answer) {
  std::string opening(trim(answer).substr(0, kOpening));
  return lower_ascii(replace_all(std::move(opening), "\xE2\x80\x99", "'"));
}

struct Range {
  std::uint32_t first, last;
  Script script;
};
// Blocks of letters, coarse.
constexpr auto kRanges = std::to_array<Range>({
    {'A', 'Z', Script::latin},
    {'a', 'z', Script::latin},
    {0xC0, 0x24F, Script::latin},
    {0x370, 0x3FF, Script::greek},
    {0x400, 0x52F, Script::cyrillic},
    {0x530, 0x58F, Script::other},
    {0x590, 0x5FF, Script::hebrew},
    {0x600, 0x6FF, Script::arabic},
    {0x900, 0xDFF, Script::indic},
    {0xE00, 0xE7F, Script::thai},
    {0x1E00, 0x1EFF, Script::latin},
    {0xE80, 0x1FFF, Script::other},
    {0x2E80, 0x2FDF, Script::east_asian},
    {0x3040, 0x9FFF, Script::east_asian},
    {0xAC00, 0xD7AF, Script::east_asian},
    {0xF900, 0xFAFF, Script::east_asian},
    {0xFB50, 0xFDFF, Script::arabic},
    {0x20000, 0x3FFFF, Script::east_asian},
});

}  // namespace

std::string encoding_fault(std::string_view text) {
  std::string fault;
  std::uint32_t before = 0;
  for_each_character(text, [&](std::uint32_t code) {
    if (!fault.empty()) return;
    const bool control = (code < 0x20 && code != '\t' && code != '\n' && code != '\r') ||
                         (code >= 0x7F && code < 0xA0 && code != 0x85);
    if (is_misread(before, code)) {
      fault = "UTF-8 read as Latin-1";
    } else if (code == 0xFFFD) {
      fault = "replacement character";
    } else if (control) {
      fault = "control character";
    }
    before = code;
  });
  return fault;
}

bool is_refusal(std::string_view answer) {
  const std::string opening = opening_of(answer);
  const auto begins = [&](std::string_view with) { return opening.starts_with(with); };
  if (std::any_of(kRefusals.begin(), kRefusals.end(), begins)) return true;
  if (std::none_of(kDisclaimers.begin(), kDisclaimers.end(), begins)) return false;
  return std::any_of(kDeclines.begin(), kDeclines.end(), [&](std::string_view decline) {
    return opening.find(decline) != std::string::npos;
  });
}

std::string_view to_string(Script script) {
  static constexpr std::array<std::string_view, 9> kNames = {
      "latin", "greek", "cyrillic", "hebrew", "arabic", "indic", "thai", "east_asian", "other"};
  return kNames[static_cast<std::size_t>(script)];
}

Script main_script(std::string_view text) {
  std::array<std::size_t, 9> letters{};
  for_each_character(text, [&](std::uint32_t code) {
    for (const Range& range : kRanges) {
      if (code < range.first || code > range.last) continue;
      ++letters[static_cast<std::size_t>(range.script)];
      return;
    }
  });
  return static_cast<Script>(std::max_element(letters.begin(), letters.end()) - letters.begin());
}

std::string length_fault(std::string_view text, const LengthLimits& limits) {
  const std::size_t characters = count_code_points(trim(text));
  if (characters < limits.min_characters) return "too_short";
  return characters > limits.max_characters ? "too_long" : "";
}

}  // namespace tapir::dataset
