#include "evaluate/order.h"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"

namespace tapir::evaluate {
namespace {

// `rows`: what every order made of each item.
void add(std::vector<OrderItem>& items, const std::string& set, SetKind kind,
         const std::vector<std::vector<double>>& rows) {
  for (const auto& values : rows)
    items.push_back({set, kind, set + std::to_string(items.size()), values});
}

TEST(OrderFigures, OverallIsTheMeanOverOwnSets) {
  std::vector<OrderItem> items;
  add(items, "small", SetKind::own, {{1, 0, 0}, {1, 1, 0}});
  add(items, "large", SetKind::own, {{1, 1, 1}, {0, 0, 1}, {0, 1, 0}, {0, 0, 0}});
  add(items, "other", SetKind::general, {{0, 1, 1}});
  const OrderFigures figures = order_figures(items, 1);
  ASSERT_EQ(figures.sets.size(), 3U);
  EXPECT_EQ(figures.sets[0].set, "large");
  EXPECT_EQ(figures.sets[2].kind, SetKind::general);
  const std::vector<double> small = {1, 0.5, 0};
  const std::vector<double> large = {0.25, 0.5, 0.5};
  ASSERT_TRUE(figures.overall);
  EXPECT_EQ(figures.overall->items, 6);
  for (std::size_t order = 0; order < 3; ++order) {
    EXPECT_NEAR(figures.sets[0].means[order], large[order], 1e-12);
    EXPECT_NEAR(figures.sets[1].means[order], small[order], 1e-12);
    EXPECT_NEAR(figures.overall->means[order], (small[order] + large[order]) / 2, 1e-12);
  }
  EXPECT_NEAR(figures.sets[1].range, 1, 1e-12);
  EXPECT_NEAR(figures.sets[1].sd, 0.5, 1e-12);
  EXPECT_NEAR(figures.overall->mean, 11.0 / 24, 1e-12);
  ASSERT_EQ(figures.pairs.size(), 3U);
  EXPECT_EQ(figures.pairs[1].a, 0U);
  EXPECT_EQ(figures.pairs[1].b, 2U);
  EXPECT_NEAR(figures.pairs[1].difference, 0.625 - 0.25, 1e-12);
  EXPECT_GE(figures.pairs[1].p_holm, figures.pairs[1].p);
  EXPECT_TRUE(figures.expected.contains(figures.overall->mean));
  // 2.8016 standard errors of a difference: two-sided 5 %, power 80 %.
  EXPECT_NEAR(figures.smallest_difference, 2.8016 * std::sqrt(2.0) * figures.overall->sd_by_chance,
              1e-3);
}

TEST(OrderFigures, DoNotDependOnTheOrderOfItems) {
  std::vector<OrderItem> items;
  for (int i = 0; i < 40; ++i) {
    const double first = 0.1 * i;
    add(items, i % 2 == 0 ? "a" : "b", SetKind::own, {{first, first + i % 3, first - i % 5}});
  }
  const OrderFigures there = order_figures(items, 3);
  const std::vector<OrderItem> turned(items.rbegin(), items.rend());
  const OrderFigures back = order_figures(turned, 3);
  EXPECT_EQ(there.overall->p, back.overall->p);
  EXPECT_EQ(there.overall->means, back.overall->means);
  EXPECT_EQ(there.pairs[0].interval.low, back.pairs[0].interval.low);
  EXPECT_LT(there.overall->p, 0.01);
}

TEST(OrderFigures, NeedTwoOrdersOfEveryItem) {
  EXPECT_FALSE(order_figures({}, 1).overall);
  std::vector<OrderItem> items;
  add(items, "other", SetKind::general, {{0, 1}});
  EXPECT_FALSE(order_figures(items, 1).overall);
  add(items, "other", SetKind::general, {{0, 1, 1}});
  EXPECT_THROW(order_figures(items, 1), Error);
  items = {{"a", SetKind::own, "1", {0}}};
  EXPECT_THROW(order_figures(items, 1), Error);
  items = {{"a", SetKind::own, "1", {0, 1}}, {"a", SetKind::own, "1", {0, 1}}};
  EXPECT_THROW(order_figures(items, 1), Error);
}

}  // namespace
}  // namespace tapir::evaluate
