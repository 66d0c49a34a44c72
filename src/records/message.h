// Conversations: what a chat model reads and writes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tapir {

enum class Role { system, user, assistant, tool };

std::string_view to_string(Role role);
// Error{data} naming `where` and the roles that are known.
Role parse_role(std::string_view name, std::string_view where);

struct Message {
  Role role = Role::user;
  std::string content;  // UTF-8
  bool operator==(const Message&) const = default;
};

using Messages = std::vector<Message>;

// Why a generation ended. `length`: cut at the limit of tokens. `filter`: refused by the endpoint's
// content filter.
enum class FinishReason { stop, length, filter };
std::string_view to_string(FinishReason reason);
FinishReason parse_finish_reason(std::string_view name, std::string_view where);

}  // namespace tapir
