// Computer Science: the sum of two n-digit numbers in base 5 to 8. "base6:b3a4+B2A5" is 34 + 25.
#include "gym/families/columns.h"
#include "gym/families/families.h"
#include "gym/families/scan.h"

namespace tapir::gym {
namespace {

class BaseAddFamily final : public TypedFamily<Columns> {
 public:
  std::string_view name() const override { return "base_add"; }
  std::string_view task() const override { return "Computer Science"; }
  bool has_steps() const override { return true; }
  std::vector<std::string> level_table() const override {
    std::vector<std::string> rows;
    for (int level = 1; level <= kLevelsBeyond; ++level) {
      rows.push_back(std::to_string(level) + (level == 1 ? " digit" : " digits") + ", base 5-8");
    }
    return rows;
  }

 protected:
  Columns draw(int level, RandomStream& stream) const override {
    const int base = stream.between(5, 8);
    return draw_columns(base, level, stream);
  }
  std::string render(const Columns& problem) const override {
    return "base" + std::to_string(problem.base) + ":" + render_columns(problem);
  }
  std::optional<Columns> read(std::string_view prompt) const override {
    Scan scan(prompt);
    if (!scan.literal("base")) return std::nullopt;
    const auto base = scan.one_of("5678");
    if (!base || !scan.literal(":")) return std::nullopt;
    return read_columns(*base - '0', scan.rest());
  }
  int level_of(const Columns& problem) const override { return static_cast<int>(problem.x.size()); }
  std::string canonical_of(const Columns& problem) const override {
    return std::to_string(problem.base) + ":" + canonical_columns(problem);
  }
  std::string solve(const Columns& problem, Style style) const override {
    return solve_chain(chain_of(problem), style);
  }
  Verdict grade(const Columns& problem, std::string_view response) const override {
    return grade_chain(chain_of(problem), response);
  }
  std::vector<Variant> vary(const Columns& problem, RandomStream& stream) const override {
    return vary_chain(chain_of(problem), stream);
  }
};

}  // namespace

const Family& base_add_family() {
  static const BaseAddFamily family;
  return family;
}

}  // namespace tapir::gym
