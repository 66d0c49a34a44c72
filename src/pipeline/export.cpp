#include "pipeline/export.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "dataset/export_data.h"
#include "pipeline/cleaning.h"
#include "pipeline/plan.h"
#include "pipeline/run.h"

namespace tapir::pipeline {
namespace {

// Everything that the rows of a mixture refer to.
class ExportSource {
 public:
  explicit ExportSource(const store::RunStore& store) : store_(store) {
    for (Instruction& row : store.instructions()) instructions_.emplace(row.id, std::move(row));
    for (const Fit& fit : store.fits("student/s0")) fits_.emplace(fit.instruction_id, fit);
  }

  void add_rows(const std::string& arm, int round, std::vector<dataset::ExportRow>& out) {
    for (const MixtureRow& row : store_.mixture(arm, round)) {
      const auto instruction = instructions_.find(row.instruction_id);
      check(instruction != instructions_.end(), "a row of the mixture is in the store");
      const auto& [author, text] = answer(row);
      dataset::ExportRow exported{instruction->second, text,       author, round,
                                  row.stratum,         row.repeat, {},     {}};
      if (const auto fit = fits_.find(row.instruction_id); fit != fits_.end()) {
        exported.teacher_score = fit->second.teacher_score;
        exported.student_score = fit->second.student_score;
      }
      out.push_back(std::move(exported));
    }
  }

 private:
  // The answer the mixture names, or what D has where its refinement failed for good.
  std::pair<std::string, std::string> answer(const MixtureRow& row) {
    for (const std::string& author :
         {row.author, std::string(kTeacherAuthor), std::string("data")}) {
      auto& by_id = answers_[author];
      if (!read_.contains(author)) {
        for (Response& r : store_.responses(author)) by_id[r.instruction_id] = std::move(r.text);
        read_.insert(author);
      }
      const auto found = by_id.find(row.instruction_id);
      if (found != by_id.end()) return {author, found->second};
    }
    throw Error(ErrorKind::data,
                "the row " + row.instruction_id + " of the mixture has no answer yet",
                "`tapir run` goes on and fills it in");
  }

  const store::RunStore& store_;
  std::map<std::string, Instruction> instructions_;
  std::map<std::string, Fit> fits_;
  std::map<std::string, std::map<std::string, std::string>> answers_;  // [author][id]
  std::set<std::string> read_;
};

// Over all stages.
std::vector<dataset::ModelUse> models_of(const store::RunStore& store) {
  std::map<std::pair<std::string, std::string>, dataset::ModelUse> by_model;  // role first
  for (const store::UsageRow& row : store.usage()) {
    dataset::ModelUse& use = by_model[{row.role, row.model}];
    use.role = row.role;
    use.model = row.model;
    use.replies += row.replies;
    use.prompt_tokens += row.prompt_tokens;
    use.completion_tokens += row.completion_tokens;
    use.usd += row.usd;
  }
  std::vector<dataset::ModelUse> models;
  for (auto& [key, use] : by_model) models.push_back(std::move(use));
  return models;
}

dataset::DataCard card_of(const store::RunStore& store, const std::string& arm) {
  dataset::DataCard card;
  card.title = "Training data of a tapir run, arm " + arm;
  card.version = store.meta("version").value_or("");
  card.fingerprint = store.meta("fingerprint").value_or("");
  card.recipe = store.meta("recipe").value_or("");
  card.models = models_of(store);
  if (card.recipe.empty()) return card;
  const Recipe recipe = parse_recipe(card.recipe, "recipe of the run", {}, {});
  card.facts = {{"Student", recipe.student.model_name_or_path},
                {"Taxonomy", recipe.tasks.taxonomy}};
  card.licenses = licenses_of(recipe);
  return card;
}

}  // namespace

std::int64_t export_data(const store::RunStore& store, const ExportOptions& options) {
  const auto rounds = store.meta("rounds");
  std::vector<dataset::ExportRow> rows;
  ExportSource source(store);
  for (int round = 1; rounds && round <= std::stoi(*rounds); ++round)
    source.add_rows(options.arm, round, rows);
  if (rows.empty()) {
    throw Error(
        ErrorKind::data, "the run has no mixture of the arm " + options.arm + " yet",
        "`tapir status` shows which stages are done; arms: " + store.meta("arms").value_or("none"));
  }
  dataset::export_data(rows, card_of(store, options.arm),
                       {dataset::parse_export_format(options.format), "train"}, options.output);
  return static_cast<std::int64_t>(rows.size());
}

void export_mixture_file(const store::RunStore& store, const std::string& arm, int round,
                         const std::filesystem::path& file) {
  std::vector<dataset::ExportRow> rows;
  ExportSource(store).add_rows(arm, round, rows);
  std::filesystem::create_directories(file.parent_path());
  write_file(file, dataset::messages_jsonl(rows));
}

void Run::export_mixture(const std::string& name, int round) const {
  const std::string base = name == kMainArm ? "data" : "arms/" + name + "/data";
  const auto file = options_.run_dir / base / ("round-" + std::to_string(round) + ".jsonl");
  export_mixture_file(*store_, name, round, file);
}

}  // namespace tapir::pipeline
