// The "model" of a tokenizer.json.
#pragma once

#include <string>

#include "base/json.h"
#include "text/bpe_model.h"
#include "text/token_table.h"

namespace tapir::text {

// Reads a BPE and places its tokens in the table. Error{data} naming `where` and what is not
// supported.
BpeDescription read_bpe(const Json& model, bool byte_level, const std::string& where,
                        TokenTable& table);

}  // namespace tapir::text
