#include "serve/http_server.h"

#include <atomic>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <httplib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/strings.h"
#include "serve/connection.h"

// libtorch_cpu.so carries a copy of this library too, and exports what std::thread makes of its
// ThreadPool: the one class of httplib's that must never be used here.

namespace tapir::serve {
namespace {

// Linux takes the smaller of this and net.core.somaxconn; the library's own is 5.
constexpr int kBacklog = 1024;

// Of replies that are being written when the server stops.
constexpr std::chrono::seconds kGrace{5};

// The connection that this thread is serving: the library's handlers are not told.
thread_local Connection* current = nullptr;
// Set while a connection is handed over that there is no thread for.
thread_local bool refusing = false;

constexpr std::string_view kOverloaded =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
    "Content-Type: application/json\r\nContent-Length: 97\r\n\r\n"
    R"({"error":{"message":"too many connections","type":"server_error","param":null,"code":"overload"}})";

constexpr std::string_view kTooSlow =
    "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

// A thread for every connection, kept for the next one, up to a limit.
class ConnectionThreads final : public httplib::TaskQueue {
 public:
  explicit ConnectionThreads(std::size_t limit) : limit_(limit) {}

  void enqueue(std::function<void()> task) override {
    {
      const std::lock_guard lock(mutex_);
      if (idle_ > tasks_.size() || threads_.size() < limit_) {
        tasks_.push_back(std::move(task));
        if (idle_ < tasks_.size()) threads_.emplace_back([this] { work(); });
        not_empty_.notify_one();
        return;
      }
    }
    refusing = true;
    task();
    refusing = false;
  }

  void shutdown() override {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
      not_empty_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      ++idle_;
      not_empty_.wait(lock, [&] { return closing_ || !tasks_.empty(); });
      --idle_;
      if (tasks_.empty()) return;
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable not_empty_;
  std::deque<std::function<void()>> tasks_;
  std::size_t idle_ = 0;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

// The library's view of a connection.
class LibraryStream final : public httplib::Stream {
 public:
  explicit LibraryStream(Connection& connection) : connection_(connection) {}
  bool is_readable() const override { return true; }
  bool is_writable() const override { return !connection_.gone(); }
  ssize_t read(char* data, std::size_t size) override { return connection_.read(data, size); }
  ssize_t write(const char* data, std::size_t size) override {
    return connection_.write({data, size}) ? static_cast<ssize_t>(size) : -1;
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return connection_.socket(); }

 private:
  Connection& connection_;
};

HttpRequest head_of(const httplib::Request& from) {
  HttpRequest head;
  head.method = from.method;
  head.path = from.path;
  for (const auto& [name, value] : from.headers) head.headers.emplace(lower_ascii(name), value);
  return head;
}

std::optional<std::size_t> content_length(const HttpRequest& head) {
  const std::string text = head.header("content-length");
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return length;
}

bool has_body(const HttpRequest& head) {
  return !head.header("transfer-encoding").empty() ||
         (!head.header("content-length").empty() && content_length(head) != 0);
}

}  // namespace

class HttpServer::Impl final : private httplib::Server {
 public:
  Impl(const HttpOptions& options, HttpHandler& handler);
  ~Impl() override { stop_serving(); }

  int port() const { return port_; }
  void stop_serving();

 private:
  bool process_and_close_socket(socket_t socket) override;
  void bind();
  bool rest(Connection& connection);
  void remove(Connection& connection);
  HandlerResponse route(const httplib::Request& from, httplib::Response& to);
  std::optional<HttpReply> check_body(const HttpRequest& head);
  void post(const httplib::Request& from, httplib::Response& to,
            const httplib::ContentReader& read_body);
  HttpReply answer(const HttpRequest& request);
  static void fill(HttpReply reply, httplib::Response& to);
  void explain(httplib::Response& to);

  const HttpOptions options_;
  HttpHandler& handler_;
  int port_ = 0;
  std::mutex mutex_;
  std::condition_variable none_open_;
  bool stopping_ = false;
  std::map<Connection*, bool> open_;  // and whether nothing is being answered there
  std::atomic<bool> ended_{false};
  std::thread listener_;
};

HttpServer::Impl::Impl(const HttpOptions& options, HttpHandler& handler)
    : options_(options), handler_(handler) {
  new_task_queue = [this] { return new ConnectionThreads(options_.max_connections); };
  // The library's default would let a second server listen on the same port.
  set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  set_tcp_nodelay(true);
  set_pre_routing_handler([this](const auto& from, auto& to) { return route(from, to); });
  // route() has let only paths through that the handler knows.
  Post("/.*", [this](const auto& from, auto& to, const auto& read) { post(from, to, read); });
  set_error_handler(HandlerWithResponse([this](const httplib::Request&, httplib::Response& to) {
    if (to.body.empty()) explain(to);
    return HandlerResponse::Handled;
  }));
  bind();
  listener_ = std::thread([this] {
    listen_after_bind();
    ended_ = true;
  });
  // Until then the library's stop() does nothing.
  while (!is_running() && !ended_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void HttpServer::Impl::bind() {
  errno = 0;
  if (options_.port == 0) {
    port_ = bind_to_any_port(options_.host);
  } else if (bind_to_port(options_.host, options_.port)) {
    port_ = options_.port;
  } else {
    port_ = -1;
  }
  if (port_ > 0) {
    ::listen(svr_sock_, kBacklog);
    return;
  }
  const std::string reason = errno != 0 ? std::strerror(errno) : "no such address";
  throw Error(ErrorKind::usage,
              "cannot listen on " + options_.host + " port " + std::to_string(options_.port) +
                  ": " + reason,
              "choose another --port, or --port 0 for any that is free");
}

void HttpServer::Impl::stop_serving() {
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    for (const auto& [connection, resting] : open_) {
      if (resting) connection->shut_down();
    }
    none_open_.wait_for(lock, kGrace, [&] { return open_.empty(); });
    for (const auto& [connection, resting] : open_) connection->shut_down();
  }
  if (!listener_.joinable()) return;
  stop();
  listener_.join();
}

bool HttpServer::Impl::process_and_close_socket(socket_t socket) {
  Connection connection(socket,
                        {options_.idle_timeout, options_.request_timeout, options_.stall_timeout,
                         options_.max_head_bytes + options_.max_body_bytes});
  if (refusing) {
    connection.write(kOverloaded);
    return true;
  }
  current = &connection;
  LibraryStream stream(connection);
  const auto ask_plain = [](httplib::Request& request) {
    request.headers.erase("Accept-Encoding");  // replies are small, compressing them is not
    request.ranges.clear();
  };
  while (rest(connection)) {
    bool closed = false;
    const bool replied = process_request(stream, /*close_connection=*/false, closed, ask_plain);
    if (!replied && connection.timed_out()) connection.write(kTooSlow);  // even for its first line
    if (!replied || closed || connection.closes_after_reply()) break;
  }
  current = nullptr;
  connection.linger();
  remove(connection);
  return true;
}

// Waits for a request. False: there will be none.
bool HttpServer::Impl::rest(Connection& connection) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    open_[&connection] = true;
  }
  return connection.await_request();
}

void HttpServer::Impl::remove(Connection& connection) {
  const std::lock_guard lock(mutex_);
  open_.erase(&connection);
  if (open_.empty()) none_open_.notify_all();
}

// Before the body is read. Everything but a POST that may be read is answered here.
httplib::Server::HandlerResponse HttpServer::Impl::route(const httplib::Request& from,
                                                         httplib::Response& to) {
  const HttpRequest head = head_of(from);
  std::optional<HttpReply> reply = handler_.screen(head);
  const bool posted = head.method == "POST";
  if (!reply && posted) reply = check_body(head);
  if (!reply && posted) return HandlerResponse::Unhandled;
  if (has_body(head)) current->close_after_reply();
  fill(reply ? std::move(*reply) : answer(head), to);
  return HandlerResponse::Handled;
}

std::optional<HttpReply> HttpServer::Impl::check_body(const HttpRequest& head) {
  const std::string encoding = head.header("content-encoding");
  if (!encoding.empty() && encoding != "identity") {
    return handler_.failure(415, "the body is compressed (" + encoding + "); send it as it is");
  }
  const std::string transfer = lower_ascii(head.header("transfer-encoding"));
  if (transfer == "chunked") return std::nullopt;
  const auto length = content_length(head);
  if (!length) return handler_.failure(411, "a POST needs a Content-Length");
  if (*length <= options_.max_body_bytes) return std::nullopt;
  return handler_.failure(413, "the body has " + std::to_string(*length) +
                                   " bytes; this server takes at most " +
                                   std::to_string(options_.max_body_bytes));
}

void HttpServer::Impl::post(const httplib::Request& from, httplib::Response& to,
                            const httplib::ContentReader& read_body) {
  HttpRequest request = head_of(from);
  const bool whole = read_body([&](const char* data, std::size_t size) {
    if (request.body.size() + size > options_.max_body_bytes) return false;
    request.body.append(data, size);
    return true;
  });
  if (whole) return fill(answer(request), to);
  current->close_after_reply();
  if (current->timed_out()) {
    return fill(handler_.failure(408, "the request did not arrive in time"), to);
  }
  if (current->gone()) return fill(handler_.failure(400, "the body ended early"), to);
  fill(handler_.failure(413, "the body is larger than " + std::to_string(options_.max_body_bytes) +
                                 " bytes, or not what its headers say"),
       to);
}

HttpReply HttpServer::Impl::answer(const HttpRequest& request) {
  {
    const std::lock_guard lock(mutex_);
    open_[current] = false;
  }
  try {
    return handler_.answer(request, *current);
  } catch (const std::exception& e) {
    return handler_.failure(500, e.what());
  }
}

void HttpServer::Impl::fill(HttpReply reply, httplib::Response& to) {
  if (reply.raw) {
    current->write(*reply.raw);
    current->shut_down();  // what the library writes now goes nowhere
  }
  to.status = reply.status;
  for (const auto& [name, value] : reply.headers) to.set_header(name, value);
  if (current->closes_after_reply()) to.set_header("Connection", "close");
  if (!reply.stream) {
    to.set_content(reply.body, reply.content_type);
    return;
  }
  to.set_chunked_content_provider(
      reply.content_type, [stream = std::move(reply.stream)](std::size_t, httplib::DataSink& sink) {
        bool written = true;
        stream([&](std::string_view piece) {
          return written = written && sink.write(piece.data(), piece.size());
        });
        if (!written) return false;
        sink.done();
        return true;
      });
}

// What the library itself refused.
void HttpServer::Impl::explain(httplib::Response& to) {
  current->close_after_reply();
  if (current->timed_out()) {
    to.status = 408;
  } else if (current->too_large()) {
    to.status = 431;
  }
  const std::string message = to.status == 408   ? "the request did not arrive in time"
                              : to.status == 414 ? "the request's target is too long"
                              : to.status == 431 ? "the request's headers are too large"
                                                 : "this is not a request of HTTP/1.1";
  fill(handler_.failure(to.status, message), to);
}

HttpServer::HttpServer(const HttpOptions& options, HttpHandler& handler)
    : impl_(std::make_unique<Impl>(options, handler)) {}
HttpServer::~HttpServer() = default;
int HttpServer::port() const { return impl_->port(); }
void HttpServer::stop() { impl_->stop_serving(); }

}  // namespace tapir::serve
