#include "text/normalizer.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/utf8.h>

#include "base/error.h"
#include "base/strings.h"
#include "text/regex.h"
#include "text/unicode.h"
#include "text/white_space.h"

namespace tapir::text {
namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// The reference normalizes by the tables of Unicode 9: what is younger stays, and nothing is
// reordered or composed across it.
const icu::UnicodeSet& unicode_9() {
  static const icu::UnicodeSet set = [] {
    UErrorCode status = U_ZERO_ERROR;
    icu::UnicodeSet made(UNICODE_STRING_SIMPLE("[:Age=9.0:]"), status);
    check(U_SUCCESS(status), "ICU knows the ages of characters");
    made.freeze();
    return made;
  }();
  return set;
}

// Nothing: the name is no normal form.
std::shared_ptr<const icu::Normalizer2> unicode_form(const std::string& name) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* form = nullptr;
  if (name == "NFC") form = icu::Normalizer2::getNFCInstance(status);
  if (name == "NFD") form = icu::Normalizer2::getNFDInstance(status);
  if (name == "NFKC") form = icu::Normalizer2::getNFKCInstance(status);
  if (name == "NFKD") form = icu::Normalizer2::getNFKDInstance(status);
  check(U_SUCCESS(status), "ICU has its normalization data");
  if (form == nullptr) return nullptr;
  return std::make_shared<icu::FilteredNormalizer2>(*form, unicode_9());
}

bool compose(const icu::Normalizer2& form, std::string_view utf8, std::string& out) {
  if (is_ascii(utf8)) return false;
  UErrorCode status = U_ZERO_ERROR;
  const icu::StringPiece piece(utf8.data(), static_cast<int32_t>(utf8.size()));
  icu::StringByteSink<std::string> sink(&out, piece.length());
  form.normalizeUTF8(/*options=*/0, piece, sink, /*edits=*/nullptr, status);
  check(U_SUCCESS(status), "ICU normalizes valid UTF-8");
  return true;
}

void append(UChar32 point, std::string& out) {
  char bytes[U8_MAX_LENGTH];
  std::int32_t length = 0;
  U8_APPEND_UNSAFE(bytes, length, point);
  out.append(bytes, static_cast<std::size_t>(length));
}

// Character by character: what stands around one does not matter, as in the reference.
bool lower(std::string_view utf8, std::string& out) {
  for (std::int32_t at = 0; at < static_cast<std::int32_t>(utf8.size());) {
    UChar32 point = 0;
    U8_NEXT_UNSAFE(utf8.data(), at, point);
    append(point == 0x130 ? 'i' : static_cast<UChar32>(lower_case(static_cast<char32_t>(point))),
           out);
    if (point == 0x130) append(0x307, out);  // the one letter that becomes two characters
  }
  return true;
}

bool strip(std::string_view utf8, bool left, bool right, std::string& out) {
  if (left) utf8 = strip_space_left(utf8, is_white_space);
  if (right) utf8 = strip_space_right(utf8, is_white_space);
  out = utf8;
  return true;
}

bool replace(const Regex& pattern, const std::string& content, std::string_view utf8,
             std::string& out) {
  std::vector<Range> matches;
  pattern.find_all(utf8, matches);
  std::size_t end = 0;
  for (const Range& match : matches) {
    out.append(utf8, end, match.begin - end).append(content);
    end = match.end;
  }
  out.append(utf8, end);
  return true;
}

}  // namespace

Normalizer::Normalizer(const Json& description, const std::string& where) {
  if (!description.is_null()) add(description, where);
}

void Normalizer::add(const Json& description, const std::string& where) {
  const auto type = json_get<std::string>(description, "type", where);
  if (type == "Sequence") {
    for (const Json& part : json_member(description, "normalizers", where)) add(part, where);
  } else if (const auto form = unicode_form(type)) {
    steps_.push_back({[form](auto in, auto& out) { return compose(*form, in, out); }});
  } else if (type == "Lowercase") {
    steps_.push_back({lower});
  } else if (type == "Strip") {
    const bool left = json_get_or<bool>(description, "strip_left", true, where);
    const bool right = json_get_or<bool>(description, "strip_right", true, where);
    steps_.push_back({[=](auto in, auto& out) { return strip(in, left, right, out); }});
  } else if (type == "Prepend") {
    const auto prefix = json_get<std::string>(description, "prepend", where);
    steps_.push_back(
        {[prefix](auto in, auto& out) { return out.append(prefix).append(in), true; }, true});
  } else if (type == "Replace") {
    const auto content = json_get<std::string>(description, "content", where);
    const Json& pattern = json_member(description, "pattern", where);
    const auto literal = json_get_or<std::string>(pattern, "String", "", where);
    if (!literal.empty()) {
      steps_.push_back({[=](auto in, auto& out) {
        if (in.find(literal) == in.npos) return false;
        out = replace_all(std::string(in), literal, content);
        return true;
      }});
      return;
    }
    const auto regex =
        std::make_shared<Regex>(json_get<std::string>(pattern, "Regex", where), where);
    steps_.push_back({[=](auto in, auto& out) { return replace(*regex, content, in, out); }});
  } else {
    throw Error(ErrorKind::data, where + ": \"" + type + "\" is not supported",
                "supported normalizers: NFC, NFD, NFKC, NFKD, Lowercase, Strip, Prepend, Replace, "
                "Sequence");
  }
}

std::string_view Normalizer::apply(std::string_view utf8, Before before,
                                   std::string& buffer) const {
  std::string changed;
  for (const Step& step : steps_) {
    if (utf8.empty()) break;
    if (step.prepends && before == Before::text) continue;
    changed.clear();
    if (!step.change(utf8, changed)) continue;
    buffer.swap(changed);
    utf8 = buffer;
  }
  return utf8;
}

}  // namespace tapir::text
