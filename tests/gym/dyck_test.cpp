#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gym/families/families.h"

namespace tapir::gym {
namespace {

const Family& dyck = dyck_family();
constexpr std::string_view kPrompt = "Close t{ c< q(";
constexpr std::string_view kPairs = "Close h{ g{ c( j[ r{ r} q{";

TEST(Dyck, ClosesWhatIsOpenFromTheInside) {
  EXPECT_EQ(dyck.teacher(kPrompt, Style::terse), "# q) c> t}");
  EXPECT_EQ(dyck.teacher(kPairs, Style::terse), "# q} j] c) g} h}");
  EXPECT_EQ(dyck.teacher(kPairs, Style::steps), dyck.teacher(kPairs, Style::answer));
  EXPECT_EQ(dyck.level(kPrompt), 1);
  EXPECT_EQ(dyck.level(kPairs), 2);
}

TEST(Dyck, CreditIsTheCorrectPrefix) {
  EXPECT_DOUBLE_EQ(dyck.judge(kPrompt, "# q) c> t}").score(), 10);
  EXPECT_DOUBLE_EQ(dyck.judge(kPrompt, "q)c>t}").score(), 10);
  EXPECT_DOUBLE_EQ(dyck.judge(kPrompt, "# q) c> t]").correct, 0.2 * 2 / 3);
  EXPECT_DOUBLE_EQ(dyck.judge(kPrompt, "# q) c>").correct, 0.2 * 2 / 3);
  EXPECT_DOUBLE_EQ(dyck.judge(kPrompt, "# t} c> q)").correct, 0);
  EXPECT_DOUBLE_EQ(dyck.judge(kPrompt, "# q) c> t} t}").correct, 0.2 * 3 / 4);
  EXPECT_EQ(dyck.judge(kPrompt, "# q) c> t]").words,
            "The first 2 of 3 closing brackets are right.");
}

TEST(Dyck, WhatIsNotClosingBracketsHasNoForm) {
  for (const std::string_view answer : {"", "#", "q", "# q(", "# q) c", "hello", "# q) ; c>"}) {
    EXPECT_EQ(dyck.judge(kPrompt, answer).format, 0) << answer;
  }
}

TEST(Dyck, AcceptsItsOwnPromptsOnly) {
  for (const std::string_view text :
       {"Close", "Close t{ c<", "Close t{ c< q( ", "Close t{ c< t(", "Close t} c< q(",
        "Close t{ c< c> q(", "close t{ c< q(", "Close  t{ c< q(", "Close t{ c< 1("}) {
    EXPECT_EQ(dyck.accepts(text), text == "Close t{ c< q( ") << text;  // white space at the end
  }
}

}  // namespace
}  // namespace tapir::gym
