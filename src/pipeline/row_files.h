// Rows that a file command writes: JSON, one object a line. The only place of the library that
// writes to standard output, where the path is "-".
#pragma once

#include <string>

#include "base/json.h"

namespace tapir::pipeline {

// Whole or not at all where it is a file. Not thread-safe.
class RowsOut {
 public:
  explicit RowsOut(std::string path) : path_(std::move(path)) {}
  void add(const OrderedJson& row);  // bytes that are not UTF-8 become U+FFFD
  void add(const Json& row);
  // Error{data} with the path and the system's reason.
  void finish();

 private:
  std::string path_;
  std::string text_;
};

}  // namespace tapir::pipeline
