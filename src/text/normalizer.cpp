#include "text/normalizer.h"

#include <algorithm>

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>

#include "base/error.h"

namespace tapir::text {

std::string to_nfc(std::string_view utf8) {
  std::string out;
  const bool ascii = std::all_of(utf8.begin(), utf8.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) {
    out = utf8;
    return out;
  }
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(status);
  check(U_SUCCESS(status), "ICU has its NFC data");
  icu::StringByteSink<std::string> sink(&out, static_cast<int32_t>(utf8.size()));
  nfc->normalizeUTF8(/*options=*/0,
                     icu::StringPiece(utf8.data(), static_cast<int32_t>(utf8.size())), sink,
                     /*edits=*/nullptr, status);
  check(U_SUCCESS(status), "ICU normalizes valid UTF-8");
  return out;
}

}  // namespace tapir::text
