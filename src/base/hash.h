// Digests and ids.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace tapir {

// SHA-256 of bytes that come in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(std::string_view bytes);
  std::array<std::uint8_t, 32> digest();  // once, last of all
  std::string hex();                      // likewise

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// SHA-256 as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);
std::string sha256_file(const std::filesystem::path& path);
std::array<std::uint8_t, 32> sha256(std::string_view bytes);
std::array<std::uint8_t, 64> sha512(std::string_view bytes);

// Digest of several fields; each is preceded by its length, so that {"ab","c"} and {"a","bc"}
// differ.
std::string hash_fields(std::initializer_list<std::string_view> fields);

// The first 16 digits of hash_fields(): an id of a row (64 bits: a collision among a million rows
// has odds of 3e-8).
std::string short_id(std::initializer_list<std::string_view> fields);

}  // namespace tapir
