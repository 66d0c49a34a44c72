// Servers of others, over a student's folder or as a teacher: vLLM, llama.cpp, transformers, our
// own. Started by a command line of the user, asked as an OpenAI-compatible endpoint, stopped at
// the end.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/progress.h"
#include "llm/endpoint_address.h"

namespace tapir::backends {

struct ServerOptions {
  // For /bin/sh, with slots: {model} the folder, {name} its last name, {host}, {port}, and {gguf},
  // the student as a GGUF file, which is made where the slot is used.
  std::string command;
  std::string where = "student.generation.command";  // the key, in messages
  // What they are asked for, with the same slots. Empty: what they list, which is then checked.
  // Without a folder: what {model} stands for, and has to be among what they list.
  std::string model;
  int servers = 1;
  std::chrono::milliseconds start_timeout{600'000};  // of all of them, until healthy
  std::chrono::milliseconds grace{10'000};           // between SIGTERM and SIGKILL
  std::filesystem::path logs;                        // folder of server-<name>-<n>.log
  std::string name;                                  // "tapir-round-1", "teacher"
  // By server, in turn: the GPUs that it sees, by CUDA's index. Empty: as this process.
  std::vector<std::vector<std::int64_t>> gpus;
  // Writes a folder's student as this file; empty: {gguf} is refused.
  std::function<void(const std::filesystem::path& folder, const std::filesystem::path& file)>
      write_gguf;
};

// Error{usage} naming the key: an unknown slot, or none of {port}, or neither {model} nor {gguf}.
void check_server_command(const std::string& command, const std::string& where);

// Of a server that is no student's: an unknown slot ({model}, {host}, {port} are known), or no
// {port}.
void check_role_command(const std::string& command, const std::string& where);

// Runs while it lives. Not thread-safe, but for addresses() and model().
class ModelServers {
 public:
  // Returns when all are healthy: GET /health says so where there is such a page, and GET
  // /v1/models lists the model, where it lists anything. Error{endpoint} with the log's last
  // lines: one ended, was not healthy in time, or serves another model; Error{interrupted} on stop.
  // A server whose port was taken meanwhile is started again on another.
  // folder: of a student; empty: they serve a model by its name.
  ModelServers(const std::filesystem::path& folder, ServerOptions options, ProgressSink& progress,
               const std::stop_token& stop);
  ~ModelServers();
  ModelServers(const ModelServers&) = delete;
  ModelServers& operator=(const ModelServers&) = delete;

  const std::vector<llm::EndpointAddress>& addresses() const { return addresses_; }
  // What they call the model.
  const std::string& model() const { return model_; }
  // How many run. Whoever has ended since the last look is told to `progress`.
  std::size_t look();
  // How each ended, with the last lines of its log; empty while one runs.
  std::string obituary();

 private:
  struct Server;
  void start(Server& server);
  // The values of the slots for a server on this port.
  std::map<std::string, std::string> slots(int port) const;
  void wait_for(Server& server, const std::stop_token& stop);
  void take_name(const Server& server, const std::vector<std::string>& models);
  void take_listed(const Server& server, const std::vector<std::string>& models);
  std::string name_of(const Server& server) const;
  [[noreturn]] void fail(const Server& server, const std::string& what,
                         const std::string& hint) const;

  const std::filesystem::path folder_;
  const ServerOptions options_;
  ProgressSink& progress_;
  const std::chrono::steady_clock::time_point start_;
  std::filesystem::path gguf_;  // empty: none was made
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<llm::EndpointAddress> addresses_;
  std::string model_;
};

}  // namespace tapir::backends
