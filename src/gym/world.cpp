#include "gym/world.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "gym/families/kb_world.h"

namespace tapir::gym {
namespace {

constexpr int kMaxDraws =
    20000;  // for one item: a part that a cell cannot supply is a bug of the family

// The pool's long tail. The head are the families that ask for wording, as in real instruction
// data; sums and traces are rare there.
struct FamilyShare {
  std::string_view family;
  double share;
};
constexpr std::array<FamilyShare, 16> kFamilyShares = {{
    {"paraphrase", 0.24},
    {"grammar", 0.18},
    {"translate", 0.13},
    {"persona", 0.10},
    {"layered", 0.08},
    {"boolean", 0.065},
    {"dyck", 0.05},
    {"kb", 0.04},
    {"trace", 0.03},
    {"debug_token", 0.024},
    {"synth", 0.018},
    {"shuffle", 0.014},
    {"counterfactual", 0.011},
    {"modsum", 0.008},
    {"base_add", 0.005},
    {"add", 0.005},
}};
constexpr std::array<double, kLevels> kLevelShares = {0.45, 0.28, 0.15, 0.08, 0.04};

std::string cell_name(std::string_view what, const Family& family, int level) {
  return "gym/" + std::string(what) + "/" + std::string(family.name()) + "/" +
         std::to_string(level);
}

bool may_enter(const Family& family, std::string_view prompt, Part part) {
  return part == Part::train ? may_teach(family, prompt) : part_of(family, prompt) == part;
}

std::string draw_prompt(const Family& family, int level, Part part, RandomStream& stream) {
  for (int draw = 0; draw < kMaxDraws; ++draw) {
    std::string prompt = family.make(level, stream);
    if (may_enter(family, prompt, part)) return prompt;
  }
  throw Error(ErrorKind::bug, "family " + std::string(family.name()) + ", level " +
                                  std::to_string(level) + ": no prompt of the part " +
                                  std::string(to_string(part)));
}

Item as_item(const Family& family, int level, std::string prompt) {
  Item item{"", &family, level, std::move(prompt)};
  item.id = std::string(family.name()) + "-" + std::to_string(level) + "-" +
            short_id({"gym", item.prompt});
  return item;
}

// Up to `count` items of one cell with canonical prompts that are not in `seen`. A cell that has
// fewer gives fewer.
std::vector<Item> distinct_items(const Family& family, int level, Part part, std::size_t count,
                                 RandomStream stream, std::unordered_set<std::string>& seen) {
  std::vector<Item> items;
  std::size_t misses = 0;
  const std::size_t patience = 300 + 2 * count;  // misses in a row: then the cell counts as used up
  while (items.size() < count && misses < patience) {
    std::string prompt = draw_prompt(family, level, part, stream);
    if (seen.insert(family.canonical(prompt)).second) {
      items.push_back(as_item(family, level, std::move(prompt)));
      misses = 0;
    } else {
      ++misses;
    }
  }
  return items;
}

struct WeightedFamily {
  const Family* family;
  double share;
};

// The families that are there, largest share first, shares scaled to sum to 1.
std::vector<WeightedFamily> family_shares() {
  std::vector<WeightedFamily> out;
  double sum = 0;
  for (const FamilyShare& row : kFamilyShares) {
    if (const Family* family = find_family(row.family)) {
      out.push_back({family, row.share});
      sum += row.share;
    }
  }
  check(!out.empty() && out.size() == families().size(), "every family has a share of the pool");
  for (WeightedFamily& row : out) row.share /= sum;
  return out;
}

// Whole numbers in proportion to the weights, with the given sum; the largest remainders first,
// ties in order.
std::vector<std::size_t> apportion(std::size_t sum, const std::vector<double>& weights) {
  std::vector<std::size_t> out;
  std::vector<std::pair<double, std::size_t>> remainders;
  std::size_t given = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double exact = static_cast<double>(sum) * weights[i];
    out.push_back(static_cast<std::size_t>(std::floor(exact + 1e-9)));
    remainders.emplace_back(static_cast<double>(out.back()) - exact, i);
    given += out.back();
  }
  std::sort(remainders.begin(), remainders.end());
  for (std::size_t i = 0; given < sum; i = (i + 1) % remainders.size(), ++given)
    ++out[remainders[i].second];
  return out;
}

// Rows distributed as the pool is. What a small cell lacks is made up at the family's next level,
// and what a family lacks by the largest family that has room.
std::vector<Item> pool_like(std::size_t rows, Part part, std::uint64_t seed,
                            std::string_view what) {
  const std::vector<WeightedFamily> shares = family_shares();
  std::vector<double> weights;
  for (const WeightedFamily& row : shares) weights.push_back(row.share);
  const std::vector<std::size_t> by_family = apportion(rows, weights);
  const std::vector<double> levels(kLevelShares.begin(), kLevelShares.end());

  std::vector<Item> items;
  std::unordered_set<std::string> seen;
  const auto take = [&](const Family& family, int level, std::size_t count, std::string_view pass) {
    RandomStream stream(seed, cell_name(what, family, level), pass);
    std::vector<Item> more = distinct_items(family, level, part, count, stream, seen);
    std::move(more.begin(), more.end(), std::back_inserter(items));
    return count - more.size();
  };
  std::size_t lacking = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const std::vector<std::size_t> by_level = apportion(by_family[i], levels);
    std::size_t carried = 0;
    for (int level = 1; level <= kLevels; ++level) {
      carried = take(*shares[i].family, level,
                     by_level[static_cast<std::size_t>(level - 1)] + carried, "");
    }
    lacking += carried;
  }
  for (std::size_t i = 0; i < shares.size() && lacking > 0; ++i) {
    for (int level = 1; level <= kLevels && lacking > 0; ++level) {
      lacking = take(*shares[i].family, level, lacking, "more");
    }
  }
  RandomStream order(seed, "gym/" + std::string(what), "order");
  order.shuffle(items);
  return items;
}

}  // namespace

Part part_of(const Family& family, std::string_view prompt) {
  // The number was chosen so that the smallest cells (add and synth, level 1) have items in every
  // part.
  const auto digest = sha256("tapir gym split 239|" + family.canonical(prompt));
  const int percent = (digest[0] * 256 + digest[1]) % 100;
  return percent < 80 ? Part::train : percent < 90 ? Part::dev : Part::test;
}

// Nobody can derive a fact that he was never told.
bool may_teach(const Family& family, std::string_view prompt) {
  return part_of(family, prompt) == Part::train || kb_is_open_fact(prompt);
}

std::string_view to_string(Part part) {
  switch (part) {
    case Part::train:
      return "train";
    case Part::dev:
      return "dev";
    case Part::test:
      return "test";
  }
  return "";
}

std::string_view to_string(Distribution distribution) {
  switch (distribution) {
    case Distribution::uniform:
      return "uniform";
    case Distribution::pool:
      return "pool";
    case Distribution::beyond:
      return "beyond";
  }
  return "";
}

Item make_item(const Family& family, int level, Part part, std::uint64_t seed,
               std::uint64_t index) {
  check(level >= 1 && level <= kLevelsBeyond, "a level of the gym is 1..7");
  RandomStream stream(seed, cell_name(to_string(part), family, level), std::to_string(index));
  return as_item(family, level, draw_prompt(family, level, part, stream));
}

std::vector<Item> pool(const PoolOptions& options) {
  check(options.rows >= 0, "a pool has no negative number of rows");
  return pool_like(static_cast<std::size_t>(options.rows), Part::train, options.seed, "pool");
}

std::vector<Item> exam(const ExamOptions& options) {
  check(options.rows >= 0, "an exam has no negative number of rows");
  const auto rows = static_cast<std::size_t>(options.rows);
  const std::string what = "exam/" + std::string(to_string(options.part));
  if (options.distribution == Distribution::pool) {
    return pool_like(rows, options.part, options.seed, what + "/pool");
  }
  const bool beyond = options.distribution == Distribution::beyond;
  const int first = beyond ? kLevels + 1 : 1;
  const int last = beyond ? kLevelsBeyond : kLevels;
  const std::size_t cells = families().size() * static_cast<std::size_t>(last - first + 1);
  const std::vector<std::size_t> counts =
      apportion(rows, std::vector<double>(cells, 1.0 / static_cast<double>(cells)));

  std::vector<Item> items;
  std::unordered_set<std::string> seen;
  std::size_t cell = 0;
  for (const Family* family : families()) {
    for (int level = first; level <= last; ++level) {
      RandomStream stream(options.seed, cell_name(what, *family, level));
      std::vector<Item> more =
          distinct_items(*family, level, options.part, counts[cell++], stream, seen);
      std::move(more.begin(), more.end(), std::back_inserter(items));
    }
  }
  return items;
}

std::vector<CorpusRow> base_corpus(const CorpusOptions& options) {
  check(options.rows >= 0 && options.worked_share >= 0 && options.worked_share <= 1,
        "base_corpus: rows >= 0 and worked_share in [0, 1]");
  const std::vector<WeightedFamily> shares = family_shares();
  std::vector<const Family*> step_families;
  for (const Family* family : families()) {
    if (family->has_steps()) step_families.push_back(family);
  }
  RandomStream stream(options.seed, "gym/corpus");
  const auto pick_family = [&]() -> const Family& {
    double left = stream.uniform();
    for (const WeightedFamily& row : shares) {
      left -= row.share;
      if (left < 0) return *row.family;
    }
    return *shares.back().family;
  };
  const auto pick_level = [&] {
    double left = stream.uniform();
    for (int level = 1; level < kLevels; ++level) {
      left -= kLevelShares[static_cast<std::size_t>(level - 1)];
      if (left < 0) return level;
    }
    return kLevels;
  };
  std::vector<CorpusRow> rows;
  rows.reserve(static_cast<std::size_t>(options.rows));
  for (int i = 0; i < options.rows; ++i) {
    const bool worked = stream.chance(options.worked_share);
    const Family& family = worked ? *stream.choose(step_families) : pick_family();
    const int level = worked ? stream.between(1, kLevels) : pick_level();
    std::string prompt = draw_prompt(family, level, Part::train, stream);
    std::string answer = family.teacher(prompt, worked ? Style::steps : Style::terse);
    rows.push_back({worked ? "w " + prompt : std::move(prompt), std::move(answer)});
  }
  return rows;
}

Instruction to_instruction(const Item& item) {
  Instruction instruction;
  instruction.id = item.id;
  instruction.messages = {{Role::user, item.prompt}};
  instruction.source = "gym";
  return instruction;
}

}  // namespace tapir::gym
