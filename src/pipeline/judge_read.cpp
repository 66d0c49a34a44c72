#include "pipeline/judge_read.h"

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "pipeline/row_files.h"
#include "prompting/judgment_forms.h"
#include "prompting/prompts.h"

namespace tapir::pipeline {
namespace {

// What stands in the row beside the id.
struct Reading {
  OrderedJson scores;  // null: none
  std::string failure;
};

Reading read_pair(const std::string& text) {
  const prompting::PairScores scores = prompting::read_pair_scores(text);
  Reading reading{nullptr, scores.failure};
  if (scores.a && scores.b) reading.scores = {*scores.a, *scores.b};
  return reading;
}

Reading of_rating(const prompting::Rating& rating) {
  Reading reading{nullptr, rating.failure};
  if (rating.score) reading.scores = OrderedJson::array({*rating.score});
  return reading;
}

Reading of_choice(const prompting::ReadChoice& read) {
  Reading reading{nullptr, read.failure};
  if (read.choice) reading.scores = to_string(*read.choice);
  return reading;
}

Reading read_form(JudgmentForm form, const std::string& text) {
  switch (form) {
    case JudgmentForm::pair:
      return read_pair(text);
    case JudgmentForm::rating:
      return of_rating(prompting::read_rating(text));
    case JudgmentForm::mtbench:
      return of_rating(prompting::read_mtbench_rating(text));
    case JudgmentForm::choice:
      return of_choice(prompting::read_choice(text));
    case JudgmentForm::letter:
      return of_choice(prompting::read_letter(text));
  }
  return {};
}

}  // namespace

const std::vector<std::string>& judgment_forms() {
  static const std::vector<std::string> names = {"pair", "rating", "mtbench", "choice", "letter"};
  return names;
}

JudgmentForm parse_judgment_form(const std::string& name) {
  const std::vector<std::string>& names = judgment_forms();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<JudgmentForm>(i);
  }
  throw Error(ErrorKind::usage, "unknown form of judgments \"" + name + "\"",
              "forms: " + join(names, ", "));
}

ReadSummary read_judgments(JudgmentForm form, const std::vector<std::string>& inputs,
                           const std::string& output) {
  const bool is_choice = form == JudgmentForm::choice || form == JudgmentForm::letter;
  ReadSummary summary;
  RowsOut out(output);
  for (const std::string& input : inputs) {
    for_each_jsonl(input, [&](const Json& row, const std::string& where) {
      Reading reading = read_form(form, json_get<std::string>(row, "text", where));
      ++summary.rows;
      reading.failure.empty() ? ++summary.read : ++summary.failed[reading.failure];
      out.add(OrderedJson{{"id", row.value("id", Json())},
                          {is_choice ? "choice" : "scores", std::move(reading.scores)},
                          {"status", reading.failure.empty() ? "ok" : reading.failure}});
    });
  }
  if (summary.rows == 0) throw Error(ErrorKind::data, join(inputs, ", ") + ": no judgments");
  out.finish();
  return summary;
}

}  // namespace tapir::pipeline
