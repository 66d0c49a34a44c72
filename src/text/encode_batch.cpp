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

std::vector<std::vector<TokenId>> encode_batch(const Tokenizer& tokenizer,
                                               std::span<const std::string> texts,
                                               const EncodeBatchOptions& options) {
  std::vector<std::vector<TokenId>> ids(texts.size());
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (std::size_t begin = next.fetch_add(kBlock); begin < texts.size();
           begin = next.fetch_add(kBlock)) {
        for (std::size_t i = begin; i < std::min(begin + kBlock, texts.size()); ++i) {
          ids[i] = tokenizer.encode_with_specials(texts[i], options.add_special_tokens);
        }
      }
    } catch (...) {
      next = texts.size();
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (int t = 1; t < options.threads; ++t) others.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
  return ids;
}

}  // namespace tapir::text
