#include "teach/novelty.h"

#include <utility>

#include "base/error.h"
#include "dataset/clean.h"

namespace tapir::teach {

HashNovelty::HashNovelty(Canonical canonical, Reject also)
    : canonical_(std::move(canonical)), also_(std::move(also)) {
  check(static_cast<bool>(canonical_), "HashNovelty: a canonical function is given");
}

void HashNovelty::add(const Instruction& instruction) { known_.insert(canonical_(instruction)); }

std::string HashNovelty::reject(const Instruction& candidate) const {
  if (also_) {
    std::string reason = also_(candidate);
    if (!reason.empty()) return reason;
  }
  return known_.contains(canonical_(candidate)) ? "duplicate" : "";
}

TextNovelty::TextNovelty(const TextNoveltyOptions& options,
                         std::shared_ptr<const dataset::EvaluationIndex> evaluation)
    : options_(options), evaluation_(std::move(evaluation)) {
  if (options.rouge_l > 0) rouge_.emplace(options.rouge_l);
  if (options.minhash > 0) {
    stats::MinHashOptions minhash;
    minhash.threshold = options.minhash;
    minhash_.emplace(minhash);
  }
}

void TextNovelty::add(const Instruction& instruction) {
  const std::string text = dataset::comparison_text(instruction.messages);
  if (rouge_) rouge_->add(text);
  if (minhash_) minhash_->add(text);
  ++scripts_[dataset::main_script(text)];
  ++known_;
}

bool TextNovelty::is_other_script(const std::string& text) const {
  if (known_ == 0) return false;
  const auto found = scripts_.find(dataset::main_script(text));
  const std::size_t same = found == scripts_.end() ? 0 : found->second;
  return static_cast<double>(same) < options_.min_script_share * static_cast<double>(known_);
}

std::string TextNovelty::reject(const Instruction& candidate) const {
  const std::string text = dataset::comparison_text(candidate.messages);
  if (!dataset::encoding_fault(text).empty()) return "bad_encoding";
  if (std::string fault = dataset::length_fault(text, options_.length); !fault.empty())
    return fault;
  if (is_other_script(text)) return "other_script";
  if (evaluation_ && evaluation_->find(candidate.messages)) return "contaminated";
  if (rouge_ && rouge_->find(text)) return "near_duplicate";
  if (minhash_ && minhash_->find(text)) return "near_duplicate_minhash";
  return "";
}

}  // namespace tapir::teach
