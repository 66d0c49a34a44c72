// The client against a TLS server that offers HTTP/2: tests/llm/h2_stub.py, which says in every
// answer over what it went.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include <gmock/gmock.h>

#include "base/file.h"
#include "base/strings.h"
#include "llm/openai_model.h"
#include "llm/retry.h"
#include "llm_test_tools.h"
#include "test_data.h"

namespace tapir::llm {
namespace {

using std::chrono::milliseconds;

// A python that has the package h2; empty: none.
std::string python_with_h2() {
  for (const std::string python : {"/usr/bin/python3", "python3"}) {
    if (std::system((python + " -c 'import h2' 2>/dev/null").c_str()) == 0) return python;
  }
  return {};
}

// What an answer of the server says.
struct Told {
  std::string question, protocol;
  int connection = 0;
  int taken = 0;  // how often the server has taken the question in, until then
};
Told told_by(const ChatReply& reply) {
  const std::vector<std::string> parts = split(reply.text, '|');
  if (parts.size() != 4) return {};
  return {parts[0], parts[1], std::stoi(parts[2]), std::stoi(parts[3])};
}

class Http2 : public ::testing::Test {
 protected:
  void SetUp() override {
    python_ = python_with_h2();
    if (python_.empty()) GTEST_SKIP() << "no python has h2 (Debian: apt-get install python3-h2)";
    const std::string made =
        "cd " + folder_.path().string() +
        " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        " -subj /CN=stub -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out public.pem"
        " 2>log && cat key.pem public.pem >both.pem";
    ASSERT_EQ(std::system(made.c_str()), 0) << "openssl makes a certificate";
    setenv("SSL_CERT_FILE", (folder_.path() / "public.pem").c_str(), 1);
  }
  void TearDown() override {
    unsetenv("SSL_CERT_FILE");
    server_.reset();
  }

  // The server, with these options; it lives until the test's end.
  OpenAiTransport serve(const std::string& options, std::size_t in_flight) {
    const std::filesystem::path port = folder_.path() / "port";
    const std::string command = "exec " + python_ + " " TAPIR_SOURCE_DIR "/tests/llm/h2_stub.py " +
                                (folder_.path() / "both.pem").string() + " " + port.string() + " " +
                                options;
    server_.reset(popen(command.c_str(), "w"));
    for (int i = 0; i < 1000 && !std::filesystem::exists(port); ++i) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    OpenAiTransport transport;
    transport.endpoints.push_back(
        {"https://127.0.0.1:" + read_file(port) + "/v1", Secret("sk-planted"), {}});
    transport.pool.first_window = transport.pool.most_in_flight = in_flight;
    return transport;
  }

  // So many questions at once; checks that each has its own answer, once.
  static std::vector<ChatReply> ask_many(const OpenAiTransport& transport, int count) {
    OpenAiModel model({.model = "m"}, transport);
    RetryModel retried(model, {.first_delay = milliseconds(5), .max_delay = milliseconds(50)});
    Replies replies;
    for (const ChatRequest& one : requests(count)) replies.submit(retried, one);
    std::vector<ChatReply> all = replies.wait(static_cast<std::size_t>(count));
    std::set<std::string> rows;
    for (const ChatReply& reply : all) {
      EXPECT_TRUE(reply.ok()) << reply.error;
      EXPECT_EQ("row " + told_by(reply).question, "row to " + reply.row_id.substr(4));
      EXPECT_TRUE(rows.insert(reply.row_id).second) << "two replies to " << reply.row_id;
      EXPECT_GE(reply.attempts_charged, told_by(reply).taken);
    }
    EXPECT_EQ(replies.size(), 0U);
    return all;
  }

  // Requests by connection, all of them over this protocol.
  static std::map<int, int> connections_of(const std::vector<ChatReply>& replies,
                                           const std::string& protocol) {
    std::map<int, int> connections;
    for (const ChatReply& reply : replies) {
      const Told told = told_by(reply);
      EXPECT_EQ(told.protocol, protocol);
      ++connections[told.connection];
    }
    return connections;
  }

 private:
  struct Close {
    void operator()(FILE* pipe) const { pclose(pipe); }  // its standard input ends, so it ends
  };
  const tapir::testing::TemporaryFolder folder_;
  std::string python_;
  std::unique_ptr<FILE, Close> server_;
};

TEST_F(Http2, ManyInFlightShareOneConnection) {
  const std::vector<ChatReply> replies = ask_many(serve("", 100), 400);
  EXPECT_EQ(connections_of(replies, "h2").size(), 1U);
  for (const ChatReply& reply : replies) EXPECT_EQ(reply.attempts_charged, 1);
}

TEST_F(Http2, MoreInFlightThanAConnectionHasStreams) {
  OpenAiTransport transport = serve("--streams 32 --delay 0.05", 128);
  transport.pool.first_window = 16;
  EXPECT_GE(connections_of(ask_many(transport, 500), "h2").size(), 3U);
}

TEST_F(Http2, AResetStreamIsAskedAgainAndTheOthersGoOn) {
  const std::vector<ChatReply> replies = ask_many(serve("--reset 7", 100), 210);
  EXPECT_EQ(connections_of(replies, "h2").size(), 1U);
  for (const ChatReply& reply : replies) {
    const int number = std::stoi(reply.row_id.substr(5));
    EXPECT_EQ(told_by(reply).taken, number % 7 == 0 ? 2 : 1) << reply.row_id;
    EXPECT_EQ(reply.attempts_charged, told_by(reply).taken);
  }
}

TEST_F(Http2, ARefusedStreamIsAskedAgain) {
  for (const ChatReply& reply : ask_many(serve("--refuse 9", 50), 200)) {
    EXPECT_EQ(told_by(reply).taken, 1) << reply.row_id;
  }
}

TEST_F(Http2, AConnectionThatGoesAwayLosesAndDoublesNothing) {
  const std::vector<ChatReply> replies = ask_many(serve("--goaway 60", 100), 300);
  EXPECT_GE(connections_of(replies, "h2").size(), 5U);  // of about 60 answers each
  for (const ChatReply& reply : replies) EXPECT_EQ(told_by(reply).taken, 1) << reply.row_id;
}

TEST_F(Http2, ALateStreamIsGivenUpAlone) {
  OpenAiTransport transport = serve("", 100);
  transport.deadlines.first_byte = milliseconds(400);
  OpenAiModel model({.model = "m"}, transport);
  Replies replies;
  replies.submit(model, request("late wait 30"));
  for (int sitting = 0; sitting < 2; ++sitting) {  // before it is given up, and after
    for (const ChatRequest& one : requests(50)) replies.submit(model, one);
    int late = 0;
    const std::vector<ChatReply> all = replies.wait(sitting == 0 ? 51 : 50);
    for (const ChatReply& reply : all) {
      late += reply.failure == Failure::timeout ? 1 : 0;
      EXPECT_TRUE(reply.ok() || reply.row_id == "row late wait 30") << reply.error;
      EXPECT_EQ(told_by(reply).connection, reply.ok() ? 1 : 0);
    }
    EXPECT_EQ(late, sitting == 0 ? 1 : 0);
  }
}

TEST_F(Http2, AServerWithoutItIsAskedOverHttp1) {
  const std::vector<ChatReply> replies = ask_many(serve("--offer http/1.1", 32), 200);
  const std::size_t connections = connections_of(replies, "http/1.1").size();
  EXPECT_GT(connections, 8U);
  EXPECT_LE(connections, 32U);  // kept and used again
}

}  // namespace
}  // namespace tapir::llm
