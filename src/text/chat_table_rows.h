// Rows of the table of chat formats that stand in files of their own. Inside this folder only.
#pragma once

#include <vector>

#include "text/chat_table.h"

namespace tapir::text {

std::vector<ChatFormatSpec> instruct_rows();  // mistral, gemma, phi3
std::vector<ChatFormatSpec> text_rows();      // in plain words, and compact

}  // namespace tapir::text
