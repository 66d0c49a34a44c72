#include "base/error.h"

#include <utility>

namespace tapir {

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return 2;
    case ErrorKind::data:
      return 3;
    case ErrorKind::endpoint:
      return 4;
    case ErrorKind::budget:
      return 5;
    case ErrorKind::incomplete:
      return 6;
    case ErrorKind::waiting:
      return 7;
    case ErrorKind::interrupted:
      return 130;
    case ErrorKind::bug:
      return 1;
  }
  return 1;
}

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::data:
      return "data";
    case ErrorKind::endpoint:
      return "endpoint";
    case ErrorKind::budget:
      return "budget";
    case ErrorKind::incomplete:
      return "incomplete";
    case ErrorKind::waiting:
      return "waiting";
    case ErrorKind::interrupted:
      return "interrupted";
    case ErrorKind::bug:
      return "bug";
  }
  return "bug";
}

Error::Error(ErrorKind kind, const std::string& message, std::string hint)
    : std::runtime_error(message), kind_(kind), hint_(std::move(hint)) {}

void check(bool condition, std::string_view what) {
  if (!condition) {
    throw Error(ErrorKind::bug, "internal check failed: " + std::string(what),
                "this is a bug of tapir; please report it with the command and log.txt");
  }
}

}  // namespace tapir
