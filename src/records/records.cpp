#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/strings.h"
#include "records/instruction.h"
#include "records/ledger.h"

namespace tapir {

std::string_view to_string(Role role) {
  switch (role) {
    case Role::system:
      return "system";
    case Role::user:
      return "user";
    case Role::assistant:
      return "assistant";
    case Role::tool:
      return "tool";
  }
  return "user";
}

Role parse_role(std::string_view name, std::string_view where) {
  for (const Role role : {Role::system, Role::user, Role::assistant, Role::tool}) {
    if (name == to_string(role)) return role;
  }
  throw Error(ErrorKind::data, std::string(where) + ": unknown role \"" + std::string(name) + "\"",
              "known roles: system, user, assistant, tool");
}

std::string_view to_string(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::filter:
      return "content_filter";
  }
  return "stop";
}

FinishReason parse_finish_reason(std::string_view name, std::string_view where) {
  for (const FinishReason reason :
       {FinishReason::stop, FinishReason::length, FinishReason::filter}) {
    if (name == to_string(reason)) return reason;
  }
  throw Error(ErrorKind::data,
              std::string(where) + ": unknown finish_reason \"" + std::string(name) + "\"",
              "known: stop, length, content_filter");
}

std::string_view to_string(Order order) {
  return order == Order::teacher_first ? "teacher_first" : "student_first";
}

std::string_view to_string(Stratum stratum) { return stratum == Stratum::hard ? "hard" : "easy"; }

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::done:
      return "done";
    case Outcome::failed:
      return "failed";
    case Outcome::filtered:
      return "filtered";
  }
  return "done";
}

std::vector<Segment> segments_of(const Messages& messages) {
  std::vector<Segment> segments;
  for (const Message& message : messages)
    segments.push_back({message.role, message.content, /*loss=*/false});
  return segments;
}

Example make_example(const Instruction& instruction, std::string_view response) {
  Example example{instruction.id, segments_of(instruction.messages)};
  example.segments.push_back({Role::assistant, std::string(response), /*loss=*/true});
  return example;
}

std::string instruction_id(std::string_view source_or_parent, std::string_view stage,
                           std::string_view prompt_version, std::uint64_t index) {
  return short_id({source_or_parent, stage, prompt_version, std::to_string(index)});
}

std::string text_hash(const Messages& messages) {
  std::string folded;
  for (const Message& message : messages) {
    folded += to_string(message.role);
    folded += '\0';
    folded += join(split_whitespace(message.content), " ");
    folded += '\0';
  }
  return sha256_hex(folded).substr(0, 32);
}

std::string messages_to_json(const Messages& messages) {
  Json array = Json::array();
  for (const Message& message : messages) {
    array.push_back({{"role", to_string(message.role)}, {"content", message.content}});
  }
  return array.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Messages messages_from_json(std::string_view json, std::string_view where) {
  const Json array = parse_json(json, where);
  if (!array.is_array() || array.empty()) {
    throw Error(ErrorKind::data, std::string(where) + ": expected a non-empty array of messages");
  }
  Messages messages;
  for (const Json& message : array) {
    messages.push_back({parse_role(json_get<std::string>(message, "role", where), where),
                        json_get<std::string>(message, "content", where)});
  }
  return messages;
}

namespace {
std::uint64_t total(const std::map<std::string, std::uint64_t>& counts) {
  std::uint64_t sum = 0;
  for (const auto& [reason, count] : counts) sum += count;
  return sum;
}
}  // namespace

std::uint64_t Ledger::failed_total() const { return total(failed); }
std::uint64_t Ledger::filtered_total() const { return total(filtered); }

}  // namespace tapir
