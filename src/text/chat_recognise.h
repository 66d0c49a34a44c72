// Which format a chat template of a model folder is. Inside this folder only.
#pragma once

#include <string>
#include <string_view>

#include "text/chat_layout.h"

namespace tapir::text {

struct RecognisedFormat {
  const ChatFormatSpec* spec = nullptr;
  ChatVariant variant;
};

// Renders a few conversations with the template and takes the format that writes them all the same,
// so how the template is worded does not matter. bos, eos: as the tokenizer spells them; empty:
// none. where: names the template in errors. Error{data}: none of the known ones (with the closest,
// and where it differs), or one that cannot be read.
RecognisedFormat recognise_template(std::string_view jinja, const std::string& where,
                                    std::string_view bos, std::string_view eos);

}  // namespace tapir::text
