// The gym's data: the split, the pool D, the exam, the base's corpus. Everything is a pure function
// of its options.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gym/family.h"
#include "records/instruction.h"

namespace tapir::gym {

// By hash of the canonical prompt, the same for all seeds.
enum class Part { train, dev, test };
Part part_of(const Family& family, std::string_view prompt);
std::string_view to_string(Part part);
// May base, D and expansions hold this prompt? The train part, and kb's one-hop facts, whose part
// counts for exams only.
bool may_teach(const Family& family, std::string_view prompt);

struct Item {
  std::string id;  // "<family>-<level>-<hash>"
  const Family* family = nullptr;
  int level = 1;
  std::string prompt;
};

// A pure function of the arguments; drawn until it falls in the part. small families: see kb's
// one-hop facts.
Item make_item(const Family& family, int level, Part part, std::uint64_t seed, std::uint64_t index);

struct PoolOptions {
  int rows = 12000;
  std::uint64_t seed = 1;
};
// D: long-tailed over families (24 % down to 0.5 %) and levels (45/28/15/8/4 %), distinct canonical
// prompts, train part.
std::vector<Item> pool(const PoolOptions& options);

enum class Distribution { uniform, pool, beyond };  // beyond: levels 6 and 7
std::string_view to_string(Distribution distribution);
struct ExamOptions {
  Part part = Part::test;
  Distribution distribution = Distribution::uniform;
  int rows = 2000;  // as near as equal cells allow
  std::uint64_t seed = 0;
};
std::vector<Item> exam(const ExamOptions& options);

// One text of the base's corpus: prompt and answer, in order.
struct CorpusRow {
  std::string prompt;
  std::string answer;
};
struct CorpusOptions {
  int rows = 200000;
  double worked_share = 0.15;  // items of the step families with "w " before the prompt, all levels
                               // evenly, explicit steps
  std::uint64_t seed = 1;
};
std::vector<CorpusRow> base_corpus(const CorpusOptions& options);

// As records: instruction with the id, task empty (the classifier's work), source "gym".
Instruction to_instruction(const Item& item);

}  // namespace tapir::gym
