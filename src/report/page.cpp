#include <fmt/format.h>

#include "report/html.h"
#include "report/report.h"
#include "report/sections.h"
#include "report/style.h"

namespace tapir::report {
namespace {

std::string state_words(const RunFacts& run) {
  if (run.planned == 0) return "no stage begun";
  if (run.complete()) return fmt::format("complete, {} stages", run.planned);
  return fmt::format("under way: {} of {} stages done", run.finished, run.planned);
}

std::string page_title(const RunFacts& run) {
  return run.name.empty() ? "Report of a run" : run.name;
}

std::string header(const RunFacts& run) {
  std::string facts = "<b>" + escape(state_words(run)) + "</b>";
  if (!run.seed.empty()) facts += " &middot; seed " + escape(run.seed);
  if (!run.version.empty()) facts += " &middot; tapir " + escape(run.version);
  if (!run.fingerprint.empty())
    facts += " &middot; <code>" + escape(run.fingerprint.substr(0, 12)) + "</code>";
  return fmt::format(
      "<header><div><p class=\"brand\">TAPIR distillation report</p><h1>{}</h1><p "
      "class=\"meta\">{}</p></div></header>\n",
      escape(page_title(run)), facts);
}

std::string navigation(const ReportData& data) {
  return std::string("<nav aria-label=\"Sections\"><div><a href=\"#headline\">Outcome</a>") +
         (data.held_out ? "<a href=\"#held-out\">Held-out rows</a>" : "") +
         "<a href=\"#exam\">Exam</a>" +
         (data.benchmarks.empty() ? "" : "<a href=\"#benchmarks\">Benchmarks</a>") +
         "<a href=\"#difficulty\">Difficulty</a><a href=\"#tasks\">Tasks</a><a "
         "href=\"#training\">Training</a><a href=\"#signs\">Trust</a>"
         "<a href=\"#examples\">Examples</a><a href=\"#run\">The run</a></div></nav>\n";
}

}  // namespace

std::string render_html(const ReportData& data) {
  const std::string sections =
      headline_section(data) + held_out_section(data) + exam_section(data) +
      benchmarks_section(data) + difficulty_section(data) + tasks_section(data) +
      training_section(data) + signs_section(data) + examples_section(data) + run_section(data);
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{} \xC2\xB7 tapir</title>\n<link rel=\"icon\" "
      "href=\"data:,\">\n<style>{}</style>\n</head>\n<body>\n{}{}"
      "<main>\n{}<footer>Written by tapir {}. Nothing on this page is loaded from a "
      "network.</footer></main>\n"
      "</body>\n</html>\n",
      escape(page_title(data.run)), style_sheet(), header(data.run), navigation(data), sections,
      escape(data.run.version));
}

}  // namespace tapir::report
