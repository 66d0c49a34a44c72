#include "dataset/clean.h"

#include <optional>
#include <unordered_map>

#include "base/json.h"
#include "base/strings.h"
#include "dataset/text_faults.h"
#include "stats/minhash.h"
#include "stats/rouge_index.h"

namespace tapir::dataset {
namespace {

class Cleaner {
 public:
  Cleaner(const CleanOptions& options, const EvaluationIndex* evaluation)
      : options_(options), evaluation_(evaluation) {
    if (options.rouge_l > 0) rouge_.emplace(options.rouge_l);
    if (options.minhash > 0) {
      stats::MinHashOptions minhash;
      minhash.threshold = options.minhash;
      minhash_.emplace(minhash);
    }
  }

  // reason empty: the row is kept, and known from now on.
  Removal look_at(const DataRow& row) {
    Removal found = by_itself(row);
    if (found.reason.empty()) found = among_others(row);
    return found;
  }

 private:
  Removal by_itself(const DataRow& row) const {
    if (options_.encoding) {
      for (const Message& message : row.instruction.messages) {
        if (auto fault = encoding_fault(message.content); !fault.empty())
          return {0, "bad_encoding", fault};
      }
      if (auto fault = encoding_fault(row.response.value_or("")); !fault.empty())
        return {0, "bad_encoding", fault};
    }
    if (options_.empty_answers && trim(row.response.value_or("")).empty())
      return {0, "no_response", ""};
    if (options_.refusals && row.response && is_refusal(*row.response))
      return {0, "refusal", row.response->substr(0, row.response->find('\n'))};
    if (evaluation_ == nullptr) return {};
    const auto hit = evaluation_->find(row.instruction.messages);
    if (!hit) return {};
    const EvaluationItem& item = evaluation_->items()[hit->item];
    return {0, "contaminated",
            item.set + " " + item.id + " (" + hit->how + " " + Json(hit->share).dump() + ")"};
  }

  Removal among_others(const DataRow& row) {
    const std::string& id = row.instruction.id;
    const std::string hash = options_.duplicates ? text_hash(row.instruction.messages) : "";
    if (const auto same = ids_.find(hash); same != ids_.end())
      return {0, "duplicate", same->second};
    const std::string text = comparison_text(row.instruction.messages);
    if (rouge_) {
      if (const auto like = rouge_->find(text)) return {0, "near_duplicate", kept_[like->number]};
    }
    if (minhash_) {
      if (const auto like = minhash_->find(text))
        return {0, "near_duplicate_minhash", kept_[like->number]};
      minhash_->add(text);
    }
    if (rouge_) rouge_->add(text);
    if (options_.duplicates) ids_.emplace(hash, id);
    kept_.push_back(id);
    return {};
  }

  const CleanOptions& options_;
  const EvaluationIndex* evaluation_;
  std::unordered_map<std::string, std::string> ids_;  // by text_hash(); looked up only
  std::optional<stats::RougeIndex> rouge_;
  std::optional<stats::MinHashIndex> minhash_;
  std::vector<std::string> kept_;  // ids, as numbered by the indices
};

}  // namespace

std::string comparison_text(const Messages& messages) {
  std::string text;
  for (const Message& message : messages) {
    if (message.role == Role::system) continue;
    if (!text.empty()) text += '\n';
    text += message.content;
  }
  return text;
}

std::vector<Removal> clean(std::span<const DataRow> rows, const CleanOptions& options,
                           const EvaluationIndex* evaluation) {
  Cleaner cleaner(options, evaluation);
  std::vector<Removal> removals;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Removal removal = cleaner.look_at(rows[i]);
    if (removal.reason.empty()) continue;
    removal.row = i;
    removals.push_back(std::move(removal));
  }
  return removals;
}

std::map<std::string, std::size_t> count_reasons(std::span<const Removal> removals) {
  std::map<std::string, std::size_t> counts;
  for (const Removal& removal : removals) ++counts[removal.reason];
  return counts;
}

}  // namespace tapir::dataset
