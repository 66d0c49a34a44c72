#include <fmt/format.h>

#include "report/html.h"
#include "report/sections.h"

namespace tapir::report {
namespace {

std::string mark(const std::optional<bool>& correct) {
  if (!correct) return {};
  return *correct ? "<span class=\"up\">\xE2\x9C\x93 right</span>"
                  : "<span class=\"down\">\xE2\x9C\x97 wrong</span>";
}

std::string answer(std::string_view css_class, const std::string& who_html, const std::string& text,
                   const std::optional<double>& score, const std::optional<bool>& correct) {
  std::string facts;
  if (score) facts += " score " + decimal(*score, 1);
  if (correct) facts += (facts.empty() ? " " : ", ") + mark(correct);
  const std::string shown = text.empty() ? "<span class=\"more\">(empty)</span>" : excerpt(text);
  return fmt::format("<div class=\"answer {}\"><h4>{} <small>{}</small></h4><pre>{}</pre></div>",
                     css_class, who_html, facts, shown);
}

std::string judge_words(const std::vector<JudgeWords>& all) {
  std::string html;
  for (const JudgeWords& words : all) {
    std::string scores;
    if (words.teacher_score && words.student_score) {
      scores = fmt::format(": teacher {}, student {}", decimal(*words.teacher_score, 1),
                           decimal(*words.student_score, 1));
    }
    html += fmt::format("<div class=\"words\"><h4>The judge on {}{}</h4><pre>{}</pre></div>",
                        escape(words.about), scores, excerpt(words.text, 2500));
  }
  return html;
}

std::string instruction(const Example& example) {
  if (example.instruction.empty()) {
    return fmt::format(
        "<p class=\"note ask\">The run does not hold the text of item <code>{}</code>.</p>",
        escape(example.id));
  }
  return "<pre class=\"ask\">" + excerpt(example.instruction) + "</pre>";
}

std::string title(const Example& example) {
  std::string words;
  if (!example.family.empty())
    words +=
        fmt::format("<span class=\"tag\">{} L{}</span>", escape(example.family), example.level);
  if (example.family.empty() && !example.task.empty())
    words += "<span class=\"tag\">" + escape(example.task) + "</span>";
  return words + one_line(example.instruction.empty() ? example.final_answer : example.instruction);
}

std::string change_tag(double change) {
  const char* direction = change > 0 ? "up" : (change < 0 ? "down" : "");
  return fmt::format("<span class=\"tag {}\">{}{}</span>", direction, change > 0 ? "+" : "",
                     decimal(change, 1));
}

std::string exam_example(const Example& example, const std::string& final_label, bool open) {
  std::string answers;
  if (!example.teacher_author.empty()) {
    answers += answer("teacher", "Teacher (" + escape(example.teacher_author) + ")",
                      example.teacher, example.teacher_score, {});
  }
  answers += answer("s0", "S\xE2\x82\x80", example.s0, example.s0_score, example.s0_correct);
  answers += answer("main", escape(final_label), example.final_answer, example.final_score,
                    example.final_correct);
  const std::string body = fmt::format(
      "{}<div class=\"answers{}\">{}</div>{}", instruction(example),
      example.teacher_author.empty() ? " two" : "", answers, judge_words(example.judge));
  const double gain = example.final_score.value_or(0) - example.s0_score.value_or(0);
  return fold(change_tag(gain) + title(example), body, open);
}

std::string judged_example(const Example& example, bool open) {
  const std::string answers = answer("teacher", "Teacher (" + escape(example.teacher_author) + ")",
                                     example.teacher, example.teacher_score, {}) +
                              answer("s0", "S\xE2\x82\x80", example.s0, example.s0_score, {});
  const double gap = example.teacher_score.value_or(0) - example.s0_score.value_or(0);
  return fold(fmt::format("<span class=\"tag\">gap {}</span>{}", decimal(gap, 1), title(example)),
              instruction(example) + "<div class=\"answers two\">" + answers + "</div>" +
                  judge_words(example.judge),
              open);
}

std::string exam_group(const char* heading, const std::vector<Example>& examples,
                       const std::string& label, bool open) {
  if (examples.empty()) return {};
  std::string html =
      fmt::format("<h3 style=\"margin-top:18px\">{}</h3><div class=\"ex\">", heading);
  for (const Example& example : examples) {
    html += exam_example(example, label, open && &example == &examples.front());
  }
  return html + "</div>\n";
}

std::string judged_group(const char* heading, const std::vector<Example>& examples) {
  if (examples.empty()) return {};
  std::string html =
      fmt::format("<h3 style=\"margin-top:18px\">{}</h3><div class=\"ex\">", heading);
  for (const Example& example : examples) html += judged_example(example, false);
  return html + "</div>\n";
}

}  // namespace

std::string examples_section(const ReportData& data) {
  const Examples& examples = data.examples;
  const std::string lead =
      "What the students wrote, and what the judge said. Numbers at the left: change of the judge "
      "score "
      "from S\xE2\x82\x80, or the gap between teacher and S\xE2\x82\x80.";
  std::string body;
  if (examples.random.empty()) {
    body += not_yet("Answers of S\xE2\x82\x80 beside the final student come with the exams.");
  }
  body += exam_group("Largest gains in the exam", examples.gains, examples.final_label, true);
  body += exam_group("Largest losses in the exam", examples.losses, examples.final_label, false);
  body += exam_group("Drawn at random from the exam", examples.random, examples.final_label, false);
  body += judged_group("Judged rows of D with the largest gaps", examples.judged_hard);
  body += judged_group("Judged rows of D, drawn at random", examples.judged_random);
  return section("examples", "Examples", lead, body);
}

}  // namespace tapir::report
