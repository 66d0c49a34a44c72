// How a conversation becomes tokens, and which of them are learnt. A table of formats as data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "records/instruction.h"
#include "text/tokenizer.h"

namespace tapir::text {

struct EncodedExample {
  std::vector<TokenId> tokens;
  std::vector<std::uint8_t> loss;  // 1: this token is predicted and learnt; same length as tokens
};

// Immutable; thread-safe. Control tokens are written by id only; what a message says can never
// become one.
class ChatFormat {
 public:
  virtual ~ChatFormat() = default;
  virtual std::string_view name() const = 0;
  // The name, and in what a model's own template differs from the row of the table: for people.
  virtual std::string describe() const = 0;
  // The conversation up to where the assistant begins to answer. encode_example() of the same
  // conversation with an answer begins with exactly these tokens. Error{data}: no message, a role
  // or an order that the format does not know, an answer at the end.
  virtual std::vector<TokenId> encode_prompt(const Messages& messages) const = 0;
  // Every segment; the end-of-turn token after a segment with loss is supervised too, and nothing
  // else that the format itself writes.
  virtual EncodedExample encode_example(const Example& example) const = 0;
  // Tokens that end the assistant's turn.
  virtual std::vector<TokenId> stop_tokens() const = 0;
  // The answer itself, from decoded tokens of a turn: without the blanks that some formats put
  // around it, and without the <think> block that an answer may begin with (one that was cut off
  // inside it is given as it is).
  virtual std::string answer_text(std::string_view decoded) const = 0;
  // For answers that are shown while they are made: where the text of answer_text() begins in what
  // is decoded so far; decoded.size() while what follows may decide it. Where something stands
  // behind it, it does not move any more.
  virtual std::size_t answer_begin(std::string_view decoded) const = 0;
};

// format: a name of the table, or "auto": found from what the folder's own chat template renders,
// however it is worded. Error{data} lists the known ones. A folder without a template gives the
// format "none", which has stop_tokens() (end of text) and refuses every conversation.
std::shared_ptr<const ChatFormat> load_chat_format(const std::filesystem::path& folder,
                                                   std::shared_ptr<const Tokenizer> tokenizer,
                                                   std::string_view format = "auto");

std::vector<std::string> chat_format_names();
// The Jinja template of a folder: chat_template.jinja, or the default one of tokenizer_config.json.
struct FolderTemplate {
  std::string jinja;           // empty: it has none
  std::filesystem::path file;  // that it stands in
};
// Error{data} naming the file.
FolderTemplate folder_chat_template(const std::filesystem::path& folder);
// The Jinja template that transformers needs to render the same, and the special tokens the format
// uses.
std::string chat_template(std::string_view format);
std::vector<std::string> chat_special_tokens(std::string_view format);

}  // namespace tapir::text
