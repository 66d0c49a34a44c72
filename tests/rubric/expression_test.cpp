#include "rubric/expression.h"

#include <cmath>

#include <gtest/gtest.h>

#include "base/random.h"

namespace tapir::rubric {
namespace {

TEST(Expression, HasTheValueThatArithmeticGives) {
  const std::vector<std::pair<std::string, double>> cases = {
      {"42", 42},
      {" 1,234.5 ", 1234.5},
      {"1,234,567", 1234567},
      {"-3", -3},
      {"+3", 3},
      {"2+3*4", 14},
      {"(2+3)*4", 20},
      {"2^3^2", 512},
      {"-2^2", -4},
      {"10 - 2 - 3", 5},
      {"3/4", 0.75},
      {"\\frac{3}{4}", 0.75},
      {"2\\frac{1}{2}", 1},
      {"\\sqrt{16} \\times 2", 8},
      {"6 \xC3\xB7 2 \xE2\x88\x92 1", 2},
      {"2**3", 8},
      {"(1+2)(3+4)", 21},
      {".5", 0.5},
      {"12/4/3", 1},
      {"2^-1", 0.5},
      {"\\left(1+1\\right)*3", 6},
      {"\\pi - \xCF\x80", 0},
  };
  for (const auto& [text, value] : cases) {
    const auto found = evaluate(text);
    ASSERT_TRUE(found) << text;
    EXPECT_NEAR(*found, value, 1e-12) << text;
  }
}

TEST(Expression, IsNothingWhereTheTextIsNone) {
  for (const std::string text :
       {"",       " ",        "x",   "2x",        "twelve", "1/0", "0/0",      "2 3",  "1,23",
        "1,2345", "3 apples", "(1",  "1)",        "1+",     "*2",  "1.2.3",    "1..2", ".",
        "--",     "nan",      "inf", "\\frac{1}", "\\sqrt", "1e5", "sqrt(-1)", "2=2"}) {
    EXPECT_FALSE(evaluate(text)) << text;
  }
  EXPECT_FALSE(evaluate(std::string(60, '(') + "1" + std::string(60, ')'))) << "too deep";
  EXPECT_FALSE(evaluate(std::string(60, '-') + "1")) << "too deep";
  EXPECT_FALSE(evaluate(std::string(600, '1')));
}

TEST(Expression, VariablesAreEqualWhereTheExpressionsAre) {
  for (int seed = 0; seed < 3; ++seed) {
    EXPECT_NEAR(*evaluate("2x + 3", seed), *evaluate("3+x*2", seed), 1e-12);
    EXPECT_NEAR(*evaluate("(a+b)^2", seed), *evaluate("a^2 + 2a b + b^2", seed), 1e-9);
    EXPECT_GT(std::abs(*evaluate("x^2", seed) - *evaluate("2x", seed)), 1e-6);
    EXPECT_NE(*evaluate("x", seed), *evaluate("y", seed));
  }
  EXPECT_NE(*evaluate("x", 0), *evaluate("x", 1));
  EXPECT_FALSE(evaluate("apples", 0)) << "a word is no product of letters";
}

TEST(Expression, TakesAnyText) {
  const std::vector<std::string> pieces = {"1",  "23", "4,567", ".",       "+",       "-", "*",
                                           "/",  "^",  "(",     ")",       "{",       "}", "x",
                                           "ab", "=",  " ",     "\\frac{", "\\sqrt{", "%", "\xC3"};
  int values = 0;
  for (int i = 0; i < 200000; ++i) {
    RandomStream stream(7, "expressions", std::to_string(i));
    std::string text;
    for (std::uint64_t n = 1 + stream.below(12); n > 0; --n) text += stream.choose(pieces);
    const auto value = evaluate(text, static_cast<int>(stream.below(2)));
    if (value) {
      ++values;
      ASSERT_TRUE(std::isfinite(*value)) << text;
    }
  }
  EXPECT_GT(values, 1000) << "the fuzz reaches expressions";
}

}  // namespace
}  // namespace tapir::rubric
