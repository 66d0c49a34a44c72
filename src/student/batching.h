// Which rows an optimizer step learns from, and which lane takes which. Pure: no clock, no threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "student/decoder.h"
#include "student/shared_array.h"
#include "student/student.h"

namespace tapir::student {

// An example as tokens, cut at the longest length allowed.
struct EncodedRow {
  std::string id;
  SharedArray<std::int32_t> tokens;
  SharedArray<std::uint8_t> loss;  // 1: learnt; never the first token; same length as tokens
  std::int64_t supervised = 0;     // tokens with loss
  bool truncated = false;
};

// Numbers 0 .. lengths.size() - 1 in sequences of at most `limit` tokens (a longer row alone in its
// own) by best-fit decreasing: longest first, each into the fullest sequence that has room. Rows of
// equal length in the order given; within a sequence, rising.
std::vector<std::vector<std::size_t>> pack_best_fit(const std::vector<std::int64_t>& lengths,
                                                    std::int64_t limit);

// How far a training has come in its data. Row orders are drawn from streams named by the epoch, so
// this is all of the random state.
struct DataCursor {
  std::int64_t epoch = 0;
  std::int64_t position = 0;  // units (rows, or packed sequences) of this epoch already taken
  std::int64_t rows = 0;      // rows taken in all
  std::int64_t tokens = 0;    // tokens of those rows
  bool operator==(const DataCursor&) const = default;
};

// Deals out the rows step by step. A step takes total_batch_size rows; or, with batch_tokens, rows
// in order until the training has seen step * batch_tokens tokens, at least one: so steps hold
// batch_tokens on average, and trainings of equal steps have seen equal tokens up to one row.
// Without max_steps the last step takes what is left. With packing, "row" is a packed sequence of
// up to cutoff_len tokens throughout. With order_seed the same rows are taken in as many steps as
// without: the last epoch has the rows that it has there, and the last step takes what is left;
// packed, steps may be fewer where rows fit together better.
class BatchPlan {
 public:
  // lengths: tokens of every row; not empty.
  BatchPlan(std::vector<std::int64_t> lengths, const TrainOptions& options);

  bool done() const;
  // Indices of the next step's rows, in order. REQUIRES: !done().
  std::vector<std::size_t> next();

  std::int64_t step() const { return step_; }  // steps dealt out
  const DataCursor& cursor() const { return cursor_; }
  void restore(std::int64_t step, const DataCursor& cursor);

 private:
  bool step_is_full(std::size_t units) const;
  std::uint64_t order_seed() const { return options_.order_seed.value_or(options_.seed); }
  bool rows_are_used_up() const;
  void take_rows_of_seed();
  void begin_epoch();
  void pack_epoch();

  std::vector<std::int64_t> lengths_;
  TrainOptions options_;
  // Of a plan in an order of its own: what the same plan without it takes.
  struct RowsOfSeed {
    std::int64_t steps = 0;
    std::int64_t last_epoch = 0;
    std::vector<std::size_t> last_rows;  // that epoch's
  };

  std::int64_t total_rows_;  // without max_steps, or in an order of its own
  std::optional<RowsOfSeed> of_seed_;
  std::int64_t step_ = 0;
  DataCursor cursor_;
  std::vector<std::size_t> order_;  // of the cursor's epoch: rows, unit by unit
  std::vector<std::size_t> units_;  // where in order_ each unit begins, and its end
};

// Steps of a whole training.
std::int64_t count_steps(const std::vector<std::int64_t>& lengths, const TrainOptions& options);

// Deals a step's rows to lanes, longest first, each to the lane with the fewest tokens so far;
// within a lane in the order given. lengths: of the step's rows. The answer holds positions within
// the step.
std::vector<std::vector<std::size_t>> deal_to_lanes(const std::vector<std::int64_t>& lengths,
                                                    int lanes);

// Which rows go through the decoder together: in order, or by best fit, at most `limit` tokens (a
// longer row alone in its own).
std::vector<std::vector<std::size_t>> plan_passes(const std::vector<std::int64_t>& lengths,
                                                  std::int64_t limit, bool best_fit);

}  // namespace tapir::student
