// The sections of the page, each a pure function of the data. Inside this folder only.
#pragma once

#include <string>

#include "report/report_data.h"

namespace tapir::report {

std::string headline_section(const ReportData& data);
std::string held_out_section(const ReportData& data);  // empty when no row was held out
std::string difficulty_section(const ReportData& data);
// Cards of the section on difficulty.
std::string judge_card(const JudgeQuality& judge);
std::string components_card(const Difficulty& difficulty);  // where judged by requirements
std::string ratios_card(const Difficulty& difficulty);      // of Instruction-Following Difficulty
std::string tasks_section(const ReportData& data);
// The floor under an arm's new instructions; empty where nothing was judged.
std::string floor_part(const ArmTeaching& arm);
std::string training_section(const ReportData& data);
std::string exam_section(const ReportData& data);        // heat maps and forgetting
std::string benchmarks_section(const ReportData& data);  // empty where none was run
std::string signs_section(const ReportData& data);
std::string examples_section(const ReportData& data);
std::string run_section(const ReportData& data);  // ledger, time, usage, how to repeat

// The colour of an arm (or of S_0: "") everywhere on the page.
std::string arm_class(const ReportData& data, std::string_view arm);

}  // namespace tapir::report
