#include "evaluate/order.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/random.h"
#include "stats/hypotheses.h"
#include "stats/resampling.h"
#include "stats/systems.h"

namespace tapir::evaluate {
namespace {

using Values = std::vector<std::vector<double>>;  // [order][item]
using Sets = std::map<std::pair<SetKind, std::string>, Values>;

// Items by id within a set, so that sums have one order.
Sets by_set(std::span<const OrderItem> items) {
  std::map<std::pair<SetKind, std::string>, std::map<std::string, const OrderItem*>> sorted;
  for (const OrderItem& item : items) {
    check(item.values.size() >= 2 && item.values.size() == items.front().values.size(),
          "order_figures: two orders or more, the same for every item");
    const bool fresh = sorted[{item.kind, item.set}].emplace(item.item, &item).second;
    check(fresh, "order_figures: two results of item " + item.item);
  }
  Sets sets;
  for (const auto& [key, of_set] : sorted) {
    Values& values = sets[key];
    values.resize(items.front().values.size());
    for (const auto& [id, item] : of_set) {
      for (std::size_t order = 0; order < values.size(); ++order)
        values[order].push_back(item->values[order]);
    }
  }
  return sets;
}

void append_shares(const Values& values, double weight, Values& all) {
  all.resize(values.size());
  for (std::size_t order = 0; order < values.size(); ++order) {
    for (const double value : values[order]) all[order].push_back(value * weight);
  }
}

// `shares`: values whose sums are the orders' figures.
OrderRow row_of(const std::string& name, SetKind kind, const Values& shares, std::uint64_t seed) {
  OrderRow row{.set = name, .kind = kind};
  row.items = static_cast<std::int64_t>(shares.front().size());
  for (const auto& of_order : shares)
    row.means.push_back(static_cast<double>(row.items) * stats::mean(of_order));
  row.mean = stats::mean(row.means);
  const auto [low, high] = std::minmax_element(row.means.begin(), row.means.end());
  row.range = *high - *low;
  RandomStream stream(seed, "order", fmt::format("{}/{}", to_string(kind), name));
  const stats::SystemsTest test = stats::compare_systems(shares, stream);
  row.sd = test.sd;
  row.sd_by_chance = test.sd_by_chance;
  row.p = row.p_holm = test.p;
  return row;
}

std::vector<OrderPair> pairs_of(const Sets& sets, std::size_t orders, std::uint64_t seed) {
  std::vector<OrderPair> pairs;
  std::vector<double> p;
  for (std::size_t a = 0; a < orders; ++a) {
    for (std::size_t b = a + 1; b < orders; ++b) {
      std::vector<std::vector<double>> differences;
      for (const auto& [key, values] : sets) {
        if (key.first != SetKind::own) continue;
        auto& of_set = differences.emplace_back();
        for (std::size_t i = 0; i < values[a].size(); ++i)
          of_set.push_back(values[a][i] - values[b][i]);
      }
      const stats::MacroComparison macro =
          stats::compare_macro(differences, seed, fmt::format("order/{}-{}", a, b));
      pairs.push_back({a, b, macro.difference, macro.interval, macro.p, 1});
      p.push_back(macro.p);
    }
  }
  const std::vector<double> adjusted = stats::holm(p);
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i].p_holm = adjusted[i];
  return pairs;
}

}  // namespace

OrderFigures order_figures(std::span<const OrderItem> items, std::uint64_t seed) {
  OrderFigures figures;
  if (items.empty()) return figures;
  const Sets sets = by_set(items);
  const auto own = std::count_if(sets.begin(), sets.end(),
                                 [](const auto& set) { return set.first.first == SetKind::own; });
  Values overall;
  std::vector<double> p;
  for (const auto& [key, values] : sets) {
    const double weight = 1.0 / static_cast<double>(values.front().size());
    Values shares;
    append_shares(values, weight, shares);
    figures.sets.push_back(row_of(key.second, key.first, shares, seed));
    p.push_back(figures.sets.back().p);
    if (key.first == SetKind::own)
      append_shares(values, weight / static_cast<double>(own), overall);
  }
  const std::vector<double> adjusted = stats::holm(p);
  for (std::size_t i = 0; i < adjusted.size(); ++i) figures.sets[i].p_holm = adjusted[i];
  if (own == 0) return figures;
  figures.overall = row_of("overall", SetKind::own, overall, seed);
  figures.expected = stats::student_t_interval(figures.overall->means);
  figures.pairs = pairs_of(sets, overall.size(), seed);
  figures.smallest_difference =
      stats::smallest_difference(std::sqrt(2.0) * figures.overall->sd_by_chance);
  return figures;
}

}  // namespace tapir::evaluate
