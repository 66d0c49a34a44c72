#include "serve/api_text.h"

namespace tapir::serve {

std::string to_text(const OrderedJson& value) {
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

std::string to_event(const OrderedJson& value) { return "data: " + to_text(value) + "\n\n"; }

}  // namespace tapir::serve
