// Math: the sum of two n-digit numbers. "add:c3b4a7+C2B5A8" is 347 + 258.
#include "gym/families/columns.h"
#include "gym/families/families.h"

namespace tapir::gym {
namespace {

constexpr std::string_view kPrefix = "add:";

class AddFamily final : public TypedFamily<Columns> {
 public:
  std::string_view name() const override { return "add"; }
  std::string_view task() const override { return "Math"; }
  bool has_steps() const override { return true; }
  std::vector<std::string> level_table() const override {
    std::vector<std::string> rows;
    for (int level = 1; level <= kLevelsBeyond; ++level) {
      rows.push_back(std::to_string(level) + (level == 1 ? " digit" : " digits"));
    }
    return rows;
  }

 protected:
  Columns draw(int level, RandomStream& stream) const override {
    return draw_columns(/*base=*/10, level, stream);
  }
  std::string render(const Columns& problem) const override {
    return std::string(kPrefix) + render_columns(problem);
  }
  std::optional<Columns> read(std::string_view prompt) const override {
    if (!prompt.starts_with(kPrefix)) return std::nullopt;
    return read_columns(/*base=*/10, prompt.substr(kPrefix.size()));
  }
  int level_of(const Columns& problem) const override { return static_cast<int>(problem.x.size()); }
  std::string canonical_of(const Columns& problem) const override {
    return canonical_columns(problem);
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

const Family& add_family() {
  static const AddFamily family;
  return family;
}

}  // namespace tapir::gym
