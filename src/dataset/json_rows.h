// The objects of a JSON or JSON-lines text, each with the place where it begins. Inside this folder
// only.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace tapir::dataset {

// An array of objects, or one object a line (blank lines are passed over); a byte-order mark at the
// beginning is too. row(object, "file:line") or row(object, "file:line (element 3)") in an array.
// Error{data} with that place.
void for_each_json_row(std::string_view text, const std::string& file,
                       const std::function<void(const Json&, const std::string&)>& row);

}  // namespace tapir::dataset
