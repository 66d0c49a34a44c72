// Texts as sparse vectors of hashed word and character n-grams.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tapir::tasks {

// One bucket of the hash table and how often it occurred.
struct HashedCount {
  std::uint32_t bucket = 0;
  float count = 0;
};

// The kinds are counted and weighted apart.
enum class Block : std::size_t {
  words,    // in lower case; punctuation marks are words of their own
  pairs,    // of neighbouring words
  opening,  // the first words, and pairs of them: what an instruction asks for often stands there
  characters,  // 3 to 5 of one word, its ends marked
};
inline constexpr std::size_t kBlocks = 4;

// Buckets are distinct and ascending within each block.
struct HashedText {
  std::array<std::vector<HashedCount>, kBlocks> blocks;
  const std::vector<HashedCount>& operator[](Block block) const {
    return blocks[static_cast<std::size_t>(block)];
  }
};

// Buckets are below 2^hash_bits. Only the first kilobytes of a text are looked at. Pure; total over
// bytes.
HashedText hash_text(std::string_view text, int hash_bits);

}  // namespace tapir::tasks
