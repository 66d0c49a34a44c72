#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "evaluate/mt_bench_ask.h"
#include "llm/ask_rows.h"

namespace tapir::evaluate {
namespace {

constexpr const char* kStage = "mtbench judge";
// A repetition's attempts begin here, whatever max_attempts is: another number of attempts leaves
// the replies that are there valid.
constexpr int kAttemptsOfARepeat = 100;

std::vector<std::string> first_turns(const std::vector<std::string>& turns, int count) {
  return {turns.begin(), turns.begin() + count};
}

// What is shown of a question up to that turn.
prompting::GradedTurns shown(const MtQuestion& question, const MtReferences& references, int turn) {
  prompting::GradedTurns turns{first_turns(question.turns, turn), {}};
  const auto found = references.find(question.id);
  if (needs_mt_reference(question.category) && found != references.end())
    turns.references = first_turns(found->second, turn);
  return turns;
}

bool is_wrong(const MtQuestion& question, const MtReferences& references,
              const prompting::GradedTurns& turns) {
  return !turns.references.empty() &&
         is_wrong_mt_reference(question.id, references.at(question.id));
}

std::map<std::int64_t, const MtQuestion*> by_id(std::span<const MtQuestion> questions) {
  std::map<std::int64_t, const MtQuestion*> found;
  for (const MtQuestion& question : questions) found[question.id] = &question;
  return found;
}

class Questions : public llm::RowQuestions {
 public:
  Questions(std::span<const MtGradeTask> tasks, std::span<const std::size_t> rows, int repeat,
            const MtJudgeOptions& options, MtGraded& graded)
      : tasks_(tasks), rows_(rows), repeat_(repeat), options_(options), graded_(graded) {}

  std::size_t rows() const override { return rows_.size(); }
  int first_attempt(std::size_t /*row*/) const override { return repeat_ * kAttemptsOfARepeat; }

  llm::ChatRequest request(std::size_t row, int /*attempt*/) override {
    llm::ChatRequest request;
    request.row_id = std::to_string(rows_[row]);
    request.messages = tasks_[rows_[row]].prompt.messages;
    request.sampling = options_.sampling;
    return request;
  }

  bool read(std::size_t row, int /*attempt*/, const llm::ChatReply& reply) override {
    const std::size_t at = rows_[row];
    graded_.grades[at] = grade_of(tasks_[at], reply.text);
    return graded_.grades[at]->failure.empty();
  }

  void unanswered(std::size_t row, int /*attempt*/, const llm::ChatReply& reply) override {
    if (is_transient(reply.failure)) {
      graded_.grades[rows_[row]].reset();
      graded_.complete = false;
      return;
    }
    // What was cut may have its rating already.
    MtGrade grade = grade_of(tasks_[rows_[row]], reply.text);
    if (!grade.failure.empty()) grade.failure = to_string(reply.failure);
    graded_.grades[rows_[row]] = std::move(grade);
  }

 private:
  static MtGrade grade_of(const MtGradeTask& task, const std::string& text) {
    MtGrade grade;
    grade.text = text;
    if (task.model_b.empty()) {
      grade.rating = prompting::read_mtbench_rating(text).score;
      if (!grade.rating) grade.failure = "unreadable";
    } else {
      const prompting::ReadChoice choice = prompting::read_choice(text);
      grade.choice = choice.choice;
      grade.failure = choice.failure;
    }
    return grade;
  }

  std::span<const MtGradeTask> tasks_;
  std::span<const std::size_t> rows_;  // of the tasks, those of this repetition
  int repeat_;
  const MtJudgeOptions& options_;
  MtGraded& graded_;
};

// The judge's words as FastChat's files have them.
std::string words_of(const MtGrade& grade) { return grade.text.empty() ? "$ERROR$" : grade.text; }

// Of a task that shows model_1 as A (first) or as B.
MtWinner winner_of(const MtGrade& grade, bool first) {
  if (!grade.choice) return MtWinner::error;
  if (*grade.choice == prompting::Choice::tie) return MtWinner::tie;
  const bool a_won = *grade.choice == prompting::Choice::a;
  return a_won == first ? MtWinner::model_1 : MtWinner::model_2;
}

std::string user_prompt(const MtGradeTask& task) { return task.prompt.messages.back().content; }

// On every row: a model's judgments belong together, whether their question needs a reference or
// not.
void add_references(const MtGradeTask& task, const MtJudgmentStamp& stamp, OrderedJson& row) {
  row["reference_set"] = stamp.reference_set;
  if (task.wrong_reference) row["wrong_reference"] = true;
}

}  // namespace

std::vector<MtGradeTask> single_tasks(std::span<const MtQuestion> questions,
                                      std::span<const MtAnswer> answers,
                                      const MtReferences& references,
                                      const prompting::MtPrompts& prompts, int repeats) {
  const auto known = by_id(questions);
  std::vector<MtGradeTask> tasks;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    for (const MtAnswer& answer : answers) {
      const auto found = known.find(answer.question);
      if (found == known.end()) {
        throw Error(ErrorKind::data, fmt::format("{}: question {} is not among the questions",
                                                 answer.where, answer.question));
      }
      for (int turn = 1; turn <= kMtTurns; ++turn) {
        const auto turns = shown(*found->second, references, turn);
        tasks.push_back({answer.question, turn, answer.model, "", repeat,
                         is_wrong(*found->second, references, turns),
                         prompts.single(turns, first_turns(answer.turns, turn))});
      }
    }
  }
  return tasks;
}

std::vector<MtGradeTask> pair_tasks(std::span<const MtQuestion> questions,
                                    std::span<const MtAnswer> answers_1,
                                    std::span<const MtAnswer> answers_2,
                                    const MtReferences& references,
                                    const prompting::MtPrompts& prompts) {
  std::map<std::int64_t, const MtAnswer*> second;
  for (const MtAnswer& answer : answers_2) second[answer.question] = &answer;
  const auto known = by_id(questions);
  std::vector<MtGradeTask> tasks;
  for (const MtAnswer& one : answers_1) {
    const auto other = second.find(one.question);
    const auto question = known.find(one.question);
    if (other == second.end() || question == known.end()) continue;
    for (int turn = 1; turn <= kMtTurns; ++turn) {
      const auto turns = shown(*question->second, references, turn);
      const bool wrong = is_wrong(*question->second, references, turns);
      const auto add = [&](const MtAnswer& a, const MtAnswer& b) {
        tasks.push_back(
            {one.question, turn, a.model, b.model, 0, wrong,
             prompts.pair(turns, first_turns(a.turns, turn), first_turns(b.turns, turn))});
      };
      add(one, *other->second);
      add(*other->second, one);
    }
  }
  return tasks;
}

MtGraded grade_mt_bench(llm::ChatModel& judge, std::span<const MtGradeTask> tasks,
                        const MtJudgeOptions& options, ProgressSink& progress,
                        std::stop_token stop) {
  check(options.max_attempts >= 1 && options.max_attempts <= kAttemptsOfARepeat,
        "grade_mt_bench: 1 to 100 attempts");
  MtGraded graded;
  graded.grades.resize(tasks.size());
  std::map<int, std::vector<std::size_t>> by_repeat;
  for (std::size_t i = 0; i < tasks.size(); ++i) by_repeat[tasks[i].repeat].push_back(i);
  for (const auto& [repeat, rows] : by_repeat) {
    Questions questions(tasks, rows, repeat, options, graded);
    llm::ask_rows(judge, questions,
                  {.max_attempts = repeat * kAttemptsOfARepeat + options.max_attempts,
                   .stage = kStage,
                   .max_in_flight = options.max_in_flight},
                  progress, stop);
  }
  graded.complete =
      graded.complete && std::all_of(graded.grades.begin(), graded.grades.end(),
                                     [](const auto& grade) { return grade.has_value(); });
  return graded;
}

OrderedJson single_row(const MtGradeTask& task, const MtGrade& grade,
                       const MtJudgmentStamp& stamp) {
  OrderedJson row = {{"question_id", task.question},
                     {"model", task.model},
                     {"judge", {stamp.judge, task.prompt.name}},
                     {"user_prompt", user_prompt(task)},
                     {"judgment", words_of(grade)},
                     {"score", grade.rating ? OrderedJson(*grade.rating) : OrderedJson(-1)},
                     {"turn", task.turn},
                     {"tstamp", stamp.time}};
  add_references(task, stamp, row);
  if (task.repeat > 0) row["repeat"] = task.repeat;
  if (!grade.failure.empty()) row["failure"] = grade.failure;
  return row;
}

OrderedJson pair_row(std::span<const MtGradeTask, 2> tasks, std::span<const MtGrade, 2> grades,
                     const MtJudgmentStamp& stamp) {
  OrderedJson row = {{"question_id", tasks[0].question},
                     {"model_1", tasks[0].model},
                     {"model_2", tasks[0].model_b},
                     {"g1_winner", to_string(winner_of(grades[0], /*first=*/true))},
                     {"g2_winner", to_string(winner_of(grades[1], /*first=*/false))},
                     {"judge", {stamp.judge, tasks[0].prompt.name}},
                     {"g1_user_prompt", user_prompt(tasks[0])},
                     {"g1_judgment", words_of(grades[0])},
                     {"g2_user_prompt", user_prompt(tasks[1])},
                     {"g2_judgment", words_of(grades[1])},
                     {"turn", tasks[0].turn},
                     {"tstamp", stamp.time}};
  add_references(tasks[0], stamp, row);
  return row;
}

}  // namespace tapir::evaluate
