// Keys of `resources`: where things are computed, and when servers are up.
#include "pipeline/recipe_table.h"

namespace tapir::pipeline {
namespace {

#define FIELD(path) ([](Recipe & r) -> auto& { return (r.resources.path); })

void add_server(Table<Recipe>& t, const std::string& role, ServerPart& (*part)(Recipe&)) {
  const auto field = [part](auto ServerPart::*member) {
    return [ part, member ](Recipe & r) -> auto& { return part(r).*member; };
  };
  const std::string prefix = "resources." + role + ".";
  t.text(prefix + "command", field(&ServerPart::command), {},
         "starts an OpenAI-compatible server of the " + role + " where it is needed, instead of " +
             role + ".endpoints; slots {model} (what the role is asked for), {host}, {port}",
         /*results=*/false)
      .counts(prefix + "gpus", field(&ServerPart::gpus),
              "GPUs of that server; none: resources.gpus", /*results=*/false)
      .text(prefix + "keep", field(&ServerPart::keep), {"run", "stage"},
            "run: up until the run ends; stage: stopped before the next stage that computes "
            "without it",
            /*results=*/false)
      .real(prefix + "memory_gb", field(&ServerPart::memory_gb), {0, kInfinity},
            "GB that it takes of each of its GPUs; 0: all", /*results=*/false)
      .real(prefix + "start_timeout", field(&ServerPart::start_timeout), {0, 86400, true},
            "seconds until it has to be healthy", /*results=*/false);
}

}  // namespace

void add_resources(Table<Recipe>& t) {
  t.counts("resources.gpus", FIELD(gpus), "GPUs that the run may use, by CUDA's index; none: all",
           /*results=*/false)
      .counts("resources.train.gpus", FIELD(train.gpus), "those of training; none: resources.gpus",
              /*results=*/false)
      .counts("resources.answers.gpus", FIELD(answers.gpus),
              "those of the students' servers (generation.backend: command), one each in turn; "
              "none: resources.gpus",
              /*results=*/false)
      .real("resources.answers.memory_gb", FIELD(answers.memory_gb), {0, kInfinity},
            "GB that answering takes of each; 0: of a server all, of the native engine its weights",
            /*results=*/false);
  add_server(t, "teacher", [](Recipe& r) -> ServerPart& { return r.resources.teacher; });
  add_server(t, "judge", [](Recipe& r) -> ServerPart& { return r.resources.judge; });
  add_server(t, "auditor", [](Recipe& r) -> ServerPart& { return r.resources.auditor; });
}

}  // namespace tapir::pipeline
