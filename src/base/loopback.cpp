#include "base/loopback.h"

#include <algorithm>

#include "base/strings.h"

namespace tapir {

bool is_loopback(std::string_view host) {
  if (host == "::1" || lower_ascii(host) == "localhost") return true;
  const bool digits = std::all_of(host.begin(), host.end(),
                                  [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
  return digits && host.starts_with("127.");  // a name cannot be all digits and dots
}

std::string_view host_of(std::string_view authority) {
  if (const auto scheme = authority.find("://"); scheme != std::string_view::npos) {
    authority.remove_prefix(scheme + 3);
  }
  if (authority.starts_with('[')) {
    return authority.substr(1, std::min(authority.find(']'), authority.size()) - 1);
  }
  return authority.substr(0, authority.find(':'));
}

}  // namespace tapir
