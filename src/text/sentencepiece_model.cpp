#include "text/sentencepiece_model.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace tapir::text {
namespace {

// Numbers of the fields in sentencepiece_model.proto.
constexpr std::uint64_t kModelPieces = 1;
constexpr std::uint64_t kModelTrainer = 2;
constexpr std::uint64_t kModelNormalizer = 3;
constexpr std::uint64_t kPieceText = 1;
constexpr std::uint64_t kPieceScore = 2;
constexpr std::uint64_t kPieceType = 3;
constexpr std::uint64_t kTrainerModelType = 3;
constexpr std::uint64_t kNormalizerDummyPrefix = 3;

// One field of a message; `value` or `bytes`, by its wire type.
struct Field {
  std::uint64_t number = 0;
  std::uint64_t value = 0;
  std::string_view bytes;
};

// Reads the fields of a message one by one.
class Message {
 public:
  Message(std::string_view bytes, const std::string& where) : rest_(bytes), where_(where) {}

  bool next(Field& field) {
    if (rest_.empty()) return false;
    const std::uint64_t tag = varint();
    field = {tag >> 3, 0, {}};
    switch (tag & 7) {
      case 0:
        field.value = varint();
        return true;
      case 1:
        field.bytes = take(8);
        return true;
      case 2:
        field.bytes = take(varint());
        return true;
      case 5:
        field.bytes = take(4);
        return true;
      default:
        broken();
    }
  }

 private:
  [[noreturn]] void broken() const {
    throw Error(ErrorKind::data, where_ + ": no sentencepiece model",
                "is the file whole? A pointer file of git-lfs looks like a text of three lines");
  }
  std::string_view take(std::uint64_t count) {
    if (count > rest_.size()) broken();
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<std::uint8_t>(take(1).front());
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    broken();
  }

  std::string_view rest_;
  const std::string& where_;
};

void append_varint(std::uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void append_bytes(std::uint64_t number, std::string_view bytes, std::string& out) {
  append_varint(number << 3 | 2, out);
  append_varint(bytes.size(), out);
  out += bytes;
}

void append_value(std::uint64_t number, std::uint64_t value, std::string& out) {
  append_varint(number << 3, out);
  append_varint(value, out);
}

SentencePiece read_piece(std::string_view bytes, const std::string& where) {
  SentencePiece piece;
  Message message(bytes, where);
  for (Field field; message.next(field);) {
    if (field.number == kPieceText) piece.text = field.bytes;
    if (field.number == kPieceScore && field.bytes.size() == sizeof piece.score) {
      std::memcpy(&piece.score, field.bytes.data(), sizeof piece.score);
    }
    if (field.number == kPieceType) piece.type = static_cast<SentencePiece::Type>(field.value);
  }
  if (piece.type < SentencePiece::Type::normal || piece.type > SentencePiece::Type::byte) {
    throw Error(ErrorKind::data, where + ": piece \"" + piece.text + "\" is of an unknown type");
  }
  return piece;
}

}  // namespace

static_assert(std::endian::native == std::endian::little, "floats are read as they lie");

SentencePieceModel read_sentencepiece_model(std::string_view file, const std::string& where) {
  SentencePieceModel model;
  Message message(file, where);
  for (Field field; message.next(field);) {
    if (field.number == kModelPieces) model.pieces.push_back(read_piece(field.bytes, where));
    Message inner(field.bytes, where);
    if (field.number == kModelTrainer) {
      for (Field f; inner.next(f);) {
        if (f.number == kTrainerModelType)
          model.kind = static_cast<SentencePieceModel::Kind>(f.value);
      }
    } else if (field.number == kModelNormalizer) {
      for (Field f; inner.next(f);) {
        if (f.number == kNormalizerDummyPrefix) model.add_dummy_prefix = f.value != 0;
      }
    }
  }
  if (model.pieces.empty()) {
    throw Error(ErrorKind::data, where + ": the sentencepiece model has no pieces");
  }
  return model;
}

// Of a field that is there twice the last one counts: what is appended changes the message.
std::string change_sentencepiece_model(std::string_view file, const SentencePieceChange& change) {
  const std::string where = "sentencepiece model";
  std::string out;
  Message message(file, where);
  for (Field field; message.next(field);) {
    if (field.number != kModelPieces) {
      append_bytes(field.number, field.bytes, out);
      continue;
    }
    std::string piece(field.bytes);
    if (change.to_control && change.to_control(read_piece(piece, where))) {
      append_value(kPieceType, static_cast<std::uint64_t>(SentencePiece::Type::control), piece);
    }
    append_bytes(kModelPieces, piece, out);
  }
  if (change.without_dummy_prefix) {
    std::string normalizer;
    append_value(kNormalizerDummyPrefix, 0, normalizer);
    append_bytes(kModelNormalizer, normalizer, out);
  }
  return out;
}

}  // namespace tapir::text
