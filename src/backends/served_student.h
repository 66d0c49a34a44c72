// student.generation.backend: command. Students answer through servers of others; whatever else is
// asked of them (losses, tokens, training) is done by the engine inside.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "backends/model_servers.h"
#include "base/progress.h"
#include "student/student.h"

namespace tapir::backends {

struct ServedOptions {
  // `name` of it is filled in by name_student.
  ServerOptions servers;
  // What a student is called in the names of its logs.
  std::function<std::string(const std::filesystem::path& folder)> name_student;
  std::size_t max_concurrent_requests = 64;  // of each server; speed only
};

// load() opens nothing: the first generate() of a student starts its servers, which run as long as
// the student lives.
//
// generate() of such a student: conversations go as chat messages, so that the server applies the
// folder's chat template; sampling as fields of the OpenAI API, drawn by a seed of the row's own.
// An answer depends on the server, and with many of them on the row's company: nothing here is
// promised to the bit. A row that a server refuses for good is a failed one ("too_long" for the
// context). A server that ends in the middle costs no row. Error{endpoint}: all have ended, or rows
// are left without an answer; what was answered has been handed to the sink.
// GenerateOptions::slots, workers and threads are the server's own matter.
//
// progress outlives the engine and its students.
std::shared_ptr<const student::StudentEngine> serve_students(
    std::shared_ptr<const student::StudentEngine> engine, ServedOptions options,
    ProgressSink& progress);

}  // namespace tapir::backends
