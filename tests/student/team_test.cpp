#include "student/team.h"

#include <vector>

#include <gtest/gtest.h>

namespace tapir::student {
namespace {

TEST(Team, SharesCoverEverythingOnceInSteps) {
  for (const int size : {1, 2, 3, 7}) {
    Team team(size);
    for (const std::int64_t count : {0, 1, 31, 32, 33, 100, 704}) {
      for (const std::int64_t step : {1, 32}) {
        std::int64_t at = 0;
        for (int member = 0; member < size; ++member) {
          const auto share = team.share(member, count, step);
          EXPECT_EQ(share.first, at);
          EXPECT_GE(share.last, share.first);
          EXPECT_TRUE(share.last == count || share.last % step == 0);
          at = share.last;
        }
        EXPECT_EQ(at, count);
      }
    }
  }
}

// Each round every member reads what its neighbour wrote in the round before.
TEST(Team, MeetingsOrderWhatMembersWrite) {
  for (const int size : {1, 2, 4}) {
    Team team(size);
    for (int run = 0; run < 3; ++run) {
      std::vector<int> now(static_cast<std::size_t>(size), 0);
      std::vector<int> next = now;
      team.run([&](int member) {
        const auto mine = static_cast<std::size_t>(member);
        const auto neighbour = static_cast<std::size_t>((member + 1) % size);
        for (int round = 0; round < 20; ++round) {
          next[mine] = now[neighbour] + 1;
          team.sync();
          now[mine] = next[mine];
          team.sync();
        }
      });
      EXPECT_EQ(now, std::vector<int>(static_cast<std::size_t>(size), 20));
    }
  }
}

TEST(Team, ThoseWhoAreNotActiveTakeNoPart) {
  Team team(4);
  for (const int active : {2, 4, 1, 3, 3, 1, 4}) {
    team.set_active(active);
    EXPECT_EQ(team.share(active - 1, 10).last, 10);
    std::vector<int> runs(4, 0);
    team.run([&](int member) {
      team.sync();
      ++runs[static_cast<std::size_t>(member)];
    });
    for (int member = 0; member < 4; ++member) {
      EXPECT_EQ(runs[static_cast<std::size_t>(member)], member < active ? 1 : 0);
    }
  }
}

}  // namespace
}  // namespace tapir::student
