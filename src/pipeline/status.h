// What `tapir status` and `tapir inspect` show: read from the store alone.
#pragma once

#include <filesystem>
#include <string>

#include "base/json.h"
#include "store/run_store.h"

namespace tapir::pipeline {

// {"run", "fingerprint", "finished", "stages": [{name, state, in, done, failed, filtered,
// seconds}], "usage": [...],
//  "usd", "students": [{student, macro_accuracy, ...}]}
Json status_json(const store::RunStore& store, const std::filesystem::path& run_dir);
std::string status_text(const Json& status);

// Of a stage that is about to be redone: seconds, and what the endpoints got.
std::string cost_of_stage(const store::RunStore& store, const store::StageRecord& record);

// One instruction with all that happened to it.
Json inspect_json(const store::RunStore& store, const std::string& id);
std::string inspect_text(const Json& record);
// What there is to look at, when no id is given: counts and some ids of hard rows.
std::string inspect_overview(const store::RunStore& store);

// The ten lines at the end of a run.
std::string summary_text(const store::RunStore& store, const std::filesystem::path& run_dir);

}  // namespace tapir::pipeline
