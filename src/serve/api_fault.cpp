#include "serve/api_fault.h"

#include <string_view>

#include "serve/api_text.h"

namespace tapir::serve {
namespace {

std::string_view type_of(int status) {
  if (status == 401) return "authentication_error";
  if (status == 403) return "permission_error";
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

OrderedJson text_or_null(const std::string& text) {
  return text.empty() ? OrderedJson(nullptr) : OrderedJson(text);
}

}  // namespace

OrderedJson error_body(const ApiFault& fault) {
  return {{"error",
           {{"message", fault.what()},
            {"type", type_of(fault.status())},
            {"param", text_or_null(fault.param())},
            {"code", text_or_null(fault.code())}}}};
}

HttpReply error_reply(const ApiFault& fault) {
  HttpReply reply;
  reply.status = fault.status();
  reply.body = to_text(error_body(fault));
  return reply;
}

}  // namespace tapir::serve
