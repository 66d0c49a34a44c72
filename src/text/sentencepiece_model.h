// The file of a sentencepiece model (tokenizer.model), a message of protocol buffers.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tapir::text {

struct SentencePiece {
  enum class Type { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  std::string text;  // "▁" for a blank
  float score = 0;   // log-probability (unigram), or minus the rank of the merge (BPE)
  Type type = Type::normal;
};

struct SentencePieceModel {
  enum class Kind { unigram = 1, bpe = 2, word = 3, character = 4 };
  Kind kind = Kind::unigram;
  std::vector<SentencePiece> pieces;  // by id
  bool add_dummy_prefix = true;       // a blank is put before every text
};

// Error{data} naming `where` and what is broken.
SentencePieceModel read_sentencepiece_model(std::string_view file, const std::string& where);

struct SentencePieceChange {
  // Pieces of which this says true become control pieces: no text is ever read as one.
  std::function<bool(const SentencePiece&)> to_control;
  bool without_dummy_prefix = false;
};
// The file of a changed model. file: readable by read_sentencepiece_model().
std::string change_sentencepiece_model(std::string_view file, const SentencePieceChange& change);

}  // namespace tapir::text
