// `tapir eval compliance`: rows with requirements and recorded answers to them; asks nobody.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "evaluate/compliance.h"
#include "evaluate/duplicates.h"
#include "evaluate/outputs.h"

namespace tapir::pipeline {

struct ComplianceOptions {
  // JSONL rows {"id" or IFEval's "key", "prompt", "instruction" or "messages"} with "components" or
  // IFEval's "instruction_id_list" and "kwargs" (rubric/read_rubric.h). Rows without are passed
  // over.
  std::string input;
  // JSONL {"id" or "key", "response"}, or IFEval's {"prompt", "response"}.
  std::string answers;
  std::string output;  // findings, a row each answer; empty: none
  // Answers to one row; of answers there is no average: Error{usage}.
  evaluate::Duplicates duplicates = evaluate::Duplicates::error;
  bool allow_extra = false;  // answers to rows that are not in the input
};

struct ComplianceSummary {
  std::int64_t rows = 0;      // of the input
  std::int64_t without = 0;   // of them: no component that code can check
  std::int64_t answered = 0;  // of them: with one, and an answer
  std::int64_t duplicate = 0;
  std::int64_t extra = 0;
  std::int64_t judged = 0;             // components that would need a judge, left out
  std::vector<std::string> missing;    // ids of rows without an answer: in no figure
  std::vector<std::string> conflicts;  // "<id>: <component> and <component>: why"
  evaluate::OutputCheck outputs;       // how the answers look
  std::vector<std::string> signs;      // what is off about them
  evaluate::Compliance strict;
  evaluate::Compliance loose;
};

// Error{data} "file:line": what cannot be read, ids that came before, answers that belong to no row
// or to one that has an answer already (unless the options say what to do).
ComplianceSummary check_compliance(const ComplianceOptions& options);
Json compliance_json(const ComplianceSummary& summary);
std::string compliance_text(const ComplianceSummary& summary);

// The prompts of the input as rows {"id", "messages"} for `tapir generate`; how many.
std::int64_t write_compliance_prompts(const std::string& input, const std::string& output);

}  // namespace tapir::pipeline
