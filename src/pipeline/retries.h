// Rows that are asked about again after they failed for good (`tapir retry`, --retry of the file
// commands). Asking again is a further attempt: a request of its own under a key of its own. So
// what was paid stays, a stop loses nothing, and rows that went well are found under the keys they
// had.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "store/run_store.h"

namespace tapir::pipeline {

// Of one stage.
struct Retries {
  std::map<std::string, int> times;  // by row: how often it has been asked about again
  // The rows of a retry whose outcome has not been looked at yet, as the stage's outcomes name
  // them.
  std::set<std::string> pending;
};
Retries read_retries(const store::RunStore& store, const std::string& stage);
void write_retries(store::RunStore& store, const std::string& stage, const Retries& retries);

// Notes that the stage's failed rows are to be asked about once more. How many there are; where
// there are none, nothing is noted.
std::size_t note_retry(store::RunStore& store, const std::string& stage);

// Whether a stage of that name asks teacher or judge; the judge's ones may score by rule.
bool may_ask_a_model(std::string_view stage);

// By stage, how many rows failed that a model was asked about: those that a retry can do something
// for.
std::map<std::string, std::size_t> rows_to_retry(const store::RunStore& store);

// The attempt to ask a request with, whose own is `attempt`. request: its row_id ("<row>", or
// "<row>/<order>" or "<row>/<side>" of a judge).
int retried_attempt(const std::map<std::string, int>& times, std::string_view request, int attempt);

}  // namespace tapir::pipeline
