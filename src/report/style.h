// The report's style sheet. Inside this folder only.
#pragma once

#include <string_view>

namespace tapir::report {

std::string_view style_sheet();

}  // namespace tapir::report
