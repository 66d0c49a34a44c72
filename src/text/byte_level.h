// GPT-2's alphabet: every byte as one printable character, so that a vocabulary of bytes can be
// written as text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tapir::text {

// The character (UTF-8) that stands for the byte.
const std::string& byte_to_char(std::uint8_t byte);

// Bytes as characters of the alphabet, and back; nothing when a character is not of the alphabet.
std::string to_byte_level(std::string_view bytes);
std::optional<std::string> from_byte_level(std::string_view characters);

}  // namespace tapir::text
