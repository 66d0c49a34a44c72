#include <algorithm>

#include "base/random.h"
#include "report/gather.h"

namespace tapir::report {
namespace {

struct Sat {
  const store::ExamRow* before;  // S_0
  const store::ExamRow* after;   // the main arm's student
  double gain() const { return after->score - before->score; }
};

// The judge's reading of one student's answer, the last attempt of each order.
std::vector<JudgeWords> words_of(const store::RunStore& store, const std::string& id,
                                 const std::string& author, const std::string& label) {
  std::map<Order, Judgment> last;
  for (Judgment& judgment : store.judgments_of(id)) {
    if (judgment.author != author) continue;
    const auto found = last.find(judgment.order);
    if (found != last.end() && found->second.attempt > judgment.attempt) continue;
    last.insert_or_assign(judgment.order, std::move(judgment));
  }
  std::vector<JudgeWords> words;
  // The exam's grader sees one answer alone: there is no order to tell.
  const bool alone = author.starts_with("exam/");
  for (const auto& [order, judgment] : last) {
    const char* first = alone                           ? ""
                        : order == Order::teacher_first ? ", teacher's answer shown first"
                                                        : ", student's answer shown first";
    words.push_back(
        {label + first, judgment.teacher_score, judgment.student_score,
         judgment.failure.empty() ? judgment.text : "(" + judgment.failure + ") " + judgment.text});
  }
  return words;
}

// The teacher's answer: in its style where there is one, else the one that the data brings.
void add_teacher(const store::RunStore& store, Example& example) {
  for (const Response& response : store.responses_of(example.id)) {
    if (response.author.starts_with("student/")) continue;
    const bool styled = response.author.starts_with("teacher");
    if (!example.teacher_author.empty() && !styled) continue;
    example.teacher = response.text;
    example.teacher_author = response.author;
  }
}

void add_instruction(const store::RunStore& store, Example& example) {
  const auto instruction = store.instruction(example.id);
  if (!instruction) return;
  for (const Message& message : instruction->messages) {
    if (!example.instruction.empty()) example.instruction += "\n\n";
    if (instruction->messages.size() > 1)
      example.instruction += std::string(to_string(message.role)) + ": ";
    example.instruction += message.content;
  }
  example.task = instruction->task;
}

Example exam_example(const store::RunStore& store, const Sat& sat,
                     const StudentResult& final_student) {
  Example example;
  example.id = sat.before->item_id;
  example.family = sat.before->family;
  example.level = sat.before->level;
  example.s0 = sat.before->answer;
  example.final_answer = sat.after->answer;
  example.s0_correct = sat.before->correct;
  example.final_correct = sat.after->correct;
  example.s0_score = sat.before->score;
  example.final_score = sat.after->score;
  add_instruction(store, example);
  add_teacher(store, example);
  example.judge = words_of(store, example.id, "exam/s0", "S\xE2\x82\x80");
  for (JudgeWords& words :
       words_of(store, example.id, "exam/" + final_student.student, final_student.label)) {
    example.judge.push_back(std::move(words));
  }
  return example;
}

std::vector<Sat> sat_by_both(const std::vector<store::ExamRow>& before,
                             const std::vector<store::ExamRow>& after, const std::string& set) {
  std::map<std::string, Sat> sat;
  for (const store::ExamRow& row : before) {
    if (row.set == set) sat[row.item_id].before = &row;
  }
  std::vector<Sat> both;
  for (const store::ExamRow& row : after) {
    const auto found = row.set == set ? sat.find(row.item_id) : sat.end();
    if (found != sat.end()) found->second.after = &row;
  }
  for (const auto& [id, pair] : sat) {
    if (pair.after != nullptr) both.push_back(pair);
  }
  return both;
}

void add_exam_examples(const store::RunStore& store, const Outcome& outcome,
                       const ReportOptions& options, Examples& examples) {
  const StudentResult* s0 = outcome.find("");
  const StudentResult* after = outcome.main();
  if (s0 == nullptr || after == nullptr) return;
  examples.final_label = after->label;
  const auto rows_before = store.exam_rows(s0->student);
  const auto rows_after = store.exam_rows(after->student);
  std::vector<Sat> items = sat_by_both(rows_before, rows_after, options.headline_set);
  // Many gains are equal: the draw decides among them, so that not one family shows all.
  RandomStream stream(options.seed, "report/examples", "exam");
  stream.shuffle(items);
  const auto take = [&](int limit, auto&& wanted, std::vector<Example>& out) {
    for (std::size_t i = 0; i < items.size() && static_cast<int>(out.size()) < limit; ++i) {
      if (wanted(items[i])) out.push_back(exam_example(store, items[i], *after));
    }
  };
  take(
      options.random_examples, [](const Sat&) { return true; }, examples.random);
  std::stable_sort(items.begin(), items.end(),
                   [](const Sat& a, const Sat& b) { return a.gain() > b.gain(); });
  take(
      options.extreme_examples, [](const Sat& sat) { return sat.gain() > 0; }, examples.gains);
  std::stable_sort(items.begin(), items.end(),
                   [](const Sat& a, const Sat& b) { return a.gain() < b.gain(); });
  take(
      options.extreme_examples, [](const Sat& sat) { return sat.gain() < 0; }, examples.losses);
}

Example judged_example(const store::RunStore& store, const Fit& fit) {
  Example example;
  example.id = fit.instruction_id;
  example.teacher_score = fit.teacher_score;
  example.s0_score = fit.student_score;
  add_instruction(store, example);
  for (const Response& response : store.responses_of(fit.instruction_id)) {
    if (response.author == "student/s0") example.s0 = response.text;
    // The answer that was judged is D's, not the one refined later.
    const bool of_data = response.author == "data" || response.author == kTeacherAuthor;
    if (of_data && example.teacher_author != kTeacherAuthor) {
      example.teacher = response.text;
      example.teacher_author = response.author;
    }
  }
  example.judge = words_of(store, fit.instruction_id, "student/s0", "S\xE2\x82\x80");
  return example;
}

void add_judged_examples(const store::RunStore& store, const ReportOptions& options,
                         Examples& examples) {
  std::vector<Fit> fits = store.fits("student/s0");
  RandomStream stream(options.seed, "report/examples", "judged");
  stream.shuffle(fits);
  const auto take = [&](int limit, std::vector<Example>& out) {
    for (std::size_t i = 0; i < fits.size() && static_cast<int>(out.size()) < limit; ++i) {
      out.push_back(judged_example(store, fits[i]));
    }
  };
  take(options.random_examples, examples.judged_random);
  std::stable_sort(fits.begin(), fits.end(),
                   [](const Fit& a, const Fit& b) { return a.difficulty() > b.difficulty(); });
  take(options.extreme_examples, examples.judged_hard);
}

}  // namespace

Examples gather_examples(const store::RunStore& store, const Outcome& outcome,
                         const ReportOptions& options) {
  Examples examples;
  add_exam_examples(store, outcome, options, examples);
  add_judged_examples(store, options, examples);
  return examples;
}

}  // namespace tapir::report
