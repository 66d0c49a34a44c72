#include "student/token_cache.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "student/student_folder.h"

namespace tapir::student {
namespace {

static_assert(std::endian::native == std::endian::little, "the file is little endian");

constexpr std::array<char, 8> kMagic = {'t', 'a', 'p', 'i', 'r', 't', 'o', 'k'};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kNameDigits = 16;
constexpr std::size_t kBlock = 1 << 20;  // bytes that are written at once

struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t reserved = 0;
  std::uint64_t rows = 0;
  std::uint64_t tokens = 0;
  std::uint64_t id_bytes = 0;
  std::array<char, 64> key{};     // hexadecimal
  std::array<char, 64> digest{};  // of what follows, hexadecimal
};
static_assert(sizeof(Header) == 168);

struct RowEntry {
  std::uint64_t token_end = 0;  // tokens of all rows up to and with this one
  std::uint64_t id_end = 0;     // bytes, likewise
  std::uint64_t truncated = 0;
};

template <typename T>
std::string_view bytes_of(const T* data, std::size_t count) {
  return {reinterpret_cast<const char*>(data), count * sizeof(T)};
}

std::array<char, 64> digits(const std::string& hex) {
  std::array<char, 64> out{};
  std::copy_n(hex.begin(), std::min(hex.size(), out.size()), out.begin());
  return out;
}

// What the header's counts say the rest is long; nothing when they are impossible.
std::optional<std::uint64_t> body_size(const Header& header) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 48;
  if (header.rows > kMost / sizeof(RowEntry) || header.tokens > kMost || header.id_bytes > kMost)
    return std::nullopt;
  return header.rows * sizeof(RowEntry) + header.tokens * 5 + header.id_bytes;
}

std::optional<Header> read_header(std::string_view bytes, const std::string& key) {
  Header header;
  if (bytes.size() < sizeof(Header)) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof(Header));
  const std::string_view body = bytes.substr(sizeof(Header));
  if (header.magic != kMagic || header.version != kVersion || header.key != digits(key))
    return std::nullopt;
  if (body_size(header) != body.size() || header.digest != digits(sha256_hex(body)))
    return std::nullopt;
  return header;
}

}  // namespace

std::string token_cache_key(std::span<const Example> examples, const std::filesystem::path& words,
                            std::string_view chat_format, std::int64_t limit) {
  return hash_fields({"tokens", std::to_string(kVersion), rows_digest(examples),
                      words_digest(words), chat_format, std::to_string(limit)});
}

std::optional<std::vector<EncodedRow>> read_token_cache(const std::filesystem::path& file,
                                                        const std::string& key) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  const auto mapped = std::make_shared<const MappedFile>(file);
  const auto header = read_header(mapped->bytes(), key);
  if (!header) return std::nullopt;
  const char* at = mapped->bytes().data() + sizeof(Header);
  const auto* entries = reinterpret_cast<const RowEntry*>(at);
  const auto* tokens = reinterpret_cast<const std::int32_t*>(entries + header->rows);
  const auto* loss = reinterpret_cast<const std::uint8_t*>(tokens + header->tokens);
  const auto* ids = reinterpret_cast<const char*>(loss + header->tokens);
  std::vector<EncodedRow> rows(header->rows);
  std::uint64_t token = 0;
  std::uint64_t id = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RowEntry& entry = entries[i];
    if (entry.token_end < token || entry.token_end > header->tokens || entry.id_end < id ||
        entry.id_end > header->id_bytes)
      return std::nullopt;
    EncodedRow& row = rows[i];
    row.id.assign(ids + id, entry.id_end - id);
    row.tokens = {std::span(tokens + token, entry.token_end - token), mapped};
    row.loss = {std::span(loss + token, entry.token_end - token), mapped};
    row.supervised = std::count(row.loss.begin(), row.loss.end(), std::uint8_t{1});
    row.truncated = entry.truncated != 0;
    token = entry.token_end;
    id = entry.id_end;
  }
  return rows;
}

void write_token_cache(const std::filesystem::path& file, const std::string& key,
                       std::span<const EncodedRow> rows) {
  Header header;
  header.rows = rows.size();
  header.key = digits(key);
  std::vector<RowEntry> entries;
  for (const EncodedRow& row : rows) {
    header.tokens += row.tokens.size();
    header.id_bytes += row.id.size();
    entries.push_back({header.tokens, header.id_bytes, row.truncated ? 1U : 0U});
  }
  const auto body = [&](const auto& put) {
    put(bytes_of(entries.data(), entries.size()));
    for (const EncodedRow& row : rows) put(bytes_of(row.tokens.data(), row.tokens.size()));
    for (const EncodedRow& row : rows) put(bytes_of(row.loss.data(), row.loss.size()));
    for (const EncodedRow& row : rows) put(std::string_view(row.id));
  };
  Sha256 hash;
  body([&](std::string_view bytes) { hash.update(bytes); });
  header.digest = digits(hash.hex());
  std::filesystem::create_directories(file.parent_path());
  AtomicFile out(file);
  std::string block(bytes_of(&header, 1));
  body([&](std::string_view bytes) {
    block += bytes;
    if (block.size() < kBlock) return;
    out.write(block);
    block.clear();
  });
  out.write(block);
  out.finish();
}

std::vector<EncodedRow> cached_rows(const std::filesystem::path& folder, const std::string& key,
                                    const std::function<std::vector<EncodedRow>()>& encode) {
  if (folder.empty()) return encode();
  const std::filesystem::path file = folder / (key.substr(0, kNameDigits) + ".tokens");
  if (auto rows = read_token_cache(file, key)) return std::move(*rows);
  std::vector<EncodedRow> rows = encode();
  try {
    write_token_cache(file, key, rows);
  } catch (const Error&) {
    return rows;
  } catch (const std::filesystem::filesystem_error&) {
    return rows;
  }
  // The mapped ones, so that the memory of these is free again.
  auto mapped = read_token_cache(file, key);
  return mapped ? std::move(*mapped) : std::move(rows);
}

}  // namespace tapir::student
