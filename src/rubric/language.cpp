#include "rubric/language.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>  // before CLD2's header, which wants it

#include <cld2/public/compact_lang_det.h>
#include <cld2/public/encodings.h>

#include "base/strings.h"

namespace tapir::rubric {
namespace {

constexpr std::size_t kMostBytes = 1 << 20;  // more says nothing new, and CLD2's index is an int

std::optional<std::string> detected(const std::string& text) {
  const CLD2::CLDHints no_hints = {nullptr, nullptr, CLD2::UNKNOWN_ENCODING,
                                   CLD2::UNKNOWN_LANGUAGE};
  std::array<CLD2::Language, 3> languages = {};
  std::array<int, 3> percents = {};
  std::array<double, 3> scores = {};
  int letters = 0;
  int valid_bytes = 0;
  bool reliable = false;
  const CLD2::Language language = CLD2::ExtDetectLanguageSummaryCheckUTF8(
      text.data(), static_cast<int>(text.size()), /*is_plain_text=*/true, &no_hints,
      CLD2::kCLDFlagBestEffort /* an answer for short text too */, languages.data(),
      percents.data(), scores.data(), /*resultchunkvector=*/nullptr, &letters, &reliable,
      &valid_bytes);
  if (language == CLD2::UNKNOWN_LANGUAGE) return std::nullopt;
  return language_code(CLD2::LanguageCode(language));
}

}  // namespace

std::string language_code(std::string_view code) {
  std::string plain = lower_ascii(trim(code));
  plain.resize(std::min(plain.find_first_of("-_"), plain.size()));
  if (plain == "iw") return "he";
  if (plain == "nb" || plain == "nn") return "no";
  return plain;
}

bool is_known_language(std::string_view code) {
  const std::string plain = language_code(code);
  const std::string theirs = plain == "he" ? "iw" : plain;
  return plain.size() >= 2 && CLD2::GetLanguageFromName(theirs.c_str()) != CLD2::UNKNOWN_LANGUAGE;
}

std::optional<std::string> language_of(std::string_view text) {
  // Bytes that are no UTF-8 would end its reading.
  return detected(valid_utf8(text.substr(0, kMostBytes)));
}

}  // namespace tapir::rubric
