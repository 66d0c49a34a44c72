// Unicode normal forms.
#pragma once

#include <string>
#include <string_view>

namespace tapir::text {

// Canonical composition (NFC) of valid UTF-8.
std::string to_nfc(std::string_view utf8);

}  // namespace tapir::text
