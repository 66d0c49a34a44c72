#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "report/html.h"
#include "report/sections.h"

namespace tapir::report {
namespace {

constexpr const char* kDash = "\xE2\x80\x93";

std::string counts(const std::map<std::string, std::uint64_t>& by_reason) {
  std::string text;
  for (const auto& [reason, count] : by_reason) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ",
                        reason.empty() ? "no reason given" : in_words(reason),
                        number(static_cast<std::int64_t>(count)));
  }
  return text;
}

std::string reasons(const Ledger& ledger) {
  const std::string failed = counts(ledger.failed);
  const std::string filtered = counts(ledger.filtered);
  return failed + (failed.empty() || filtered.empty() ? "" : "; ") + filtered;
}

std::string count(std::uint64_t value) { return number(static_cast<std::int64_t>(value)); }

std::string ledger_table(const std::vector<StageRow>& stages) {
  Table table({{"stage", false},
               {"state", false},
               {"in"},
               {"done"},
               {"failed"},
               {"filtered"},
               {"why", false},
               {"time"}});
  for (const StageRow& stage : stages) {
    if (!stage.begun) {
      table.row({escape(stage.name), "not yet", kDash, kDash, kDash, kDash, "", kDash}, "waiting");
      continue;
    }
    const Ledger& ledger = stage.ledger;
    const bool balanced = !stage.finished || ledger.balances();
    table.row({escape(stage.name),
               stage.finished ? (balanced ? "done" : "does not balance") : "under way",
               stage.finished ? count(ledger.in) : kDash, count(ledger.done),
               count(ledger.failed_total()), count(ledger.filtered_total()), reasons(ledger),
               duration(stage.seconds)});
  }
  std::uint64_t failed = 0;
  bool balanced = true;
  bool complete = true;
  for (const StageRow& stage : stages) {
    failed += stage.ledger.failed_total();
    balanced = balanced && (!stage.finished || stage.ledger.balances());
    complete = complete && stage.finished;
  }
  const std::string summary =
      fmt::format("Ledger of every stage: {}, {} rows failed",
                  balanced ? "every one balances" : "not every one balances", count(failed));
  return fold(summary, table.html() + "<p class=\"note\">In = done + failed + filtered.</p>",
              /*open=*/!balanced || !complete);
}

std::string pair_cell(const std::optional<double>& estimated, double actual, bool begun,
                      std::string (*show)(double)) {
  const std::string left = estimated ? show(*estimated) : kDash;
  return left + " / " + (begun ? show(actual) : kDash);
}

std::string whole(double value) { return number(std::llround(value)); }

std::string estimate_table(const std::vector<StageRow>& stages) {
  const bool any = std::any_of(stages.begin(), stages.end(),
                               [](const StageRow& s) { return s.estimated_seconds.has_value(); });
  if (!any) return card("Estimated and actual", not_yet("This run has no estimate."));
  Table table({{"stage", false},
               {"time, estimated / actual"},
               {"calls, estimated / actual"},
               {"tokens, estimated / actual"},
               {"cost, estimated / actual"}});
  StageRow sum;
  sum.estimated_seconds = sum.estimated_calls = sum.estimated_tokens = sum.estimated_usd = 0;
  for (const StageRow& stage : stages) {
    const bool nothing =
        stage.estimated_seconds.value_or(0) == 0 && stage.seconds < 0.05 && stage.calls == 0;
    *sum.estimated_seconds += stage.estimated_seconds.value_or(0);
    *sum.estimated_calls += stage.estimated_calls.value_or(0);
    *sum.estimated_tokens += stage.estimated_tokens.value_or(0);
    *sum.estimated_usd += stage.estimated_usd.value_or(0);
    sum.usd += stage.usd;
    sum.seconds += stage.seconds;
    sum.calls += stage.calls;
    sum.tokens += stage.tokens;
    if (nothing) continue;
    table.row(
        {escape(stage.name),
         pair_cell(stage.estimated_seconds, stage.seconds, stage.begun, duration),
         pair_cell(stage.estimated_calls, static_cast<double>(stage.calls), stage.begun, whole),
         pair_cell(stage.estimated_tokens, static_cast<double>(stage.tokens),
                   stage.begun && stage.tokens > 0, whole),
         pair_cell(stage.estimated_usd, stage.usd, stage.begun, money)},
        stage.begun ? "" : "waiting");
  }
  table.row({"in all", pair_cell(sum.estimated_seconds, sum.seconds, true, duration),
             pair_cell(sum.estimated_calls, static_cast<double>(sum.calls), true, whole),
             pair_cell(sum.estimated_tokens, static_cast<double>(sum.tokens), true, whole),
             pair_cell(sum.estimated_usd, sum.usd, true, money)},
            "sum");
  return fold("Estimated and actual time, calls, tokens and cost, by stage",
              table.html() +
                  "<p class=\"note\">Tokens: of teacher and judge, or through the optimizer; what "
                  "a local student decodes is not "
                  "counted.</p>");
}

std::string usage_table(const std::vector<store::UsageRow>& usage) {
  if (usage.empty())
    return card("Teacher and judge", not_yet("Neither teacher nor judge was asked yet."));
  Table table({{"role", false},
               {"model", false},
               {"replies"},
               {"failed"},
               {"sends"},
               {"prompt tokens"},
               {"of them cached"},
               {"completion tokens"},
               {"cost"},
               {"mean seconds"}});
  for (const store::UsageRow& row : usage) {
    const double mean = row.replies > 0 ? row.seconds / static_cast<double>(row.replies) : 0;
    table.row({escape(row.role), escape(row.model), number(row.replies), number(row.failed),
               number(row.sends), number(row.prompt_tokens), number(row.cached_prompt_tokens),
               number(row.completion_tokens), money(row.usd), decimal(mean, 3)});
  }
  return card(
      "Teacher and judge", table.html(),
      "Sends: what left this machine, retries included; a reply from the store is not sent again.");
}

std::string repeat_card(const RunFacts& run) {
  std::string html;
  const auto fact = [&](const char* name, const std::string& value) {
    if (!value.empty())
      html += fmt::format("<p class=\"meta\"><b>{}</b> <code>{}</code></p>\n", name, escape(value));
  };
  fact("Fingerprint", run.fingerprint);
  fact("Command", run.command);
  fact("Seed", run.seed);
  fact("Version", run.version);
  fact("Machine", run.machine);
  if (html.empty()) html = not_yet("This run says nothing about itself yet.");
  if (!run.recipe.empty())
    html += fold("The resolved recipe", "<pre>" + excerpt(run.recipe, 40000) + "</pre>");
  return card("How to repeat it", html,
              "The same recipe with the same seed gives the same rows on a machine of the same "
              "type. A run folder goes on "
              "where it stopped with the same command.");
}

}  // namespace

std::string run_section(const ReportData& data) {
  std::string body;
  if (data.stages.empty()) {
    body += not_yet("No stage has begun yet.");
  } else {
    body += ledger_table(data.stages) + estimate_table(data.stages);
  }
  body += usage_table(data.usage) + repeat_card(data.run);
  return section("run", "The run", "", body);
}

}  // namespace tapir::report
