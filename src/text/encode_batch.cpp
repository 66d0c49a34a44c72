#include "text/encode_batch.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

namespace tapir::text {
namespace {

constexpr std::size_t kBlock = 64;  // texts that a thread takes at a time

}  // namespace

std::vector<std::vector<TokenId>> encode_batch(
    std::size_t count, const std::function<std::vector<TokenId>(std::size_t)>& encode,
    int threads) {
  std::vector<std::vector<TokenId>> ids(count);
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  std::size_t failed = count;
  const auto work = [&] {
    std::size_t i = 0;
    try {
      for (std::size_t begin = next.fetch_add(kBlock); begin < count;
           begin = next.fetch_add(kBlock)) {
        for (i = begin; i < std::min(begin + kBlock, count); ++i) ids[i] = encode(i);
      }
    } catch (...) {
      next = count;  // what comes before is in work already: the first failure is found
      const std::lock_guard lock(mutex);
      if (i > failed) return;
      failed = i;
      failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (int t = 1; t < threads; ++t) others.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
  return ids;
}

std::vector<std::vector<TokenId>> encode_batch(const Tokenizer& tokenizer,
                                               std::span<const std::string> texts,
                                               const EncodeBatchOptions& options) {
  return encode_batch(
      texts.size(),
      [&](std::size_t i) {
        return tokenizer.encode_with_specials(texts[i], options.add_special_tokens);
      },
      options.threads);
}

}  // namespace tapir::text
