// JSON as it goes over the wire.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace tapir::serve {

// On one line; bytes that are no UTF-8 become U+FFFD.
std::string to_text(const OrderedJson& value);
// One server-sent event.
std::string to_event(const OrderedJson& value);
inline constexpr std::string_view kLastEvent = "data: [DONE]\n\n";

}  // namespace tapir::serve
