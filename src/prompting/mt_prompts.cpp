#include "prompting/mt_prompts.h"

#include "base/error.h"

namespace tapir::prompting {
namespace {

std::string name_of(const char* general, const char* with_reference, const GradedTurns& turns) {
  const std::string name = turns.references.empty() ? general : with_reference;
  return turns.questions.size() > 1 ? name + "-multi-turn" : name;
}

// The text of a turn, empty where there is none: templates have slots for what they need only.
const std::string& turn(const std::vector<std::string>& turns, std::size_t number) {
  static const std::string none;
  return number < turns.size() ? turns[number] : none;
}

}  // namespace

MtPrompt MtPrompts::single(const GradedTurns& turns,
                           const std::vector<std::string>& answers) const {
  check(answers.size() == turns.questions.size(), "MtPrompts: as many answers as questions");
  const std::string name = name_of("single-v1", "single-math-v1", turns);
  if (own_) return {"tapir-" + name, own_->mt_single(turns, answers)};
  const auto& [questions, references] = turns;
  return {name, theirs_->render(name, {{"question", turn(questions, 0)},
                                       {"answer", turn(answers, 0)},
                                       {"question_1", turn(questions, 0)},
                                       {"question_2", turn(questions, 1)},
                                       {"answer_1", turn(answers, 0)},
                                       {"answer_2", turn(answers, 1)},
                                       {"ref_answer_1", turn(references, 0)},
                                       {"ref_answer_2", turn(references, 1)}})};
}

MtPrompt MtPrompts::pair(const GradedTurns& turns, const std::vector<std::string>& answers_a,
                         const std::vector<std::string>& answers_b) const {
  check(answers_a.size() == turns.questions.size() && answers_a.size() == answers_b.size(),
        "MtPrompts: as many answers as questions");
  const std::string name = name_of("pair-v2", "pair-math-v1", turns);
  if (own_) return {"tapir-" + name, own_->mt_pair(turns, answers_a, answers_b)};
  const auto& [questions, references] = turns;
  return {name, theirs_->render(name, {{"question", turn(questions, 0)},
                                       {"answer_a", turn(answers_a, 0)},
                                       {"answer_b", turn(answers_b, 0)},
                                       {"question_1", turn(questions, 0)},
                                       {"question_2", turn(questions, 1)},
                                       {"answer_a_1", turn(answers_a, 0)},
                                       {"answer_a_2", turn(answers_a, 1)},
                                       {"answer_b_1", turn(answers_b, 0)},
                                       {"answer_b_2", turn(answers_b, 1)},
                                       {"ref_answer_1", turn(references, 0)},
                                       {"ref_answer_2", turn(references, 1)}})};
}

}  // namespace tapir::prompting
