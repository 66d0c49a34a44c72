// Judges that cost nothing: scores of a pair by rule, without asking a model.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "difficulty/difficulty.h"

namespace tapir::difficulty {

// Pure and thread-safe. Scores are 1-10; the teacher's answer is the reference and gets 10.
class PairScorer {
 public:
  virtual ~PairScorer() = default;
  virtual std::string_view name() const = 0;  // enters the fingerprint
  // Teacher's and student's score and the reason in words, or `failure` why the pair cannot be
  // scored.
  struct Verdict {
    double teacher = 10;
    double student = 1;
    std::string words;
    std::string failure;
  };
  virtual Verdict score(const Pair& pair) const = 0;
};

// The student's final answer is the teacher's (rubric/final_answer.h): 10, else 1. Where the
// student marks no final answer its last number counts, when the teacher's is a number. Failure
// "no_final_answer": the teacher's answer states none that code can check.
std::unique_ptr<PairScorer> make_answer_match();

// 1 + 9 times ROUGE-L (F1 of the longest common subsequence of words) of the student's answer
// against the teacher's. Crude: it sees words, not what is right. The measure's words are of a-z
// and 0-9; where the teacher's answer has none, characters count instead. Failure "no_words": the
// teacher's answer is blank.
std::unique_ptr<PairScorer> make_overlap();

// nullptr where the name is none of them.
std::unique_ptr<PairScorer> make_pair_scorer(std::string_view name);

// As judge_pairs(), with judgments of one order (teacher_first), each made once.
JudgeSummary score_pairs(const PairScorer& scorer, std::span<const Pair> pairs,
                         const std::vector<Judgment>& already, const Threshold& threshold,
                         const std::function<void(const Judgment&)>& keep, ProgressSink& progress,
                         std::stop_token stop);

}  // namespace tapir::difficulty
