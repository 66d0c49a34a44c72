// Whether the order in which a round's rows were seen matters: figures of students that were
// trained on the same rows in several orders and sat the same items. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluate/forgetting.h"
#include "stats/intervals.h"

namespace tapir::evaluate {

// One item of a set as every student did on it: 1 right, 0 wrong; or its loss on a recorded answer.
struct OrderItem {
  std::string set;
  SetKind kind = SetKind::own;
  std::string item;            // unique within the set
  std::vector<double> values;  // by order
};

struct OrderRow {
  std::string set;
  SetKind kind = SetKind::own;
  std::int64_t items = 0;
  std::vector<double> means;  // by order
  double mean = 0;            // of the orders
  double range = 0;           // largest less smallest
  double sd = 0;              // of the orders' means, divisor orders - 1
  double sd_by_chance = 0;    // were it chance, item by item, which order got which result
  double p = 1;               // of that hypothesis (stats::compare_systems)
  double p_holm = 1;          // adjusted for the number of sets; of the overall row: p
};

struct OrderPair {
  std::size_t a = 0, b = 0;  // orders, by place
  double difference = 0;     // of the overall means, a less b
  stats::Interval interval;  // 95 %, items resampled within sets
  double p = 1;              // sign-flip test
  double p_holm = 1;         // adjusted for the number of pairs
};

struct OrderFigures {
  std::vector<OrderRow> sets;       // by kind, then by name
  std::optional<OrderRow> overall;  // mean over own sets; nothing: there is none
  stats::Interval expected;         // of the mean over all orders there might be, 95 %, Student's t
  std::vector<OrderPair> pairs;     // of the overall figure
  // The overall difference between two orders that these items show with a power of 80 %.
  double smallest_difference = 0;
};

// REQUIRES: every item has the same number of values, two or more. Draws from streams of the seed.
OrderFigures order_figures(std::span<const OrderItem> items, std::uint64_t seed);

}  // namespace tapir::evaluate
