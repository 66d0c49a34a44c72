#include "text/byte_level.h"

#include <array>

namespace tapir::text {
namespace {

// Printable Latin-1 stands for itself; the other 68 bytes, in order, take the code points from 256
// on.
bool stands_for_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) ||
         (byte >= 0xAE && byte <= 0xFF);
}

struct Alphabet {
  std::array<std::string, 256> chars;        // by byte, UTF-8
  std::array<std::int16_t, 512> bytes = {};  // by code point, -1: not of the alphabet

  Alphabet() {
    bytes.fill(-1);
    unsigned next = 256;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const unsigned point = stands_for_itself(byte) ? byte : next++;
      std::string& text = chars[byte];
      if (point < 0x80) {
        text.push_back(static_cast<char>(point));
      } else {
        text.push_back(static_cast<char>(0xC0 | (point >> 6)));
        text.push_back(static_cast<char>(0x80 | (point & 0x3F)));
      }
      bytes[point] = static_cast<std::int16_t>(byte);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

const std::string& byte_to_char(std::uint8_t byte) { return alphabet().chars[byte]; }

std::string to_byte_level(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) out += byte_to_char(static_cast<std::uint8_t>(c));
  return out;
}

std::optional<std::string> from_byte_level(std::string_view characters) {
  std::string out;
  out.reserve(characters.size());
  for (std::size_t i = 0; i < characters.size(); ++i) {
    unsigned point = static_cast<std::uint8_t>(characters[i]);
    if (point >= 0x80) {
      // All of the alphabet above ASCII has two bytes in UTF-8.
      if ((point & 0xE0) != 0xC0 || i + 1 >= characters.size()) return std::nullopt;
      point = ((point & 0x1F) << 6) | (static_cast<std::uint8_t>(characters[++i]) & 0x3F);
    }
    if (point >= alphabet().bytes.size() || alphabet().bytes[point] < 0) return std::nullopt;
    out.push_back(static_cast<char>(alphabet().bytes[point]));
  }
  return out;
}

}  // namespace tapir::text
