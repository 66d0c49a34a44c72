// Signs that good figures fool us: outputs that are all alike, that have grown or shrunk, that are
// missing; a judge that goes by place; training data that holds the exam. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tapir::evaluate {

// A set of answers by one author. Two answers are the same when they differ in white space only.
struct Outputs {
  std::int64_t answers = 0;
  std::int64_t blank = 0;
  std::int64_t distinct = 0;
  std::int64_t duplicate = 0;      // answers that another row has too
  std::int64_t commonest = 0;      // rows that have the most frequent answer
  std::string commonest_text;      // the beginning of it
  double median_length = 0;        // code points
  double duplicate_share() const;  // of answers; 0 of nothing
  double commonest_share() const;
};
Outputs look_at(std::span<const std::string> answers);

// One author's answers to a set of questions, beside what they can be measured against.
struct OutputCheck {
  std::string who;         // "s0", "tapir/round-2"
  std::int64_t asked = 0;  // more than own.answers: rows are missing
  Outputs own;
  std::optional<Outputs> reference;  // right answers to the same questions
  std::optional<Outputs> before;     // the same questions by the student of the round before
};

// In sentences with their figures; nothing where nothing is off, or while there are too few answers
// to say so. Answers that are alike count only beyond those of the reference: right answers to yes
// or no questions are alike too.
//   constant    half of the answers or more are the same one, and the reference has it half as
//   often duplicates  the share of answers that another row has too is 30 points above the
//   reference's
//               (without a reference: above 50 %)
//   blank       one answer in ten or more
//   drift       the median length is half or double that of the round before, or a third or three
//               times the reference's
//   missing     any row
std::vector<std::string> output_warnings(const OutputCheck& check);

// Pairs that a judge read in both orders: how often the same answer won. Warns below 70 %.
std::optional<std::string> position_warning(std::int64_t pairs, double consistency);

// Rows to train on that hold an item of an evaluation set. Warns of any.
std::optional<std::string> near_copy_warning(std::int64_t rows, std::int64_t near_copies);

}  // namespace tapir::evaluate
