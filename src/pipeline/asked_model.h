// Who is asked on behalf of a command on files or of a stage of a run. Internal to the pipeline.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "llm/chat_model.h"

namespace tapir::pipeline {

struct AskedModel {
  std::function<llm::ChatModel&()> model;  // opened at the first call
  // Called with false when rows are left without a reply; it throws what the sitting ends with.
  std::function<void(bool complete)> check_complete;
};

// Rows by the row_id that they were asked under, with the reason of a failure; empty: none.
using AskedRows = std::vector<std::pair<std::string, std::string>>;

}  // namespace tapir::pipeline
