// A role's model behind a server of a few lines of Python.
#include "backends/served_model.h"

#include <chrono>
#include <filesystem>
#include <future>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"

namespace tapir::backends {
namespace {

// Answers with the GPUs that it sees and its process, and dies of "die".
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
        self.reply(*((200, {"data": [{"id": sys.argv[2]}]}) if self.path == "/v1/models" else (404, {})))
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["messages"][-1]["content"] == "die":
            os._exit(9)
        said = os.environ.get("CUDA_VISIBLE_DEVICES", "all") + " " + str(os.getpid())
        self.reply(200, {"model": body["model"], "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}})
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
)";

class ServedModelTest : public ::testing::Test {
 protected:
  ServedModelTest()
      : folder_(std::filesystem::path(::testing::TempDir()) /
                ("served-model-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    write_file(folder_ / "server.py", kServer);
  }
  ~ServedModelTest() override { std::filesystem::remove_all(folder_); }

  ServedModelOptions options(const std::string& name = "{model}") const {
    ServedModelOptions o;
    o.server.command = "exec python3 " + (folder_ / "server.py").string() + " {port} " + name;
    o.server.where = "resources.teacher.command";
    o.server.name = "teacher";
    o.server.logs = folder_ / "logs";
    o.server.start_timeout = std::chrono::seconds(20);
    o.asked.model = "big/model";
    return o;
  }
  static llm::ChatReply ask(ServedModel& model, const std::string& words) {
    llm::ChatRequest request;
    request.row_id = words;
    request.messages = {{Role::user, words}};
    std::promise<llm::ChatReply> promise;
    model.submit(request, [&](llm::ChatReply reply) { promise.set_value(std::move(reply)); }, {});
    return promise.get_future().get();
  }
  static bool runs(const std::string& answer) {
    const pid_t pid = std::stoi(answer.substr(answer.find(' ') + 1));
    return ::kill(pid, 0) == 0;
  }

  std::filesystem::path folder_;
};

TEST_F(ServedModelTest, StartsWhenAskedRestsWhenToldAndStartsAgain) {
  ServedModelOptions o = options();
  o.server.gpus = {{3, 1}};
  ServedModel model(o, silent_progress());
  EXPECT_EQ(model.identity().model, "big/model");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "logs"));  // nobody was asked
  const llm::ChatReply first = ask(model, "hello");
  ASSERT_TRUE(first.ok()) << first.error;
  EXPECT_EQ(first.text.substr(0, 4), "3,1 ");
  EXPECT_TRUE(runs(first.text));
  EXPECT_EQ(ask(model, "again").text, first.text);
  model.rest();
  EXPECT_FALSE(runs(first.text));
  const llm::ChatReply other = ask(model, "hello");
  ASSERT_TRUE(other.ok()) << other.error;
  EXPECT_NE(other.text, first.text);
}

TEST_F(ServedModelTest, WhoHasEndedAnswersNobody) {
  ServedModel model(options(), silent_progress());
  llm::ChatReply reply = ask(model, "die");
  // Its connections close an instant before it has ended: until then a failure may still pass.
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (reply.failure != llm::Failure::unavailable && std::chrono::steady_clock::now() < patience)
    reply = ask(model, "hello");
  EXPECT_EQ(reply.failure, llm::Failure::unavailable);
  EXPECT_NE(model.trouble().find("server 1 of 1 of the teacher: exit status 9"), std::string::npos)
      << model.trouble();
  EXPECT_EQ(ask(model, "hello").failure, llm::Failure::unavailable);
  model.rest();
  EXPECT_TRUE(ask(model, "hello").ok());
}

TEST_F(ServedModelTest, AServerOfAnotherNameIsNotAsked) {
  ServedModel model(options("other"), silent_progress());
  const llm::ChatReply reply = ask(model, "hello");
  EXPECT_EQ(reply.failure, llm::Failure::unavailable);
  EXPECT_NE(reply.error.find("serves another model: other; expected big/model"), std::string::npos)
      << reply.error;
}

}  // namespace
}  // namespace tapir::backends
