#include <algorithm>
#include <iomanip>
#include <locale>
#include <map>
#include <set>
#include <sstream>

#include "base/strings.h"
#include "dataset/export_data.h"

namespace tapir::dataset {
namespace {

// In a cell of a Markdown table.
std::string cell(std::string_view text) {
  return replace_all(replace_all(join(split_whitespace(text), " "), "\\", "\\\\"), "|", "\\|");
}

std::string row_of(const std::vector<std::string>& cells) {
  return "| " + join(cells, " | ") + " |\n";
}

// The hub's buckets.
std::string size_category(std::size_t rows) {
  if (rows < 1000) return "n<1K";
  if (rows < 10000) return "1K<n<10K";
  if (rows < 100000) return "10K<n<100K";
  return rows < 1000000 ? "100K<n<1M" : "n>1M";
}

std::string front_matter(const std::vector<ExportRow>& rows, const ExportOptions& options) {
  const char* extension = options.format == ExportFormat::messages ? ".jsonl" : ".json";
  return "---\nlicense: other\ntask_categories:\n- text-generation\ntags:\n- instruction-tuning\n- "
         "distillation\n- tapir\n"
         "size_categories:\n- " +
         size_category(rows.size()) +
         "\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: " +
         options.name + extension + "\n---\n\n";
}

std::string count_table(const std::vector<ExportRow>& rows) {
  struct Counts {
    std::size_t hard = 0, easy = 0, repeated = 0;
  };
  std::map<std::string, Counts> by_task;
  for (const ExportRow& row : rows) {
    Counts& counts = by_task[row.instruction.task];
    ++(row.stratum == Stratum::hard ? counts.hard : counts.easy);
    if (row.repeat > 0) ++counts.repeated;
  }
  std::string text =
      row_of({"task", "rows", "hard", "easy", "repeated"}) + "|---|---:|---:|---:|---:|\n";
  for (const auto& [task, counts] : by_task) {
    text += row_of({task.empty() ? "(none)" : cell(task), std::to_string(counts.hard + counts.easy),
                    std::to_string(counts.hard), std::to_string(counts.easy),
                    std::to_string(counts.repeated)});
  }
  return text;
}

std::string round_table(const std::vector<ExportRow>& rows) {
  struct Counts {
    std::size_t hard = 0, easy = 0, expanded = 0;
  };
  std::map<int, Counts> by_round;
  for (const ExportRow& row : rows) {
    Counts& counts = by_round[row.round];
    ++(row.stratum == Stratum::hard ? counts.hard : counts.easy);
    counts.expanded += row.instruction.round > 0 ? 1 : 0;
  }
  std::string text =
      row_of({"round", "rows", "hard", "easy", "expanded"}) + "|---|---:|---:|---:|---:|\n";
  for (const auto& [round, counts] : by_round) {
    text += row_of({std::to_string(round), std::to_string(counts.hard + counts.easy),
                    std::to_string(counts.hard), std::to_string(counts.easy),
                    std::to_string(counts.expanded)});
  }
  return text;
}

// Dollars to the cent, and small sums to two digits that count.
std::string dollars(double usd) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text << std::fixed << std::setprecision(usd == 0 || usd >= 1 ? 2 : 6) << usd;
  return "$" + text.str();
}

std::string model_table(const std::vector<ModelUse>& models) {
  if (models.empty()) return "No model was asked.\n";
  std::string text =
      row_of({"role", "model", "replies", "prompt tokens", "completion tokens", "spent"}) +
      "|---|---|---:|---:|---:|---:|\n";
  for (const ModelUse& use : models) {
    text += row_of({cell(use.role), cell(use.model), std::to_string(use.replies),
                    std::to_string(use.prompt_tokens), std::to_string(use.completion_tokens),
                    dollars(use.usd)});
  }
  return text;
}

std::string license_of(const std::string& source,
                       const std::map<std::string, std::string>& licenses) {
  const auto known = licenses.find(source);
  if (known != licenses.end()) return cell(known->second);
  // Instructions of tapir's own making fall under what their parents and their author fall under.
  return source == "expanded" ? "of the parents and of the teacher" : "not stated";
}

std::string source_list(const std::vector<ExportRow>& rows,
                        const std::map<std::string, std::string>& licenses) {
  std::map<std::string, std::size_t> sources;
  std::map<std::string, std::size_t> authors;
  for (const ExportRow& row : rows) {
    ++sources[row.instruction.source];
    ++authors[row.author];
  }
  std::string text;
  for (const auto& [source, count] : sources)
    text += "- instructions from " + cell(source) + ": " + std::to_string(count) +
            "; licence: " + license_of(source, licenses) + "\n";
  for (const auto& [author, count] : authors)
    text += "- responses by " + cell(author) + ": " + std::to_string(count) + "\n";
  return text;
}

// A code block whose fence is longer than any run of backticks inside.
std::string code_block(const std::string& language, const std::string& text) {
  std::size_t longest = 2;
  std::size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(longest + 1, '`');
  return fence + language + "\n" + text + (text.empty() || text.back() == '\n' ? "" : "\n") +
         fence + "\n";
}

constexpr std::string_view kColumns =
    "| column | what |\n|---|---|\n"
    "| `id` | of the row; `#2` and up where an instruction is used again |\n"
    "| `parent_id` | the instruction that inspired an expanded one |\n"
    "| `round` | whose mixture the row belongs to |\n"
    "| `task` | task type |\n"
    "| `stratum` | `hard`: passed the difficulty threshold or was expanded from one that did; "
    "`easy`: the rest |\n"
    "| `mfd` | teacher's score minus student's score, before training; null when not judged |\n"
    "| `scores` | the judge's scores, 1-10 |\n"
    "| `source` | file or stage the instruction comes from |\n"
    "| `author` | who wrote the response |\n"
    "| `hash` | digest of the prompt, white space folded: for finding duplicates |\n";

}  // namespace

std::string data_card(const std::vector<ExportRow>& rows, const DataCard& card,
                      const ExportOptions& options) {
  std::set<std::string> distinct;
  for (const ExportRow& row : rows) distinct.insert(row.instruction.id);
  std::string text = front_matter(rows, options);
  text += "# " + cell(card.title) + "\n\n" + std::to_string(rows.size()) + " rows, " +
          std::to_string(distinct.size()) + " distinct instructions; written by tapir " +
          card.version + ".\n\n";
  for (const auto& [name, value] : card.facts)
    text += "- " + cell(name) + ": " + cell(value) + "\n";
  text += "- Fingerprint: `" + card.fingerprint + "`\n\n## Rows by task\n\n" + count_table(rows);
  text += "\n## Rows by round\n\n" + round_table(rows);
  text += "\n## Models and what they cost\n\n" + model_table(card.models);
  text += "\n## Where the text comes from\n\n" + source_list(rows, card.licenses);
  text +=
      "\nInstructions keep the licence of the files they come from; responses fall under the terms "
      "of the model that "
      "wrote them.\n\n## Columns\n\n";
  text += kColumns;
  text += "\n## Recipe\n\n" + code_block("yaml", card.recipe);
  return text;
}

}  // namespace tapir::dataset
