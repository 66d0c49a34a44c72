#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "evaluate/exam.h"

namespace tapir::evaluate {

bool run_exam(const student::Student& student, const std::string& name,
              std::span<const ExamItem> items, const Grader& grader,
              const student::GenerateOptions& options,
              const std::function<void(const store::ExamRow&)>& keep, ProgressSink& progress,
              std::stop_token stop) {
  std::vector<student::GenerateRequest> requests;
  std::unordered_map<std::string, const ExamItem*> item_of;
  for (const ExamItem& item : items) {
    // An item may stand in two sets: it is then answered in both.
    const std::string id = item.set + "|" + item.id;
    check(item_of.emplace(id, &item).second, "run_exam: an item twice: " + id);
    requests.push_back({id, item.messages, {}});
  }
  ProgressUpdate update{.stage = "exam " + name, .total = items.size()};
  std::uint64_t correct = 0;
  student.generate(
      requests, options,
      [&](student::Generation generation) {
        const ExamItem& item = *item_of.at(generation.id);
        // An item that does not fit the student's context was not answered: wrong, as an empty
        // answer is.
        const Grade grade =
            generation.failure.empty() ? grader.grade(item, generation.text) : Grade{};
        keep({.student = name,
              .item_id = item.id,
              .set = item.set,
              .family = item.family,
              .level = item.level,
              .answer = std::move(generation.text),
              .correct = grade.correct,
              .score = grade.score});
        ++update.done;
        correct += grade.correct ? 1 : 0;
        update.detail = std::to_string(correct) + " correct";
        progress.update(update);
      },
      stop);
  return update.done == items.size();
}

}  // namespace tapir::evaluate
