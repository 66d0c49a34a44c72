// A request that is refused, in OpenAI's terms.
#pragma once

#include <stdexcept>
#include <string>

#include "base/json.h"
#include "serve/http.h"

namespace tapir::serve {

// Thrown while a request is read; becomes an error body.
class ApiFault : public std::runtime_error {
 public:
  ApiFault(int status, const std::string& message, std::string param = {}, std::string code = {})
      : std::runtime_error(message),
        status_(status),
        param_(std::move(param)),
        code_(std::move(code)) {}
  int status() const { return status_; }
  const std::string& param() const { return param_; }
  const std::string& code() const { return code_; }

 private:
  int status_;
  std::string param_;  // the field of the request; may be empty
  std::string code_;   // "model_not_found", ...; may be empty
};

// {"error": {"message", "type", "param", "code"}}
OrderedJson error_body(const ApiFault& fault);
HttpReply error_reply(const ApiFault& fault);

}  // namespace tapir::serve
