// Which addresses are this machine only.
#pragma once

#include <string>
#include <string_view>

namespace tapir {

// "localhost", 127.0.0.0/8 and "::1".
bool is_loopback(std::string_view host);
// The host of "host", "host:port", "[::1]:port" or "scheme://host:port"; IPv6 without brackets.
std::string_view host_of(std::string_view authority);

}  // namespace tapir
