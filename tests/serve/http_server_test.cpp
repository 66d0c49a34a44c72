// HTTP: what is served, and what clients can do wrong without harm to others.
#include "serve/http_server.h"

#include <atomic>

#include <gmock/gmock.h>

#include "base/error.h"
#include "error_of.h"
#include "raw_client.h"

namespace tapir::serve {
namespace {

using testing::get;
using ::testing::HasSubstr;
using testing::post;
using testing::RawClient;
using testing::RawReply;
using testing::talk;
using namespace std::chrono_literals;

// Sends back what it got.
class EchoHandler final : public HttpHandler {
 public:
  std::optional<HttpReply> screen(const HttpRequest& head) override {
    if (head.path.starts_with("/refused")) return failure(403, "refused");
    return std::nullopt;
  }
  HttpReply answer(const HttpRequest& request, const HttpPeer& peer) override {
    ++answered;
    if (request.path == "/throws") throw std::runtime_error("thrown");
    HttpReply reply;
    if (request.path == "/waits") {
      while (!peer.gone()) std::this_thread::sleep_for(5ms);
      ++gone;
    } else if (request.path == "/stream") {
      reply.stream = [this](const BodyWriter& write) {
        for (int i = 0; i < pieces && write(std::string(1000, 'x') + "\n"); ++i) ++written;
      };
    }
    reply.body = request.method + " " + request.path + " " + request.body;
    return reply;
  }
  HttpReply failure(int status, const std::string& message) override {
    HttpReply reply;
    reply.status = status;
    reply.body = message;
    return reply;
  }

  std::atomic<int> answered{0}, gone{0}, written{0};
  int pieces = 5;
};

class Http : public ::testing::Test {
 protected:
  HttpServer& start() {
    server_ = std::make_unique<HttpServer>(options_, handler_);
    return *server_;
  }
  int port() { return server_->port(); }

  EchoHandler handler_;
  HttpOptions options_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(Http, ServesSeveralRequestsOfAConnection) {
  start();
  RawClient client(port());
  for (const int size : {0, 1, 5000, 300000}) {
    const std::string body(static_cast<std::size_t>(size), 'b');
    client.send(post("/echo", body));
    const RawReply reply = client.read_reply();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "POST /echo " + body);
  }
  client.send(get("/a?x=1") + get("/b"));  // one behind the other without waiting
  EXPECT_EQ(client.read_reply().body, "GET /a ");
  EXPECT_EQ(client.read_reply().body, "GET /b ");
}

TEST_F(Http, TakesChunkedBodiesAndExpectContinue) {
  start();
  EXPECT_EQ(talk(port(),
                 "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n")
                .body,
            "POST /c hello, world");
  EXPECT_EQ(talk(port(), post("/e", "later", "Expect: 100-continue\r\n")).body, "POST /e later");
}

TEST_F(Http, StreamsInChunks) {
  start();
  const RawReply reply = talk(port(), get("/stream"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body.size(), 5 * 1001U);
}

TEST_F(Http, DoesNotCompressAndIgnoresRanges) {
  start();
  const RawReply reply =
      talk(port(), get("/x", "Accept-Encoding: gzip, br\r\nRange: bytes=1-2\r\n"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "GET /x ");
  EXPECT_FALSE(reply.headers.contains("content-encoding"));
}

TEST_F(Http, RefusesLargeBodiesWithoutReadingThem) {
  options_.max_body_bytes = 1000;
  start();
  EXPECT_EQ(talk(port(), post("/x", std::string(1000, 'b'))).status, 200);
  const RawReply by_length = talk(port(), post("/x", std::string(1001, 'b')));
  EXPECT_EQ(by_length.status, 413);
  EXPECT_THAT(by_length.body, HasSubstr("1001"));
  EXPECT_EQ(by_length.headers.at("connection"), "close");
  RawClient announced(port());
  announced.send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\nabc");
  EXPECT_EQ(announced.read_reply().status, 413);
  std::string chunked = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 20; ++i) chunked += "64\r\n" + std::string(100, 'c') + "\r\n";
  EXPECT_EQ(talk(port(), chunked + "0\r\n\r\n").status, 413);
  EXPECT_EQ(handler_.answered, 1);
  EXPECT_EQ(talk(port(), get("/after")).status, 200);
}

TEST_F(Http, RefusesWhatIsNoRequestOrHasNoLength) {
  start();
  for (const char* bad : {"\r\n\r\n", "hello\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                          "\x16\x03\x01\x02\r\n\r\n"}) {
    const RawReply reply = talk(port(), bad);
    EXPECT_TRUE(reply.status == 400 || reply.status == 0) << bad << ": " << reply.status;
  }
  EXPECT_EQ(talk(port(), "POST /x HTTP/1.1\r\nHost: h\r\n\r\n").status, 411);
  EXPECT_EQ(talk(port(), "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: many\r\n\r\n").status,
            411);
  EXPECT_EQ(talk(port(), post("/x", "zip", "Content-Encoding: gzip\r\n")).status, 415);
  EXPECT_EQ(handler_.answered, 0);
}

TEST_F(Http, RefusesEndlessHeads) {
  start();
  EXPECT_EQ(talk(port(), get("/" + std::string(10000, 'a'))).status, 414);
  std::string many = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 500000; ++i) many += "X-Header: value value value\r\n";
  RawClient client(port());
  client.send(many);
  const int status = client.read_reply().status;
  EXPECT_TRUE(status == 431 || status == 0) << status;
  // Long values that regular expressions of the library see.
  std::string ranges = "Range: bytes=0-1";
  while (ranges.size() < 8000) ranges += ",0-1";
  EXPECT_GT(talk(port(), get("/x", ranges + "\r\n")).status, 0);
  EXPECT_EQ(talk(port(), post("/" + std::string(7000, 'a'), "")).status, 200);
  EXPECT_EQ(talk(port(), get("/after")).status, 200);
}

TEST_F(Http, AnUnreadBodyIsNoNextRequest) {
  start();
  RawClient client(port());
  client.send(post("/refused", "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_EQ(client.read_reply().status, 403);
  EXPECT_EQ(client.read_reply().status, 0);
  RawClient getter(port());
  getter.send(
      "GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n");
  EXPECT_EQ(getter.read_reply().status, 200);
  EXPECT_EQ(getter.read_reply().status, 0);
  EXPECT_EQ(handler_.answered, 1);
}

TEST_F(Http, SlowRequestsEndAtTheirDeadline) {
  options_.request_timeout = 300ms;
  start();
  RawClient head(port());
  const auto begin = std::chrono::steady_clock::now();
  head.drip("GET / HTTP/1.1", 40ms);
  EXPECT_EQ(head.read_reply().status, 408);
  RawClient header(port());
  header.send("GET / HTTP/1.1\r\n");
  header.drip("X: 0123456789012345678", 20ms);
  EXPECT_EQ(header.read_reply().status, 408);
  RawClient body(port());
  body.send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n");
  body.drip("a body that comes too late", 20ms);
  EXPECT_EQ(body.read_reply().status, 408);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 8s);
  EXPECT_EQ(handler_.answered, 0);
}

TEST_F(Http, IdleConnectionsAreClosed) {
  options_.idle_timeout = 100ms;
  start();
  RawClient client(port());
  client.send(get("/a"));
  EXPECT_EQ(client.read_reply().status, 200);
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(Http, AClientThatDoesNotReadIsDropped) {
  options_.stall_timeout = 200ms;
  handler_.pieces = 100000;
  start();
  RawClient client(port());
  client.send(get("/stream"));
  for (int before = -1; before != handler_.written || before == 0;) {
    before = handler_.written;
    std::this_thread::sleep_for(400ms);
  }
  EXPECT_LT(handler_.written, 100000);
}

TEST_F(Http, AHandlerSeesThatItsClientHasGone) {
  start();
  RawClient client(port());
  client.send(get("/waits"));
  while (handler_.answered == 0) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(handler_.gone, 0);
  client.hang_up();
  for (int i = 0; i < 2000 && handler_.gone == 0; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(handler_.gone, 1);
}

TEST_F(Http, TooManyConnectionsAreTurnedAway) {
  options_.max_connections = 3;
  start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<RawClient>(port()));
    clients.back()->send(get("/a"));
    EXPECT_EQ(clients.back()->read_reply().status, 200);
  }
  RawClient fourth(port());
  const RawReply refused = fourth.read_reply();
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.headers.contains("retry-after"));
  EXPECT_EQ(refused.json()["error"]["code"], "overload");
  clients.pop_back();
  for (int i = 0; i < 100; ++i) {
    if (talk(port(), get("/b")).status == 200) return;
    std::this_thread::sleep_for(20ms);
  }
  FAIL() << "no place got free";
}

TEST_F(Http, ExceptionsBecome500) {
  start();
  const RawReply reply = talk(port(), get("/throws"));
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.body, "thrown");
}

TEST_F(Http, APortIsTakenOnce) {
  start();
  options_.port = port();
  const Error e = testing::error_of([&] { HttpServer second(options_, handler_); });
  EXPECT_EQ(e.kind(), ErrorKind::usage);
  EXPECT_THAT(e.what(), HasSubstr(std::to_string(port())));
}

TEST_F(Http, StopsWithOpenConnectionsAndCanBeStartedAgain) {
  for (int i = 0; i < 3; ++i) {
    start();
    RawClient idle(port());
    RawClient half(port());
    half.send("GET / HT");
    RawClient used(port());
    used.send(get("/a"));
    EXPECT_EQ(used.read_reply().status, 200);
    const auto begin = std::chrono::steady_clock::now();
    server_->stop();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
    EXPECT_FALSE(RawClient(port()).connected());
  }
}

}  // namespace
}  // namespace tapir::serve
