// A store in a temporary folder, and processes of its own for what a test cannot do to itself.
#pragma once

#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "error_of.h"
#include "store/run_store.h"
#include "test_data.h"

namespace tapir::store {

class StoreTest : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "run.db"; }
  std::unique_ptr<RunStore> open(OpenMode mode = OpenMode::create) const {
    return RunStore::open(file(), mode);
  }

  const tapir::testing::TemporaryFolder folder_;
};

inline ReplyRecord ok_reply(const std::string& key, const std::string& text = "an answer") {
  ReplyRecord reply;
  reply.key = key;
  reply.row_id = "row " + key;
  reply.stage = "difficulty";
  reply.role = "judge";
  reply.model = "judge-model";
  reply.status = "ok";
  reply.text = text;
  reply.sends = 1;
  return reply;
}

using tapir::testing::error_of;

// Runs in a process of its own; what it returns is its exit code (99: an exception, told on
// standard error).
inline pid_t start_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  int code = 99;
  try {
    code = body();
  } catch (const std::exception& e) {
    std::cerr << "child: " << e.what() << std::endl;
  }
  ::_exit(code);
}

inline int exit_code_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace tapir::store
