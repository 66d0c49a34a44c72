// Asking for MT-Bench: a model answers the questions, a judge grades answers or compares them in
// pairs. Nothing here knows of files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "evaluate/mt_bench.h"
#include "evaluate/mt_bench_rows.h"
#include "llm/chat_model.h"
#include "prompting/judgment_forms.h"
#include "prompting/mt_prompts.h"

namespace tapir::evaluate {

// ---- answers ----

struct MtAnswerOptions {
  int max_tokens = 1024;              // a longer answer is cut, and graded as it is
  std::optional<double> temperature;  // of all answers; nothing: by category (mt_temperature())
  std::optional<std::int64_t> seed;   // of sampling
  std::size_t max_in_flight = 64;     // speed only
};

struct MtAnswered {
  std::vector<MtAnswer> answers;               // in the order of the questions
  std::int64_t truncated = 0;                  // of them, with a turn that was cut
  std::map<std::string, std::int64_t> failed;  // questions without an answer, by reason
  bool complete = true;  // false: stopped, or rows for which nobody could be asked
};

// The second turn of a question sees the first with the model's own answer. Each is asked as soon
// as the one before has come.
MtAnswered answer_mt_bench(llm::ChatModel& model, const std::string& name,
                           std::span<const MtQuestion> questions, const MtAnswerOptions& options,
                           ProgressSink& progress, std::stop_token stop);

// ---- judging ----

struct MtJudgeOptions {
  llm::Sampling sampling = {.max_tokens = 2048};  // temperature 0
  int max_attempts = 1;  // asked again so often while no rating can be read; FastChat: once. <= 100
  std::size_t max_in_flight = 64;  // speed only
};

// References by question: the turns of the answer.
using MtReferences = std::map<std::int64_t, std::vector<std::string>>;

// What a judge is asked about one turn.
struct MtGradeTask {
  std::int64_t question = 0;
  int turn = 1;
  std::string model;    // of pairs: shown as A
  std::string model_b;  // empty: single grading
  int repeat = 0;
  bool wrong_reference = false;  // one that is known to be wrong
  prompting::MtPrompt prompt;
};

// Both turns of every answer, `repeats` times. Of questions that need a reference those get one
// that have one. Error{data} when an answer is to no question of the list.
std::vector<MtGradeTask> single_tasks(std::span<const MtQuestion> questions,
                                      std::span<const MtAnswer> answers,
                                      const MtReferences& references,
                                      const prompting::MtPrompts& prompts, int repeats);
// Both turns of every question that both have answered, in both orders: the first of two tasks
// shows the answer of model_1 as A. answers_1 and answers_2 are each of one model.
std::vector<MtGradeTask> pair_tasks(std::span<const MtQuestion> questions,
                                    std::span<const MtAnswer> answers_1,
                                    std::span<const MtAnswer> answers_2,
                                    const MtReferences& references,
                                    const prompting::MtPrompts& prompts);

struct MtGrade {
  std::string text;                         // the judge's words; empty: there are none
  std::optional<double> rating;             // single grading: as read, even outside 1 to 10
  std::optional<prompting::Choice> choice;  // pairs: which of A and B
  std::string failure;                      // why neither is there: "unreadable", "length", ...
};

struct MtGraded {
  std::vector<std::optional<MtGrade>> grades;  // as the tasks; nothing: nobody could be asked
  bool complete = true;
};

MtGraded grade_mt_bench(llm::ChatModel& judge, std::span<const MtGradeTask> tasks,
                        const MtJudgeOptions& options, ProgressSink& progress,
                        std::stop_token stop);

// ---- rows of model_judgment/ ----

struct MtJudgmentStamp {
  std::string judge;          // its name in the files
  std::string reference_set;  // which references it saw; "none"
  double time = 0;            // "tstamp", seconds since 1970
};
// A row of <judge>_single.jsonl; a failure has the score -1, and the judge's words or "$ERROR$".
OrderedJson single_row(const MtGradeTask& task, const MtGrade& grade, const MtJudgmentStamp& stamp);
// A row of <judge>_pair.jsonl from the two tasks of a pair.
OrderedJson pair_row(std::span<const MtGradeTask, 2> tasks, std::span<const MtGrade, 2> grades,
                     const MtJudgmentStamp& stamp);

}  // namespace tapir::evaluate
