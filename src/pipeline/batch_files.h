// `tapir batch export` and `import`: the requests of a run store that wait for the Batch API, out
// as files, and the replies in. A file command's store (<output>.tapir) is one too.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "llm/batch_lines.h"
#include "llm/budget.h"
#include "store/run_store.h"

namespace tapir::pipeline {

// What the replies of that role are booked at when they come.
void note_batch_prices(store::RunStore& store, std::string_view role, const llm::Prices& prices);

// ---- export ----
struct BatchExportOptions {
  std::string stage;             // of this stage only; empty: of all
  std::filesystem::path folder;  // new or empty
  std::size_t max_requests = llm::kMaxBatchRequests;
  std::size_t max_bytes = llm::kMaxBatchBytes;
};
struct BatchFile {
  std::filesystem::path path;
  std::int64_t requests = 0;
};
// Writes "<role>-001.jsonl", ...: one role, hence one model, a file, and no file above the limits.
// custom_id is the key of the reply. Error{data}: nothing waits. Error{usage}: the folder holds
// something.
std::vector<BatchFile> export_batch(const store::RunStore& store,
                                    const BatchExportOptions& options);

// ---- import ----
struct BatchImport {
  std::int64_t lines = 0;
  std::int64_t answered = 0;
  // At max_tokens. For whom that is an answer (llm::ChatRequest::cut_is_answer) is not in the file:
  // the next sitting takes it for one, or for a failed row.
  std::int64_t cut = 0;
  // Replies that are other failures, by kind. Transient ones still wait, for another batch.
  std::map<std::string, std::int64_t> failed;
  std::int64_t known = 0;  // answered before: the file was imported already
  // Lines that are nothing to this store, by why: "unreadable", "unknown", "duplicate".
  std::map<std::string, std::int64_t> refused;
  std::vector<std::string> complaints;  // "file:line: ...", the first ones
  std::int64_t waiting = 0;             // requests that still wait, in all
  double usd = 0;                       // booked
  bool all_well() const { return failed.empty() && refused.empty(); }
};
// Output and error files of batches, in any order and in parts. What answers a request is as
// durable on return as a reply over the network. A line that cannot be used is counted and named,
// and stops nothing. Error{data}: a file that cannot be read.
BatchImport import_batch(store::RunStore& store, const std::vector<std::filesystem::path>& files);
Json import_json(const BatchImport& done);
std::string import_text(const BatchImport& done);

}  // namespace tapir::pipeline
