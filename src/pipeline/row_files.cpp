#include "pipeline/row_files.h"

#include <iostream>

#include "base/file.h"

namespace tapir::pipeline {

void RowsOut::add(const OrderedJson& row) {
  text_ += row.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  text_ += '\n';
}

void RowsOut::add(const Json& row) {
  text_ += row.dump(-1, ' ', false, Json::error_handler_t::replace);
  text_ += '\n';
}

void RowsOut::finish() {
  if (path_ == "-") {
    std::cout << text_ << std::flush;
  } else {
    write_file(path_, text_);
  }
}

}  // namespace tapir::pipeline
