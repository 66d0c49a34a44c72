// Our side of benchmarks/tokenize_bench.py and of tests/goldens/tokenizers/differential.py.
//   tokenize_speed FOLDER STRINGS speed THREADS RUNS
//   tokenize_speed FOLDER STRINGS text|specials OUT
// FOLDER: a tokenizer. STRINGS: texts, each behind its length as a 32-bit number. `speed` prints
// one JSON object: bytes, tokens, seconds of every run (the first one fills the caches and does not
// count). The others write, for each text, the number of its ids and the ids, then the length of
// their decoded text and the text: `text` as of a user, `specials` with added tokens recognised.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/encode_batch.h"
#include "text/tokenizer.h"

namespace {

using tapir::text::TokenId;

std::vector<std::string> read_strings(const std::string& path) {
  const std::string bytes = tapir::read_file(path);
  std::vector<std::string> strings;
  for (std::size_t at = 0; at + sizeof(std::uint32_t) <= bytes.size();) {
    std::uint32_t length = 0;
    std::memcpy(&length, bytes.data() + at, sizeof length);
    strings.push_back(bytes.substr(at + sizeof length, length));
    at += sizeof length + length;
  }
  return strings;
}

void append_number(std::size_t number, std::string& out) {
  const auto bits = static_cast<std::uint32_t>(number);
  out.append(reinterpret_cast<const char*>(&bits), sizeof bits);
}

void measure(const tapir::text::Tokenizer& tokenizer, const std::vector<std::string>& strings,
             int threads, int runs) {
  std::size_t bytes = 0;
  std::size_t tokens = 0;
  for (const std::string& text : strings) bytes += text.size();
  std::vector<double> seconds;
  for (int run = 0; run <= runs; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    const auto ids = tapir::text::encode_batch(tokenizer, strings, {false, threads});
    const auto time = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin);
    if (run > 0) seconds.push_back(time.count());
    tokens = 0;
    for (const auto& row : ids) tokens += row.size();
  }
  std::puts(tapir::Json{{"bytes", bytes}, {"tokens", tokens}, {"seconds", seconds}}.dump().c_str());
}

void write_ids(const tapir::text::Tokenizer& tokenizer, const std::vector<std::string>& strings,
               bool specials, const std::string& path) {
  std::string out;
  for (const std::string& text : strings) {
    const std::vector<TokenId> ids =
        specials ? tokenizer.encode_with_specials(text, /*add_special_tokens=*/false)
                 : tokenizer.encode(text);
    append_number(ids.size(), out);
    out.append(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(TokenId));
    const std::string decoded = tokenizer.decode(ids, /*skip_special_tokens=*/false);
    append_number(decoded.size(), out);
    out += decoded;
  }
  tapir::write_file(path, out);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> arguments(argv, argv + argc);
    tapir::check(argc >= 5, "usage: tokenize_speed FOLDER STRINGS speed|text|specials ...");
    const auto tokenizer = tapir::text::load_tokenizer(arguments[1]);
    const std::vector<std::string> strings = read_strings(arguments[2]);
    if (arguments[3] == "speed") {
      measure(*tokenizer, strings, std::stoi(arguments[4]), std::stoi(arguments.at(5)));
    } else {
      write_ids(*tokenizer, strings, arguments[3] == "specials", arguments[4]);
    }
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "tokenize_speed: %s\n", e.what());
    return 1;
  }
}
