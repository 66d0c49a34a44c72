// The text of an answer while it is being made: what may be shown already, and stop strings. No
// torch here.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "text/chat_format.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"

namespace tapir::student {

// One answer, one stream; tokenizer and format outlive it.
class AnswerStream {
 public:
  // format: of a conversation, whose blanks around the answer do not belong to it; null for raw
  // text. stop: strings that end the answer, before them; empty ones are ignored.
  AnswerStream(const text::Tokenizer& tokenizer, const text::ChatFormat* format,
               std::vector<std::string> stop);

  // A token of the answer (never the one that ended it). After a stop string was found nothing more
  // is taken.
  void push(text::TokenId token);
  // No token follows.
  void finish();

  bool stopped() const { return stopped_; }  // by a stop string
  // What push() and finish() made certain since the last call: all pieces together are the
  // format's answer_text(). What may turn out to be the beginning of a stop string, blanks at the
  // end, and a <think> block until it ends, wait.
  std::string take();
  // Bytes of decoded text so far. A token's text begins where this was before its push(), or
  // later; after a stop string was found, tokens that began at or after it are not of the answer.
  std::size_t size() const { return decoded_.size(); }
  // Bytes of it that take() has given out or passed over.
  std::size_t taken() const { return taken_; }

 private:
  void append(const std::string& piece);
  std::size_t certain() const;

  text::StreamDecoder decoder_;
  const text::ChatFormat* format_;
  std::vector<std::string> stop_;
  std::size_t longest_stop_ = 0;
  std::string decoded_;
  std::size_t taken_ = 0;  // of decoded_
  std::size_t begin_ = 0;  // where the answer begins in decoded_: certain once some of it is given
  std::size_t given_ = 0;  // of the answer's text
  bool stopped_ = false;
  bool finished_ = false;
};

}  // namespace tapir::student
