// Code Generation: an English wish becomes a pipe program. "list program:add 3 to each, drop the
// odd ones, sum all".
#include <algorithm>

#include "base/strings.h"
#include "gym/families/families.h"
#include "gym/families/pipe_program.h"
#include "gym/families/scan.h"

namespace tapir::gym {
namespace {

constexpr std::string_view kPrefix = "list program: ";
constexpr std::size_t kNoPhrase = static_cast<std::size_t>(-1);

struct Wish {
  PipeProgram program;
  std::vector<std::size_t> phrases;  // which synonym, by operation
};

std::string phrase_text(const Operation& operation, std::size_t phrase) {
  const OperationKind& kind = operation_kinds()[static_cast<std::size_t>(operation.kind)];
  return replace_all(std::string(kind.english[phrase]), "{}", std::to_string(operation.parameter));
}

// The operation a phrase stands for, with the synonym's index; kNoPhrase when it is none of ours.
std::pair<Operation, std::size_t> read_phrase(std::string_view text) {
  for (const Operation& operation : all_operations()) {
    const auto& english = operation_kinds()[static_cast<std::size_t>(operation.kind)].english;
    for (std::size_t i = 0; i < english.size(); ++i) {
      if (phrase_text(operation, i) == text) return {operation, i};
    }
  }
  return {{}, kNoPhrase};
}

bool same_everywhere(const PipeProgram& a, const PipeProgram& b) {
  return std::all_of(
      candidate_inputs().begin(), candidate_inputs().end(),
      [&](const Numbers& input) { return run_program(a, input) == run_program(b, input); });
}

class SynthFamily final : public TypedFamily<Wish> {
 public:
  std::string_view name() const override { return "synth"; }
  std::string_view task() const override { return "Code Generation"; }
  bool has_steps() const override { return false; }
  std::vector<std::string> level_table() const override {
    std::vector<std::string> rows;
    for (int level = 1; level <= kLevelsBeyond; ++level) {
      rows.push_back(std::to_string(level) + (level == 1 ? " operation" : " operations"));
    }
    return rows;
  }

 protected:
  Wish draw(int level, RandomStream& stream) const override {
    Wish wish;
    const auto& kinds = operation_kinds();
    while (wish.program.size() < static_cast<std::size_t>(level)) {
      const bool last = wish.program.size() + 1 == static_cast<std::size_t>(level);
      // By operation where one is all there is, else by kind: the kinds without a parameter are
      // few.
      Operation operation = stream.choose(all_operations());
      if (level > 1) {
        operation.kind = static_cast<int>(stream.below(kinds.size()));
        const OperationKind& kind = kinds[static_cast<std::size_t>(operation.kind)];
        operation.parameter = stream.between(kind.low, kind.high);
      }
      const OperationKind& kind = kinds[static_cast<std::size_t>(operation.kind)];
      if (kind.ends && !last) continue;
      wish.program.push_back(operation);
      wish.phrases.push_back(stream.below(kind.english.size()));
    }
    return wish;
  }
  std::string render(const Wish& problem) const override {
    std::string out(kPrefix);
    for (std::size_t i = 0; i < problem.program.size(); ++i) {
      if (i > 0) out += ", ";
      out += phrase_text(problem.program[i], problem.phrases[i]);
    }
    return out;
  }
  std::optional<Wish> read(std::string_view prompt) const override {
    if (!prompt.starts_with(kPrefix)) return std::nullopt;
    Wish wish;
    for (const std::string& part : split(prompt.substr(kPrefix.size()), ',')) {
      const bool first = wish.program.empty();
      if (wish.program.size() >= static_cast<std::size_t>(kLevelsBeyond)) return std::nullopt;
      if (!first && !part.starts_with(' ')) return std::nullopt;
      const auto [operation, phrase] = read_phrase(std::string_view(part).substr(first ? 0 : 1));
      if (phrase == kNoPhrase) return std::nullopt;
      wish.program.push_back(operation);
      wish.phrases.push_back(phrase);
    }
    return wish;
  }
  int level_of(const Wish& problem) const override {
    return static_cast<int>(problem.program.size());
  }
  std::string canonical_of(const Wish& problem) const override {
    return to_string(problem.program);
  }
  std::string solve(const Wish& problem, Style) const override {
    return to_string(problem.program);
  }

  Verdict grade(const Wish& problem, std::string_view response) const override {
    Verdict verdict;
    const auto program = read_program(response);
    if (!program) {
      verdict.words = "This is not a program that can be read.";
      return verdict;
    }
    verdict.format = 1;
    const std::string failing = first_failure(problem.program, *program);
    verdict.correct = failing.empty() ? 1 : 0;
    verdict.steps = verdict.correct;
    verdict.words = failing.empty() ? "The program passes every hidden input." : failing;
    return verdict;
  }

  std::vector<Variant> vary(const Wish& problem, RandomStream& stream) const override {
    std::vector<Variant> out;
    const std::vector<PipeProgram> mutants = one_operation_mutants(problem.program);
    for (int tries = 0; tries < 20; ++tries) {
      const PipeProgram& mutant = stream.choose(mutants);
      if (same_everywhere(mutant, problem.program)) continue;
      out.push_back({"operation_changed", 'C', to_string(mutant)});
      break;
    }
    const std::string text = to_string(problem.program);
    out.push_back({"operation_unknown", 'F', text + "|frob"});
    out.push_back({"pipe_broken", 'F', text + "|"});
    out.push_back({"words_only", 'F', "I do not know."});
    out.push_back({"blanks_added", 0, " " + replace_all(text, "|", " | ") + "\n"});
    PipeProgram longer = problem.program;  // turning around twice changes nothing
    const Operation reverse = read_phrase("reverse").first;
    longer.insert(longer.end(), {reverse, reverse});
    out.push_back({"reversed_twice", 0, to_string(longer)});
    return out;
  }

 private:
  // One sentence with the input that shows the difference; empty when there is none.
  static std::string first_failure(const PipeProgram& wanted, const PipeProgram& given) {
    if (wanted == given) return "";
    for (const Numbers& input : killing_inputs(wanted)) {
      if (run_program(given, input) == run_program(wanted, input)) continue;
      std::vector<std::string> numbers;
      for (const auto x : input) numbers.push_back(std::to_string(x));
      return "The program gives a wrong result for the list [" + join(numbers, " ") + "].";
    }
    return "";
  }
};

}  // namespace

const Family& synth_family() {
  static const SynthFamily family;
  return family;
}

}  // namespace tapir::gym
