// tapir serve
#include <fmt/format.h>

#include "base/secret.h"
#include "command.h"
#include "serve/server.h"
#include "student/student_chat_model.h"
#include "waiting.h"

namespace tapir::cli {
namespace {

struct ServeArguments {
  std::string model;
  std::string name;
  std::string api_key_env;
  serve::ServeOptions options;
  student::StudentChatOptions student;
  double max_body_mib = 8;
  double answer_timeout = 600;
  double drain = 30;
  bool json = false;
};

void serve_model(ServeArguments& a, Context& context) {
  a.options.api.api_key = secret_from_environment(a.api_key_env, "--api-key-env").reveal();
  a.options.api.answer_timeout = milliseconds_of(a.answer_timeout);
  a.options.http.max_body_bytes = static_cast<std::size_t>(a.max_body_mib * 1024 * 1024);
  a.student.name = a.name;
  a.student.max_waiting = a.options.api.max_queue;
  const auto model = student::make_student_chat_model(a.model, a.student);
  a.options.api.parallel = static_cast<std::size_t>(model->parallel());
  const std::string& name = model->identity().model;
  serve::Server server({{name, *model}}, a.options);
  if (a.json) {
    print(Json{{"url", server.url()}, {"port", server.port()}, {"model", name}});
    std::fflush(stdout);
  } else {
    context.progress->message(
        fmt::format("{} is served at {}/v1; Ctrl-C stops", name, server.url()));
  }
  wait_for_stop(context.stop);
  server.stop(milliseconds_of(a.drain));
}

}  // namespace

void add_serve(CLI::App& app, Context& context) {
  const auto a = std::make_shared<ServeArguments>();
  CLI::App* verb = app.add_subcommand(
      "serve",
      "OpenAI-compatible server: /v1/chat/completions, /v1/completions, /v1/models, /health, "
      "/metrics.\n"
      "  tapir serve --model students/final --port 8000\n"
      "  TAPIR_KEY=... tapir serve --model students/final --host 0.0.0.0 --api-key-env TAPIR_KEY\n"
      "Ctrl-C lets answers in work end (--drain), a second one stops at once");
  verb->add_option("--model", a->model, "student folder (Hugging Face layout)")->required();
  add_device_option(verb, a->student.device);
  add_dtype_option(verb, a->student.dtype);
  verb->add_option("--host", a->options.http.host,
                   "address to listen on; others than this machine's own need --api-key-env")
      ->capture_default_str();
  a->options.http.port = 8000;
  verb->add_option("--port", a->options.http.port, "0: any that is free")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  verb->add_option("--served-model-name", a->name,
                   "what clients call it (default: the folder's name)");
  verb->add_option("--api-key-env", a->api_key_env,
                   "environment variable that holds the key which clients must send");
  verb->add_option("--workers", a->student.workers, "batches decoded side by side; 0: chosen")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  verb->add_option("--threads", a->student.threads, "threads of one batch; 0: chosen")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  verb->add_option("--slots", a->student.slots, "answers of one batch; 0: 16 for each thread")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  verb->add_option("--max-queue", a->options.api.max_queue,
                   "answers that may wait for a slot; above it: 429")
      ->capture_default_str();
  verb->add_option("--max-connections", a->options.http.max_connections, "above it: 503")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  verb->add_option("--max-body", a->max_body_mib, "MiB of a request's body")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  verb->add_option("--answer-timeout", a->answer_timeout, "seconds for one answer")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  verb->add_option("--drain", a->drain, "seconds that answers in work get when the server stops")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  verb->add_flag("--json", a->json, "the address as JSON on standard output");
  verb->callback([a, &context] { serve_model(*a, context); });
}

}  // namespace tapir::cli
