// Values of arithmetic expressions, as final answers write them.
#pragma once

#include <optional>
#include <string_view>

namespace tapir::rubric {

// + - * / ^ with the usual precedence, parentheses, numbers with a decimal point and thousands
// separators (1,234.5), signs such as the multiplication cross and the long minus, and of LaTeX
// \frac{}{}, \dfrac{}{}, \sqrt{}, \times, \cdot, \div, \left, \right, \pi, \!, \, and braces. A
// variable is one letter on its own; what stands side by side is multiplied (2x, 3(x+1)).
// seed: variables get values in (1, 2) that are a function of the letter and the seed, so that two
// expressions that mean the same have the same value; nothing: a variable is not allowed.
// Nothing for any other text, and where the value is not finite. Total: nesting is limited to 50,
// length to 500.
std::optional<double> evaluate(std::string_view text, std::optional<int> seed = {});

}  // namespace tapir::rubric
