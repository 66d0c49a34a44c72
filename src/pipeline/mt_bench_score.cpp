#include "pipeline/mt_bench_score.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "pipeline/mt_bench_tables.h"

namespace tapir::pipeline {
namespace {

using evaluate::MtJudgment;
using evaluate::MtPair;

constexpr std::size_t kShown = 8;  // ids of a long list

struct Read {
  std::vector<MtJudgment> judgments;
  std::vector<MtPair> pairs;
};

evaluate::MtScoreFrom score_from(const std::string& name) {
  if (name == "recorded") return evaluate::MtScoreFrom::recorded;
  if (name == "text") return evaluate::MtScoreFrom::text;
  throw Error(ErrorKind::usage, "scores: expected recorded or text, found \"" + name + "\"");
}

Read read_files(const MtScoreOptions& options) {
  const evaluate::MtScoreFrom from = score_from(options.scores);
  Read read;
  for (const std::string& file : options.judgments) {
    for_each_jsonl(file, [&](const Json& row, const std::string& where) {
      if (evaluate::is_mt_pair(row)) {
        read.pairs.push_back(evaluate::read_mt_pair(row, where));
      } else {
        read.judgments.push_back(evaluate::read_mt_judgment(row, from, where));
      }
    });
  }
  if (read.judgments.empty() && read.pairs.empty()) {
    throw Error(ErrorKind::data, join(options.judgments, ", ") + ": no judgments",
                "expected rows of FastChat's model_judgment/<judge>_single.jsonl or _pair.jsonl");
  }
  return read;
}

evaluate::MtCategories categories_of(const std::string& file) {
  if (file.empty()) return evaluate::official_mt_categories();
  evaluate::MtCategories categories;
  for (const evaluate::MtQuestion& question : read_mt_questions(file))
    categories[question.id] = question.category;
  return categories;
}

std::string some_of(const std::set<std::int64_t>& ids) {
  std::vector<std::string> shown;
  for (const std::int64_t id : ids) {
    if (shown.size() == kShown) {
      shown.push_back("...");
      break;
    }
    shown.push_back(std::to_string(id));
  }
  return join(shown, ", ");
}

// Judgments of questions that are not in the set: an error, or left out and counted.
class KnownQuestions {
 public:
  KnownQuestions(const evaluate::MtCategories& categories, const MtScoreOptions& options)
      : categories_(categories), options_(options) {
    if (options.other_questions != "error" && options.other_questions != "leave_out") {
      throw Error(ErrorKind::usage, "other-questions: expected error or leave_out, found \"" +
                                        options.other_questions + "\"");
    }
  }

  template <typename Row>
  void filter(std::vector<Row>& rows) {
    std::erase_if(rows, [&](const Row& row) {
      if (categories_.contains(row.question)) return false;
      unknown_.insert(row.question);
      ++left_out_;
      return true;
    });
  }

  // After all rows were seen.
  std::int64_t settle() const {
    if (left_out_ > 0 && options_.other_questions == "error") {
      throw Error(
          ErrorKind::data,
          fmt::format("{} judgments are of questions that are not in {}: {}", left_out_,
                      options_.questions.empty() ? "MT-Bench (ids 81 to 160)" : options_.questions,
                      some_of(unknown_)),
          "--questions FILE names their questions; --other-questions leave_out leaves them out");
    }
    return left_out_;
  }
  std::string named() const { return some_of(unknown_); }

 private:
  const evaluate::MtCategories& categories_;
  const MtScoreOptions& options_;
  std::set<std::int64_t> unknown_;
  std::int64_t left_out_ = 0;
};

void note_scores(const std::vector<evaluate::MtScore>& scores, MtScoreReport& report) {
  std::int64_t misread = 0, out_of_range = 0;
  bool wrong = false;
  for (const evaluate::MtScore& score : scores) {
    report.failed += score.failed;
    report.missing += score.missing;
    misread += score.misread;
    out_of_range += score.out_of_range;
    wrong = wrong || score.average_without_wrong_references.has_value();
  }
  if (report.failed > 0) {
    report.notes.push_back(fmt::format(
        "{} judgments failed (no score could be read); they are in no mean", report.failed));
  }
  if (report.missing > 0) {
    report.notes.push_back(
        fmt::format("{} turns of questions have no judgment at all", report.missing));
  }
  if (misread > 0) {
    report.notes.push_back(fmt::format(
        "{} recorded scores are not what the judge's words say; --scores text counts the words",
        misread));
  }
  if (out_of_range > 0) {
    report.notes.push_back(fmt::format(
        "{} scores lie outside 1 to 10; they count as they stand, as in FastChat", out_of_range));
  }
  if (wrong) {
    report.notes.push_back(
        "13 of the official references for math, reasoning and coding are known to be wrong; the "
        "average without them stands beside the other");
  }
}

}  // namespace

std::vector<evaluate::MtQuestion> read_mt_questions(const std::string& file) {
  std::vector<evaluate::MtQuestion> questions;
  std::map<std::int64_t, std::string> seen;
  for_each_jsonl(file, [&](const Json& row, const std::string& where) {
    questions.push_back(evaluate::read_mt_question(row, where));
    const auto [first, is_new] = seen.emplace(questions.back().id, where);
    if (!is_new) {
      throw Error(ErrorKind::data, fmt::format("{}: question {} stands in {} already", where,
                                               questions.back().id, first->second));
    }
  });
  if (questions.empty()) {
    throw Error(ErrorKind::data, file + ": no questions",
                "expected rows {\"question_id\", \"category\", \"turns\"} of question.jsonl");
  }
  return questions;
}

MtScoreReport score_mt_bench_files(const MtScoreOptions& options) {
  const evaluate::Duplicates duplicates = evaluate::parse_duplicates(options.duplicates);
  const evaluate::MtCategories categories = categories_of(options.questions);
  KnownQuestions known(categories, options);
  Read read = read_files(options);
  known.filter(read.judgments);
  known.filter(read.pairs);
  MtScoreReport report;
  const std::int64_t left_out = known.settle();
  if (left_out > 0) {
    report.notes.push_back(
        fmt::format("{} judgments of other questions were left out: {}", left_out, known.named()));
  }
  read.judgments = settle_duplicates(std::move(read.judgments), duplicates);
  read.pairs = settle_duplicates(std::move(read.pairs), duplicates);

  MtTables tables;
  tables.scores = evaluate::score_mt_bench(read.judgments, categories);
  tables.agreement = evaluate::mt_agreement(read.judgments);
  tables.win_rates = evaluate::mt_win_rates(read.pairs, options.baseline);
  if (!options.baseline.empty() && !read.judgments.empty()) {
    tables.comparisons = evaluate::compare_mt_bench(
        read.judgments, {options.baseline, options.margin, options.seed});
  }
  note_scores(tables.scores, report);
  std::int64_t unread_pairs = 0;
  for (const MtPair& pair : read.pairs) {
    using evaluate::MtWinner;
    unread_pairs += pair.game_1 == MtWinner::error || pair.game_2 == MtWinner::error ? 1 : 0;
  }
  if (unread_pairs > 0) {
    report.notes.push_back(fmt::format(
        "{} pairs have a judgment that could not be read; they are in no rate", unread_pairs));
  }
  report.failed += unread_pairs;
  report.json = to_json(tables);
  if (left_out > 0) report.json["left_out"] = left_out;
  report.text = to_text(tables, categories);
  return report;
}

}  // namespace tapir::pipeline
