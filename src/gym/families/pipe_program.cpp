#include "gym/families/pipe_program.h"

#include <algorithm>
#include <numeric>

#include "base/random.h"
#include "gym/families/scan.h"

namespace tapir::gym {
namespace {

constexpr std::size_t kMaxOperations = 16;  // 9^16 x 60 x 12 fits 64 bits
enum Kind {
  kPlus,
  kMinus,
  kTimes,
  kAbove,
  kBelow,
  kTake,
  kSkip,
  kOdd,
  kEven,
  kReverse,
  kSort,
  kSum,
  kMax,
  kMin,
  kCount
};

template <typename Predicate>
void keep_if(Numbers& numbers, Predicate predicate) {
  numbers.erase(
      std::remove_if(numbers.begin(), numbers.end(), [&](auto x) { return !predicate(x); }),
      numbers.end());
}

Numbers extreme(const Numbers& numbers, bool largest) {
  if (numbers.empty()) return {};
  const auto [low, high] = std::minmax_element(numbers.begin(), numbers.end());
  return {largest ? *high : *low};
}

Numbers run_operation(const Operation& operation, Numbers numbers) {
  const std::int64_t k = operation.parameter;
  const std::size_t count = std::min(numbers.size(), static_cast<std::size_t>(k));
  switch (operation.kind) {
    case kPlus:
      for (auto& x : numbers) x += k;
      break;
    case kMinus:
      for (auto& x : numbers) x -= k;
      break;
    case kTimes:
      for (auto& x : numbers) x *= k;
      break;
    case kAbove:
      keep_if(numbers, [&](auto x) { return x > k; });
      break;
    case kBelow:
      keep_if(numbers, [&](auto x) { return x < k; });
      break;
    case kTake:
      numbers.resize(count);
      break;
    case kSkip:
      numbers.erase(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(count));
      break;
    case kOdd:
      keep_if(numbers, [](auto x) { return x % 2 == 0; });
      break;
    case kEven:
      keep_if(numbers, [](auto x) { return x % 2 != 0; });
      break;
    case kReverse:
      std::reverse(numbers.begin(), numbers.end());
      break;
    case kSort:
      std::sort(numbers.begin(), numbers.end());
      break;
    case kSum:
      return {std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0})};
    case kMax:
      return extreme(numbers, /*largest=*/true);
    case kMin:
      return extreme(numbers, /*largest=*/false);
    case kCount:
      return {static_cast<std::int64_t>(numbers.size())};
    default:
      break;
  }
  return numbers;
}

}  // namespace

const std::vector<OperationKind>& operation_kinds() {
  static const std::vector<OperationKind> kinds = {
      {"map+", 1, 9, false, {"add {} to each", "raise each by {}"}},
      {"map-", 1, 9, false, {"subtract {} from each", "lower each by {}"}},
      {"map*", 2, 9, false, {"multiply each by {}", "scale each by {}"}},
      {"keep>", 1, 9, false, {"keep those above {}", "keep those over {}"}},
      {"keep<", 1, 9, false, {"keep those below {}", "keep those under {}"}},
      {"take", 1, 9, false, {"take the first {}", "keep the first {}"}},
      {"skip", 1, 9, false, {"skip the first {}", "drop the first {}"}},
      {"odd-", 0, 0, false, {"drop the odd ones", "remove odd numbers"}},
      {"even-", 0, 0, false, {"drop the even ones", "remove even numbers"}},
      {"rev", 0, 0, false, {"reverse", "turn around"}},
      {"sort", 0, 0, false, {"sort", "put in order"}},
      {"sum", 0, 0, true, {"add up", "sum all"}},
      {"max", 0, 0, true, {"take the largest", "find the largest"}},
      {"min", 0, 0, true, {"take the smallest", "find the smallest"}},
      {"len", 0, 0, true, {"count", "count all"}},
  };
  return kinds;
}

const std::vector<Operation>& all_operations() {
  static const std::vector<Operation> operations = [] {
    std::vector<Operation> out;
    const auto& kinds = operation_kinds();
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      for (int k = kinds[kind].low; k <= kinds[kind].high; ++k)
        out.push_back({static_cast<int>(kind), k});
    }
    return out;
  }();
  return operations;
}

std::string to_string(const PipeProgram& program) {
  std::string out;
  for (const Operation& operation : program) {
    const OperationKind& kind = operation_kinds()[static_cast<std::size_t>(operation.kind)];
    if (!out.empty()) out += '|';
    out += kind.code;
    if (kind.high > 0) out += static_cast<char>('0' + operation.parameter);
  }
  return out;
}

std::optional<PipeProgram> read_program(std::string_view text) {
  std::string compact;
  for (const char c : text) {
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') compact += c;
  }
  Scan scan(compact);
  PipeProgram program;
  const auto& kinds = operation_kinds();
  do {
    if (program.size() >= kMaxOperations) return std::nullopt;
    Operation operation;
    bool known = false;
    for (std::size_t kind = 0; kind < kinds.size() && !known; ++kind) {
      known = scan.literal(kinds[kind].code);
      operation.kind = static_cast<int>(kind);
    }
    if (!known) return std::nullopt;
    const OperationKind& kind = kinds[static_cast<std::size_t>(operation.kind)];
    if (kind.high > 0) {
      const auto k = scan.digit();
      if (!k || *k < kind.low || *k > kind.high) return std::nullopt;
      operation.parameter = *k;
    }
    program.push_back(operation);
  } while (scan.literal("|"));
  if (!scan.done()) return std::nullopt;
  return program;
}

Numbers run_program(const PipeProgram& program, Numbers numbers) {
  for (const Operation& operation : program) numbers = run_operation(operation, std::move(numbers));
  return numbers;
}

std::vector<PipeProgram> one_operation_mutants(const PipeProgram& program) {
  std::vector<PipeProgram> mutants;
  for (std::size_t i = 0; i < program.size(); ++i) {
    for (const Operation& other : all_operations()) {
      if (other == program[i]) continue;
      mutants.push_back(program);
      mutants.back()[i] = other;
    }
    if (program.size() > 1) {
      mutants.push_back(program);
      mutants.back().erase(mutants.back().begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (i + 1 < program.size()) {
      mutants.push_back(program);
      std::swap(mutants.back()[i], mutants.back()[i + 1]);
    }
  }
  return mutants;
}

const std::vector<Numbers>& candidate_inputs() {
  // Long and short lists, small and large numbers, so that filters and bounds have something to
  // bite on.
  static const std::vector<Numbers> inputs = [] {
    RandomStream stream(1, "gym/synth", "inputs");
    std::vector<Numbers> out = {{}};
    for (int i = 0; i < 239; ++i) {
      const int spread = i % 3 == 0 ? 10 : i % 3 == 1 ? 30 : 120;
      Numbers numbers(stream.below(i % 2 == 0 ? 13 : 25));
      for (auto& x : numbers) x = stream.between(i % 4 == 0 ? 0 : -spread, spread);
      out.push_back(std::move(numbers));
    }
    return out;
  }();
  return inputs;
}

std::vector<Numbers> killing_inputs(const PipeProgram& program) {
  const auto& candidates = candidate_inputs();
  std::vector<Numbers> expected;
  for (const Numbers& input : candidates) expected.push_back(run_program(program, input));
  std::vector<std::size_t> chosen;
  for (const PipeProgram& mutant : one_operation_mutants(program)) {
    const auto differs = [&](std::size_t i) {
      return run_program(mutant, candidates[i]) != expected[i];
    };
    if (std::any_of(chosen.begin(), chosen.end(), differs)) continue;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (!differs(i)) continue;
      chosen.push_back(i);
      break;
    }
  }
  std::vector<Numbers> inputs;
  for (const std::size_t i : chosen) inputs.push_back(candidates[i]);
  return inputs;
}

}  // namespace tapir::gym
