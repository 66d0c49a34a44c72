// Students that a server answers for. The servers are lines of shell and Python here; tests/e2e has
// real ones.
#include "backends/served_student.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "../error_of.h"
#include "base/file.h"

namespace tapir::backends {
namespace {

// Answers with what it was asked, refuses long questions as servers do, and dies of "die".
constexpr const char* kServer = R"(
import http.server, json, os, sys
class Page(http.server.BaseHTTPRequestHandler):
    def reply(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def do_GET(self):
        if self.path == "/v1/models":
            self.reply(200, {"object": "list", "data": [{"id": sys.argv[2]}]})
        else:
            self.reply(404, {})
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        words = body["messages"][-1]["content"]
        if words == "die":
            os._exit(9)
        if words == "long":
            self.reply(400, {"error": {"message": "too many tokens", "type": "invalid_request_error",
                                       "code": "context_length_exceeded"}})
            return
        said = words if words != "fields" else json.dumps({k: body.get(k) for k in
                                                           ("model", "temperature", "top_k", "max_tokens", "seed")})
        self.reply(200, {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [
            {"index": 0, "finish_reason": "length" if words == "cut" else "stop",
             "message": {"role": "assistant", "content": said}}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}})
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
)";

// No student is ever loaded.
class NoEngine final : public student::StudentEngine {
 public:
  std::shared_ptr<const student::Student> load(const std::filesystem::path&) const override {
    throw Error(ErrorKind::bug, "loaded");
  }
  student::Preflight preflight(const student::TrainJob&) const override { return {}; }
  student::TrainResult train(const student::TrainJob&, ProgressSink&,
                             std::stop_token) const override {
    return {};
  }
  std::string version() const override { return "none"; }
};

class Told final : public ProgressSink {
 public:
  void update(const ProgressUpdate&) override {}
  void message(std::string_view line) override {
    const std::lock_guard lock(mutex_);
    text_ += std::string(line) + "\n";
  }
  std::string text() {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

class ServedStudentTest : public ::testing::Test {
 protected:
  ServedStudentTest()
      : folder_(std::filesystem::path(::testing::TempDir()) /
                ("served-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ / "s0");
    write_file(folder_ / "server.py", kServer);
  }
  ~ServedStudentTest() override { std::filesystem::remove_all(folder_); }

  std::string command() const {
    return "python3 " + (folder_ / "server.py").string() + " {port} {name}; : {model}";
  }
  std::shared_ptr<const student::Student> student(const std::string& command, int servers = 1,
                                                  const std::string& model = "") {
    ServedOptions options;
    options.servers.model = model;
    options.servers.command = command;
    options.servers.servers = servers;
    options.servers.start_timeout = std::chrono::seconds(20);
    options.servers.logs = folder_ / "logs";
    options.servers.write_gguf = [](const auto&, const auto& file) { write_file(file, "GGUF"); };
    options.name_student = [](const auto& place) { return place.filename().string(); };
    options.max_concurrent_requests = 4;
    return serve_students(std::make_shared<NoEngine>(), options, told_)->load(folder_ / "s0");
  }
  static student::GenerateRequest asks(const std::string& words) {
    return {words, {{Role::user, words}}, ""};
  }
  std::map<std::string, student::Generation> answers(const student::Student& student,
                                                     const std::vector<std::string>& questions,
                                                     const student::GenerateOptions& how = {}) {
    std::vector<student::GenerateRequest> requests;
    for (const std::string& words : questions) requests.push_back(asks(words));
    got_.clear();
    student.generate(requests, how, [&](student::Generation row) { got_[row.id] = std::move(row); },
                     {});
    return got_;
  }

  std::filesystem::path folder_;
  Told told_;
  std::map<std::string, student::Generation> got_;
};

TEST_F(ServedStudentTest, AnswersAndFailuresComeBackByTheirRows) {
  const auto s = student(command(), 2);
  const auto got = answers(*s, {"one", "two", "cut", "long"});
  ASSERT_EQ(got.size(), 4u);
  EXPECT_EQ(got.at("one").text, "one");
  EXPECT_EQ(got.at("two").completion_tokens, 2);
  EXPECT_EQ(got.at("cut").finish_reason, FinishReason::length);
  EXPECT_EQ(got.at("cut").text, "cut");
  EXPECT_EQ(got.at("long").failure, "too_long");
  EXPECT_NE(told_.text().find("server 2 of 2 over s0 is healthy on port"), std::string::npos);
}

TEST_F(ServedStudentTest, SamplingIsTheRequests) {
  student::GenerateOptions how;
  how.sampling.max_new_tokens = 7;
  const auto s = student(command());
  EXPECT_EQ(answers(*s, {"fields"}, how).at("fields").text,
            R"({"model": "s0", "temperature": 0.0, "top_k": null, "max_tokens": 7, "seed": null})");
  how.sampling.temperature = 0.5;
  how.sampling.top_k = 5;
  const std::string drawn = answers(*s, {"fields"}, how).at("fields").text;
  EXPECT_NE(drawn.find(R"("temperature": 0.5, "top_k": 5, "max_tokens": 7, "seed": )"),
            std::string::npos);
  EXPECT_EQ(answers(*s, {"fields"}, how).at("fields").text, drawn);
  how.sampling.seed = 1;
  EXPECT_NE(answers(*s, {"fields"}, how).at("fields").text, drawn);
}

TEST_F(ServedStudentTest, WhenAllHaveEndedWhatWasAnsweredIsKept) {
  const auto s = student(command());
  const Error error = testing::error_of([&] { answers(*s, {"one", "die"}); });
  EXPECT_EQ(error.kind(), ErrorKind::endpoint);
  EXPECT_NE(std::string(error.what()).find("all servers have ended"), std::string::npos)
      << error.what();
  EXPECT_FALSE(got_.contains("die"));
  // And again: another server.
  EXPECT_EQ(answers(*s, {"two"}).at("two").text, "two");
}

TEST_F(ServedStudentTest, AServerOfAnotherNameIsRefused) {
  const Error error = testing::error_of([&] {
    answers(*student("python3 " + (folder_ / "server.py").string() + " {port} x{name} # {model}"),
            {"one"});
  });
  EXPECT_EQ(error.kind(), ErrorKind::endpoint);
  EXPECT_NE(std::string(error.what()).find("serves another model: xs0; expected s0"),
            std::string::npos)
      << error.what();
}

TEST_F(ServedStudentTest, AServerThatListsACatalogueIsAskedForWhatItIsTold) {
  student::GenerateOptions how;
  const std::string other =
      "python3 " + (folder_ / "server.py").string() + " {port} x{name} # {model}";
  const auto s = student(other, 1, "{model}");
  const std::string asked = answers(*s, {"fields"}, how).at("fields").text;
  EXPECT_NE(asked.find("\"model\": \"" + (folder_ / "s0").string() + "\""), std::string::npos)
      << asked;
}

TEST_F(ServedStudentTest, AGgufFileIsThereWhileItIsServed) {
  const std::filesystem::path file = folder_ / "logs" / "s0.gguf";
  {
    const auto s = student("test -f {gguf} && exec " + command());
    EXPECT_EQ(answers(*s, {"one"}).at("one").text, "one");
    EXPECT_TRUE(std::filesystem::exists(file));
  }
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST(ServerCommand, SlotsThatItNeeds) {
  const auto message = [](const std::string& command) {
    return std::string(testing::error_of([&] { check_server_command(command, "key"); }).what());
  };
  EXPECT_NO_THROW(check_server_command("llama-server -m {gguf} --port {port}", "key"));
  EXPECT_NE(message("vllm serve {model}").find("no slot {port}"), std::string::npos);
  EXPECT_NE(message("vllm serve x --port {port}").find("neither {model} nor {gguf}"),
            std::string::npos);
  EXPECT_NE(message("vllm serve {modle} --port {port}").find("did you mean {model}"),
            std::string::npos);
}

}  // namespace
}  // namespace tapir::backends
