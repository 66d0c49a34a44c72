// Texts as sparse vectors of hashed word and character n-grams.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tapir::tasks {

// One bucket of the hash table and how often it occurred.
struct HashedCount {
  std::uint32_t bucket = 0;
  float count = 0;
};

// The two kinds are weighted apart. Buckets are distinct and ascending within each.
struct HashedText {
  std::vector<HashedCount> words;       // words, pairs of words, and the opening of the text
  std::vector<HashedCount> characters;  // 3 to 5 characters of one word, its ends marked
};

// Buckets are below 2^hash_bits. Only the first kilobytes of a text are looked at. Pure; total over
// bytes.
HashedText hash_text(std::string_view text, int hash_bits);

}  // namespace tapir::tasks
