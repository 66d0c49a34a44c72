#include <algorithm>
#include <array>
#include <functional>
#include <queue>
#include <set>
#include <utility>

#include "base/error.h"
#include "curriculum/curriculum.h"
#include "curriculum/spread.h"

namespace tapir::curriculum {
namespace {

constexpr std::array<Stratum, 2> kStrata = {Stratum::hard, Stratum::easy};

// The rows of one task and stratum in the order in which they are drawn: least used first, then as
// shuffled.
struct Pile {
  std::vector<Candidate> rows;
  std::size_t drawn = 0;
  std::size_t fresh = 0;  // the first `fresh` rows were not used in the rounds before

  std::int64_t fresh_left() const {
    return static_cast<std::int64_t>(fresh - std::min(drawn, fresh));
  }
};

struct TaskPiles {
  std::array<Pile, 2> by_stratum;  // index: Stratum
  Pile& of(Stratum stratum) { return by_stratum[static_cast<std::size_t>(stratum)]; }
  bool empty() const { return by_stratum[0].rows.empty() && by_stratum[1].rows.empty(); }
  std::int64_t fresh_left() const {
    return by_stratum[0].fresh_left() + by_stratum[1].fresh_left();
  }
};
using Piles = std::map<std::string, TaskPiles>;

void add_candidates(Piles& piles, std::vector<Candidate> candidates, Stratum stratum,
                    std::set<std::string>& seen) {
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.instruction_id < b.instruction_id;
  });
  for (Candidate& candidate : candidates) {
    check(seen.insert(candidate.instruction_id).second, "mix: an instruction is a candidate twice");
    check(candidate.uses >= 0, "mix: negative uses");
    piles[candidate.task].of(stratum).rows.push_back(std::move(candidate));
  }
}

void put_in_drawing_order(Piles& piles, RandomStream& stream) {
  for (auto& [task, of_task] : piles) {
    for (const Stratum stratum : kStrata) {
      Pile& pile = of_task.of(stratum);
      stream.shuffle(pile.rows);
      std::stable_sort(pile.rows.begin(), pile.rows.end(),
                       [](const Candidate& a, const Candidate& b) { return a.uses < b.uses; });
      pile.fresh = static_cast<std::size_t>(std::count_if(
          pile.rows.begin(), pile.rows.end(), [](const Candidate& c) { return c.uses == 0; }));
    }
  }
}

class Mixer {
 public:
  Mixer(Piles piles, const Quotas& quotas) : piles_(std::move(piles)), quotas_(quotas.by_task) {}

  MixtureResult run(RandomStream& stream) {
    move_quotas_of_empty_tasks();
    for (const auto& [task, quota] : quotas_) fill(task, quota);
    stream.shuffle(result_.rows);
    return std::move(result_);
  }

 private:
  void relaxed(const std::string& task, std::int64_t rows, const std::string& words) {
    result_.relaxed.push_back("task " + task + ": " + std::to_string(rows) +
                              (rows == 1 ? " row " : " rows ") + words);
  }

  // A task without a single candidate cannot be met by repetition either: its rows go to the
  // others, those with unused rows first.
  void move_quotas_of_empty_tasks() {
    std::array<std::int64_t, 2> homeless = {0, 0};
    std::map<std::string, double> weights;
    std::map<std::string, std::int64_t> room;
    for (auto& [task, quota] : quotas_) {
      const std::int64_t total = quota.hard + quota.easy;
      if (piles_[task].empty()) {
        if (total > 0) relaxed(task, total, "given to other tasks: it has no row at all");
        homeless[0] += quota.hard;
        homeless[1] += quota.easy;
        quota = {};
      } else {
        weights[task] = static_cast<double>(total);
        room[task] = std::max<std::int64_t>(0, piles_[task].fresh_left() - total);
      }
    }
    if (homeless[0] + homeless[1] == 0) return;
    check_somebody_takes(weights);
    for (const Stratum stratum : kStrata) {
      std::int64_t& left = homeless[static_cast<std::size_t>(stratum)];
      give(spread(left, weights, room), stratum, room, left);
      give(apportion(left, weights), stratum, room, left);
    }
  }

  static void check_somebody_takes(std::map<std::string, double>& weights) {
    double total = 0;
    for (const auto& [task, weight] : weights) total += weight;
    if (weights.empty()) {
      throw Error(
          ErrorKind::data,
          "the round's mixture has rows to draw but no candidate of any task of the taxonomy",
          "check that the instructions were classified into the tasks that have a share");
    }
    if (total == 0) {
      for (auto& [task, weight] : weights) weight = 1;
    }
  }

  void give(const std::map<std::string, std::int64_t>& rows, Stratum stratum,
            std::map<std::string, std::int64_t>& room, std::int64_t& left) {
    for (const auto& [task, count] : rows) {
      (stratum == Stratum::hard ? quotas_[task].hard : quotas_[task].easy) += count;
      room[task] = std::max<std::int64_t>(0, room[task] - count);
      left -= count;
    }
  }

  void fill(const std::string& task, const TaskQuota& quota) {
    if (quota.hard + quota.easy == 0) return;
    TaskPiles& piles = piles_[task];
    std::int64_t lack_hard =
        quota.hard - draw_fresh(piles.of(Stratum::hard), Stratum::hard, quota.hard);
    std::int64_t lack_easy =
        quota.easy - draw_fresh(piles.of(Stratum::easy), Stratum::easy, quota.easy);
    const std::int64_t stood_in_easy =
        draw_fresh(piles.of(Stratum::easy), Stratum::easy, lack_hard);
    const std::int64_t stood_in_hard =
        draw_fresh(piles.of(Stratum::hard), Stratum::hard, lack_easy);
    if (stood_in_easy > 0)
      relaxed(task, stood_in_easy, "of the hard quota taken from the easy rows");
    if (stood_in_hard > 0)
      relaxed(task, stood_in_hard, "of the easy quota taken from the hard rows");
    lack_hard -= stood_in_easy;
    lack_easy -= stood_in_hard;
    repeat(piles, Stratum::hard, lack_hard, task);
    repeat(piles, Stratum::easy, lack_easy, task);
  }

  // Up to `wanted` rows that no round has used yet; returns how many.
  std::int64_t draw_fresh(Pile& pile, Stratum stratum, std::int64_t wanted) {
    const std::int64_t rows = std::min(wanted, pile.fresh_left());
    for (std::int64_t i = 0; i < rows; ++i) draw(pile.rows[pile.drawn++], stratum);
    return rows;
  }

  // The last resort: rows used before, least used first, over and over; of the own stratum when it
  // has any.
  void repeat(TaskPiles& piles, Stratum stratum, std::int64_t rows, const std::string& task) {
    if (rows == 0) return;
    if (piles.of(stratum).rows.empty())
      stratum = stratum == Stratum::hard ? Stratum::easy : Stratum::hard;
    Pile& pile = piles.of(stratum);
    using Turn = std::pair<int, std::size_t>;  // uses, place in the drawing order
    std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns;
    for (std::size_t i = 0; i < pile.rows.size(); ++i) turns.emplace(pile.rows[i].uses, i);
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::size_t place = turns.top().second;
      turns.pop();
      draw(pile.rows[place], stratum);
      turns.emplace(pile.rows[place].uses, place);
    }
    result_.repeated[task] += rows;
    relaxed(task, rows, "repeated: it has too few unused rows");
  }

  void draw(Candidate& candidate, Stratum stratum) {
    MixtureRow row;
    row.instruction_id = candidate.instruction_id;
    row.stratum = stratum;
    row.task = candidate.task;
    row.repeat = candidate.uses++;
    result_.rows.push_back(std::move(row));
  }

  Piles piles_;
  std::map<std::string, TaskQuota> quotas_;
  MixtureResult result_;
};

}  // namespace

MixtureResult mix(const Quotas& quotas, std::vector<Candidate> hard, std::vector<Candidate> easy,
                  RandomStream& stream) {
  Piles piles;
  std::set<std::string> seen;
  add_candidates(piles, std::move(hard), Stratum::hard, seen);
  add_candidates(piles, std::move(easy), Stratum::easy, seen);
  put_in_drawing_order(piles, stream);
  return Mixer(std::move(piles), quotas).run(stream);
}

}  // namespace tapir::curriculum
