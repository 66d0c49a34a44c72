// The gym's taxonomy file and its families belong together.
#include "tasks/taxonomy.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "gym/family.h"

namespace tapir::gym {
namespace {

TEST(GymTaxonomy, SharesAreProportionalToTheFamiliesOfATask) {
  const tasks::Taxonomy taxonomy = tasks::load_taxonomy("gym");
  std::map<std::string, double> expected;
  for (const Family* family : families()) {
    expected[std::string(family->task())] += 1.0 / static_cast<double>(families().size());
  }
  const std::map<std::string, double> shares = taxonomy.shares();
  EXPECT_EQ(shares.size(), expected.size());
  for (const auto& [task, share] : expected) {
    ASSERT_TRUE(shares.contains(task)) << task;
    EXPECT_NEAR(shares.at(task), share, 1e-9) << task;
  }
}

}  // namespace
}  // namespace tapir::gym
