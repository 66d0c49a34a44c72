// What counts as new: by an exact canonical text (the gym), or by likeness of texts (everything
// else).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "dataset/contamination.h"
#include "dataset/text_faults.h"
#include "stats/minhash.h"
#include "stats/rouge_index.h"
#include "teach/teach.h"

namespace tapir::teach {

// Two instructions that ask the same have the same canonical text.
class HashNovelty : public Novelty {
 public:
  using Canonical = std::function<std::string(const Instruction&)>;
  // The reason why a candidate is not wanted whatever is known ("held_out", ...); "" when there is
  // none.
  using Reject = std::function<std::string(const Instruction&)>;

  // also may be empty. A candidate is refused by `also` first, then as "duplicate".
  explicit HashNovelty(Canonical canonical, Reject also = {});

  void add(const Instruction& instruction) override;
  std::string reject(const Instruction& candidate) const override;

 private:
  Canonical canonical_;
  Reject also_;
  std::unordered_set<std::string> known_;  // looked up only
};

struct TextNoveltyOptions {
  double rouge_l =
      0.7;             // a candidate is new when its ROUGE-L with everything known is below; 0: off
  double minhash = 0;  // and so is the estimated share of common 3-word sequences; 0: off
  dataset::LengthLimits length;
  // A candidate is refused when the script of most of its letters is that of fewer known ones.
  double min_script_share = 0.001;
};

// By texts, every decision exact but MinHash's. Reasons, the first that holds: "bad_encoding",
// "too_short", "too_long", "other_script", "contaminated", "near_duplicate" (ROUGE-L; equal texts
// too), "near_duplicate_minhash".
class TextNovelty : public Novelty {
 public:
  // evaluation may be null: then nothing counts as contaminated.
  explicit TextNovelty(const TextNoveltyOptions& options,
                       std::shared_ptr<const dataset::EvaluationIndex> evaluation = nullptr);

  void add(const Instruction& instruction) override;
  std::string reject(const Instruction& candidate) const override;

 private:
  bool is_other_script(const std::string& text) const;

  TextNoveltyOptions options_;
  std::shared_ptr<const dataset::EvaluationIndex> evaluation_;
  std::optional<stats::RougeIndex> rouge_;
  std::optional<stats::MinHashIndex> minhash_;
  std::map<dataset::Script, std::size_t> scripts_;  // of what is known
  std::size_t known_ = 0;
};

}  // namespace tapir::teach
