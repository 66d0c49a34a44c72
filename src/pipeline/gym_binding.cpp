#include "pipeline/gym_binding.h"

#include "base/error.h"
#include "gym/family.h"
#include "gym/world.h"

namespace tapir::pipeline {
namespace {

GymRow to_row(const gym::Item& item) {
  return {gym::to_instruction(item), item.family->teacher(item.prompt, gym::Style::terse)};
}

class GymGrader final : public evaluate::Grader {
 public:
  evaluate::Grade grade(const evaluate::ExamItem& item, const std::string& answer) const override {
    const std::string& prompt = item.messages.back().content;
    const gym::Family* family = gym::recognise(prompt);
    if (family == nullptr) return {};
    const gym::Verdict verdict = family->judge(prompt, answer);
    return {verdict.right(), verdict.score()};
  }
};

void add_exam(std::vector<evaluate::ExamItem>& out, const gym::ExamOptions& options) {
  if (options.rows == 0) return;
  for (const gym::Item& item : gym::exam(options)) {
    out.push_back({item.id, std::string(to_string(options.distribution)),
                   std::string(item.family->name()), item.level,
                   gym::to_instruction(item).messages});
  }
}

}  // namespace

std::vector<GymRow> gym_pool(const Recipe& recipe) {
  std::vector<GymRow> rows;
  for (const gym::Item& item :
       gym::pool({.rows = static_cast<int>(recipe.data.gym_rows), .seed = recipe.seed})) {
    rows.push_back(to_row(item));
  }
  return rows;
}

std::vector<GymRow> gym_held_out(std::int64_t rows, std::uint64_t seed) {
  std::vector<GymRow> out;
  const auto items = gym::exam({.part = gym::Part::dev,
                                .distribution = gym::Distribution::pool,
                                .rows = static_cast<int>(rows),
                                .seed = seed});
  for (const gym::Item& item : items) out.push_back(to_row(item));
  return out;
}

std::vector<evaluate::ExamItem> gym_exam(const Recipe& recipe, bool all_sets) {
  const gym::Part part = recipe.exam.part == "dev" ? gym::Part::dev : gym::Part::test;
  std::vector<evaluate::ExamItem> items;
  const auto add = [&](gym::Distribution distribution, std::int64_t rows) {
    add_exam(items, {.part = part,
                     .distribution = distribution,
                     .rows = static_cast<int>(rows),
                     .seed = recipe.seed});
  };
  add(gym::Distribution::uniform, recipe.exam.uniform);
  if (all_sets) add(gym::Distribution::pool, recipe.exam.pool);
  if (all_sets) add(gym::Distribution::beyond, recipe.exam.beyond);
  return items;
}

std::unique_ptr<evaluate::Grader> gym_grader() { return std::make_unique<GymGrader>(); }

std::string gym_canonical(const Instruction& instruction) {
  const gym::Family* family = gym::recognise(instruction.prompt());
  return family == nullptr ? instruction.prompt() : family->canonical(instruction.prompt());
}

std::string gym_reject(const Instruction& candidate) {
  const gym::Family* family = gym::recognise(candidate.prompt());
  if (family == nullptr) return "not_an_item";
  if (gym::part_of(*family, candidate.prompt()) != gym::Part::train) return "held_out";
  if (!candidate.task.empty() && candidate.task != family->task()) return "other_task";
  return "";
}

std::string gym_right_answer(const evaluate::ExamItem& item, bool in_steps) {
  const std::string& prompt = item.messages.back().content;
  const gym::Family* family = gym::recognise(prompt);
  check(family != nullptr, "an item of the exam is an item of the gym");
  return family->teacher(prompt, in_steps ? gym::Style::steps : gym::Style::terse);
}

GymRow gym_exam_record(const evaluate::ExamItem& item) {
  const gym::Family* family = gym::recognise(item.messages.back().content);
  check(family != nullptr, "an item of the exam is an item of the gym");
  Instruction instruction{.id = item.id,
                          .messages = item.messages,
                          .task = std::string(family->task()),
                          .source = "exam"};
  instruction.round = kOutsideD;
  return {instruction, gym_right_answer(item, /*in_steps=*/true)};
}

std::string gym_judge_words(const evaluate::ExamItem& item, const std::string& answer) {
  return gym::recognise(item.messages.back().content)
      ->judge(item.messages.back().content, answer)
      .words;
}

}  // namespace tapir::pipeline
