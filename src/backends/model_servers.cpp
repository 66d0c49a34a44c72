#include "backends/model_servers.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/command_template.h"
#include "base/error.h"
#include "base/gpus.h"
#include "base/strings.h"
#include "llm/http_loop.h"

namespace tapir::backends {
namespace {

using Clock = std::chrono::steady_clock;
constexpr const char* kHost = "127.0.0.1";
constexpr std::size_t kLogLines = 12;
constexpr int kPorts = 3;  // tried by a server that finds its port taken
constexpr std::chrono::milliseconds kLook{200};

struct Known {
  const char* program;
  const char* how;
};
// How to get the servers that people use.
constexpr Known kKnown[] = {
    {"vllm", "`pip install vllm` in an environment of its own, and its bin folder in PATH"},
    {"sglang", "`pip install sglang` in an environment of its own, and its bin folder in PATH"},
    {"llama-server", "llama.cpp's releases and packages have it"},
    {"transformers", "`pip install 'transformers[serving]'`, and its bin folder in PATH"},
};

std::string how_to_get(const std::string& command) {
  const std::string program = std::filesystem::path(program_of(command)).filename().string();
  for (const Known& known : kKnown) {
    if (program == known.program) return program + ": " + known.how;
  }
  return "is '" + program + "' installed, and in PATH? Its full path may stand in the command";
}

bool says_port_is_taken(const std::filesystem::path& log) {
  const std::string text = lower_ascii(last_lines(log, kLogLines));
  return text.find("already in use") != std::string::npos ||
         text.find("port is in use") != std::string::npos;
}

llm::HttpDeadlines short_deadlines() {
  llm::HttpDeadlines deadlines;
  deadlines.connect = std::chrono::seconds(2);
  deadlines.first_byte = deadlines.total = std::chrono::seconds(10);
  return deadlines;
}

// Servers that load answer 503 there; others have no such page, and say so.
bool says_it_is_ill(int port) {
  llm::HttpLoop loop;
  llm::HttpOutcome outcome;
  llm::HttpCall call;
  call.post = false;
  call.url = fmt::format("http://{}:{}/health", kHost, port);
  call.deadlines = short_deadlines();
  loop.start(std::move(call), [&](llm::HttpOutcome done) { outcome = std::move(done); });
  while (loop.in_flight() > 0) loop.run_once(std::chrono::seconds(1));
  return outcome.end != llm::HttpEnd::complete || outcome.status >= 500;
}

bool uses_slot(const std::string& command, const char* slot) {
  const std::vector<std::string> used = slots_of(command);
  return std::find(used.begin(), used.end(), slot) != used.end();
}

// Error{usage}: another slot than these, or none for the port.
void check_slots(const std::string& command, const std::vector<std::string>& known,
                 const std::string& where) {
  std::map<std::string, std::string> values;
  for (const std::string& slot : known) values[slot] = "1";
  (void)expand_template(command, values, where);
  if (uses_slot(command, "port")) return;
  throw Error(ErrorKind::usage, where + ": the command has no slot {port}: " + command,
              "tapir chooses a free port; for example \"vllm serve {model} --port {port}\"");
}

}  // namespace

struct ModelServers::Server {
  int number = 0;  // from 1
  int port = 0;
  std::filesystem::path log;
  std::unique_ptr<ChildProcess> process;
  bool mourned = false;  // its end was told
};

void check_server_command(const std::string& command, const std::string& where) {
  check_slots(command, {"model", "name", "host", "port", "gguf"}, where);
  if (uses_slot(command, "model") || uses_slot(command, "gguf")) return;
  throw Error(ErrorKind::usage,
              where +
                  ": the command has neither {model} nor {gguf}: it would serve the same "
                  "student in every round",
              "{model} is the student's folder, {gguf} a GGUF file of it");
}

void check_role_command(const std::string& command, const std::string& where) {
  check_slots(command, {"model", "host", "port"}, where);
}

ModelServers::ModelServers(const std::filesystem::path& folder, ServerOptions options,
                           ProgressSink& progress, const std::stop_token& stop)
    : folder_(folder.empty() ? folder : std::filesystem::absolute(folder).lexically_normal()),
      options_(std::move(options)),
      progress_(progress),
      start_(Clock::now()) {
  if (uses_slot(options_.command, "gguf")) {
    check(static_cast<bool>(options_.write_gguf), "somebody writes GGUF files");
    std::filesystem::create_directories(options_.logs);
    gguf_ = options_.logs / (options_.name + ".gguf");
    options_.write_gguf(folder_, gguf_);
  }
  for (int i = 1; i <= options_.servers; ++i) {
    servers_.push_back(std::make_unique<Server>());
    servers_.back()->number = i;
    servers_.back()->log = options_.logs / fmt::format("server-{}-{}.log", options_.name, i);
    start(*servers_.back());
  }
  for (const auto& server : servers_) {
    wait_for(*server, stop);
    addresses_.push_back({fmt::format("http://{}:{}/v1", kHost, server->port), {}, {}});
    progress_.message(fmt::format("{} is healthy on port {} ({:.1f} s)", name_of(*server),
                                  server->port,
                                  std::chrono::duration<double>(Clock::now() - start_).count()));
  }
}

ModelServers::~ModelServers() {
  // Side by side: each may take its time to end.
  std::vector<std::jthread> threads;
  for (const auto& server : servers_)
    threads.emplace_back([&process = server->process] { process.reset(); });
  threads.clear();
  std::error_code ignored;
  if (!gguf_.empty()) std::filesystem::remove(gguf_, ignored);
}

std::string ModelServers::name_of(const Server& server) const {
  return fmt::format("server {} of {} {} {}", server.number, options_.servers,
                     folder_.empty() ? "of the" : "over", options_.name);
}

std::map<std::string, std::string> ModelServers::slots(int port) const {
  if (folder_.empty())
    return {{"model", options_.model}, {"host", kHost}, {"port", std::to_string(port)}};
  return {{"model", folder_.string()},
          {"name", folder_.filename().string()},
          {"host", kHost},
          {"port", std::to_string(port)},
          {"gguf", gguf_.string()}};
}

void ModelServers::start(Server& server) {
  server.port = free_loopback_port();
  ChildOptions child;
  child.command = expand_template(options_.command, slots(server.port), options_.where);
  child.log = server.log;
  child.grace = options_.grace;
  if (!options_.gpus.empty()) {
    const auto turn = static_cast<std::size_t>(server.number - 1) % options_.gpus.size();
    child.environment["CUDA_VISIBLE_DEVICES"] = visible_gpus(options_.gpus[turn]);
  }
  server.process = std::make_unique<ChildProcess>(std::move(child));
}

void ModelServers::fail(const Server& server, const std::string& what,
                        const std::string& hint) const {
  const std::string lines = last_lines(server.log, kLogLines);
  throw Error(ErrorKind::endpoint,
              fmt::format("{}: {} {}\n{}\n{}", options_.where, name_of(server), what,
                          server.log.string(), lines.empty() ? "(the log is empty)" : lines),
              hint);
}

void ModelServers::wait_for(Server& server, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  for (int ports = 1;;) {
    if (const auto ended = server.process->poll()) {
      if (ports < kPorts && says_port_is_taken(server.log)) {
        ++ports;
        start(server);
        continue;
      }
      const bool not_found = ended->code == 127 && ended->signal == 0;
      fail(server, "did not start: " + ended->words(),
           not_found ? how_to_get(options_.command)
                     : "the lines above are its own; the same command line can be tried by hand");
    }
    const llm::EndpointLook seen = llm::look_at_endpoint(
        {fmt::format("http://{}:{}/v1", kHost, server.port), {}, {}}, short_deadlines());
    if (seen.error.empty() && !says_it_is_ill(server.port)) return take_name(server, seen.models);
    if (Clock::now() - start_ > options_.start_timeout) {
      fail(server,
           fmt::format("is not healthy after {:.0f} s",
                       std::chrono::duration<double>(options_.start_timeout).count()),
           "raise start_timeout beside that key where loading takes longer; the server has to "
           "listen on {host} and {port}");
    }
    std::unique_lock lock(mutex);
    stopped.wait_for(lock, stop, kLook, [] { return false; });
    if (stop.stop_requested()) {
      throw Error(ErrorKind::interrupted, "interrupted while " + name_of(server) + " starts",
                  "the same command goes on from here");
    }
  }
}

// It is asked for a model by its name, whatever else it has.
void ModelServers::take_listed(const Server& server, const std::vector<std::string>& models) {
  model_ = options_.model;
  if (models.empty() || std::find(models.begin(), models.end(), model_) != models.end()) return;
  fail(server, fmt::format("serves another model: {}; expected {}", join(models, ", "), model_),
       "the command has to serve {model} under that name (vLLM: --served-model-name)");
}

// A server may call the student by its folder, by the name it was told, or as it likes when that is
// all it has. Among several, one has to be the student.
void ModelServers::take_name(const Server& server, const std::vector<std::string>& models) {
  if (folder_.empty()) return take_listed(server, models);
  if (!options_.model.empty()) {
    model_ = options_.model;
    for (const auto& [slot, value] : slots(server.port))
      model_ = replace_all(model_, "{" + slot + "}", value);  // no shell reads it
    return;
  }
  const std::string name = folder_.filename().string();
  std::string found = models.size() == 1 ? models.front() : name;
  for (const std::string& own : {folder_.string(), gguf_.string(), name}) {
    if (!own.empty() && std::find(models.begin(), models.end(), own) != models.end()) found = own;
  }
  const bool was_told = uses_slot(options_.command, "name");
  const bool is_listed =
      models.empty() || std::find(models.begin(), models.end(), found) != models.end();
  if (!is_listed || (was_told && !models.empty() && found != name)) {
    fail(server,
         fmt::format("serves another model: {}; expected {}", join(models, ", "),
                     was_told ? name : name + " or " + folder_.string()),
         "does another server answer on that port, or does the command name a fixed model? {model} "
         "and {name} stand for the student");
  }
  if (!model_.empty() && model_ != found)
    fail(server, "calls the student " + found + ", others " + model_, "are they the same program?");
  model_ = found;
}

std::size_t ModelServers::look() {
  std::size_t running = 0;
  for (const auto& server : servers_) {
    const auto ended = server->process->poll();
    if (!ended) {
      ++running;
    } else if (!std::exchange(server->mourned, true)) {
      const char* then = options_.servers > 1 ? "; its requests go to the others" : "";
      progress_.message(fmt::format("{}: {}{} (log: {})", name_of(*server), ended->words(), then,
                                    server->log.string()));
    }
  }
  return running;
}

std::string ModelServers::obituary() {
  std::string text;
  for (const auto& server : servers_) {
    const auto ended = server->process->poll();
    if (!ended) return {};
    text += fmt::format("{}{}: {}\n{}\n{}", text.empty() ? "" : "\n", name_of(*server),
                        ended->words(), server->log.string(), last_lines(server->log, kLogLines));
  }
  return text;
}

}  // namespace tapir::backends
