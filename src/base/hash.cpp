#include "base/hash.h"

#include <fstream>
#include <memory>

#include <openssl/evp.h>

#include "base/error.h"

namespace tapir {
namespace {

std::string to_hex(const std::array<std::uint8_t, 32>& digest) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(64);
  for (const std::uint8_t byte : digest) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

}  // namespace

struct Sha256::State {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                  &EVP_MD_CTX_free};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  EVP_MD_CTX* context = state_->context.get();
  check(context != nullptr && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1,
        "SHA-256 starts");
}

Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  check(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1,
        "SHA-256 takes bytes");
}

std::array<std::uint8_t, 32> Sha256::digest() {
  std::array<std::uint8_t, 32> out{};
  unsigned length = 0;
  check(EVP_DigestFinal_ex(state_->context.get(), out.data(), &length) == 1, "SHA-256 ends");
  return out;
}

std::string Sha256::hex() { return to_hex(digest()); }

std::array<std::uint8_t, 32> sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.digest();
}

std::array<std::uint8_t, 64> sha512(std::string_view bytes) {
  std::array<std::uint8_t, 64> digest{};
  unsigned length = 0;
  check(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha512(), nullptr) == 1,
        "SHA-512 of bytes");
  return digest;
}

std::string sha256_hex(std::string_view bytes) { return to_hex(sha256(bytes)); }

std::string sha256_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(ErrorKind::data, "cannot read " + path.string());
  Sha256 hash;
  std::string block(1 << 16, '\0');
  while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0) {
    hash.update({block.data(), static_cast<std::size_t>(in.gcount())});
  }
  return hash.hex();
}

std::string hash_fields(std::initializer_list<std::string_view> fields) {
  Sha256 hash;
  for (const std::string_view field : fields) {
    hash.update(std::to_string(field.size()));
    hash.update(":");
    hash.update(field);
  }
  return hash.hex();
}

std::string short_id(std::initializer_list<std::string_view> fields) {
  return hash_fields(fields).substr(0, 16);
}

}  // namespace tapir
