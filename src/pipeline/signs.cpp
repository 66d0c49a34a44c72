#include "pipeline/signs.h"

#include <algorithm>
#include <cstdlib>

#include "pipeline/cleaning.h"
#include "pipeline/gym_binding.h"

namespace tapir::pipeline {

Json output_figures(const evaluate::OutputCheck& check) {
  const evaluate::Outputs& own = check.own;
  Json figures = {{"who", check.who},
                  {"asked", check.asked},
                  {"answers", own.answers},
                  {"blank", own.blank},
                  {"distinct", own.distinct},
                  {"duplicate_share", own.duplicate_share()},
                  {"commonest_share", own.commonest_share()},
                  {"commonest_text", own.commonest_text},
                  {"median_length", own.median_length},
                  {"reference", nullptr}};
  if (check.reference) {
    figures["reference"] = {{"duplicate_share", check.reference->duplicate_share()},
                            {"commonest_share", check.reference->commonest_share()},
                            {"median_length", check.reference->median_length}};
  }
  return figures;
}

std::optional<std::int64_t> count_near_copies(const Recipe& recipe,
                                              std::span<const Instruction> rows) {
  const auto index = evaluation_index(recipe);
  const bool gym = recipe.data.gym_rows > 0;
  if (index == nullptr && !gym) return std::nullopt;
  return std::count_if(rows.begin(), rows.end(), [&](const Instruction& row) {
    return (gym && gym_reject(row) == "held_out") ||
           (index != nullptr && index->find(row.messages).has_value());
  });
}

std::string round_before(const std::string& student) {
  constexpr std::string_view kRound = "/round-";
  const std::size_t slash = student.rfind(kRound);
  if (slash == std::string::npos) return {};
  const int round = std::atoi(student.c_str() + slash + kRound.size());
  if (round < 2) return {};
  return student.substr(0, slash) + std::string(kRound) + std::to_string(round - 1);
}

}  // namespace tapir::pipeline
