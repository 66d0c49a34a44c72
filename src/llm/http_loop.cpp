#include "llm/http_loop.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/loopback.h"
#include "base/strings.h"

namespace tapir::llm {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t kMaxBody = 64UL << 20;
constexpr std::size_t kMaxHead = 256UL << 10;
constexpr long kKeptConnections = 1024;
constexpr int kEvents = 64;
// Deadlines are looked at so often.
constexpr milliseconds kGlance{50};

// What one transfer needs while it runs, with its handle. Kept for the next one.
struct Transfer {
  std::uint64_t id = 0;
  CURL* handle = nullptr;
  curl_slist* headers = nullptr;
  HttpCall call;
  HttpLoop::Done done;
  std::size_t body_given = 0;  // bytes of the request's body
  std::size_t head_bytes = 0;
  HttpOutcome outcome;
  Clock::time_point start;
  Clock::time_point first_byte_by, total_by;
  std::optional<Clock::time_point> end_by;
  std::array<char, CURL_ERROR_SIZE> error{};

  Transfer() : handle(curl_easy_init()) { check(handle != nullptr, "libcurl gives a handle"); }
  ~Transfer() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(handle);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
};

template <typename Value>
void set(CURL* handle, CURLoption option, Value value) {
  check(curl_easy_setopt(handle, option, value) == CURLE_OK, "libcurl takes its options");
}

// ---- libcurl's callbacks of one transfer ----

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user) {
  HttpOutcome& outcome = static_cast<Transfer*>(user)->outcome;
  const std::size_t bytes = size * count;
  if (outcome.body.size() + bytes > kMaxBody) {
    outcome.end = HttpEnd::too_large;
    return 0;  // ends the transfer
  }
  outcome.body.append(data, bytes);
  return bytes;
}

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(data, size * count);
  transfer.head_bytes += line.size();
  if (transfer.head_bytes > kMaxHead) {
    transfer.outcome.end = HttpEnd::too_large;
    return 0;
  }
  if (line.starts_with("HTTP/")) transfer.outcome.headers.clear();  // after a "100 Continue"
  const auto colon = line.find(':');
  if (colon != std::string_view::npos) {
    transfer.outcome.headers.emplace(lower_ascii(trim(line.substr(0, colon))),
                                     trim(line.substr(colon + 1)));
  }
  return line.size();
}

// No function to go back to the body's start: so libcurl cannot send a request twice.
std::size_t give_body(char* to, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string& body = transfer.call.body;
  const std::size_t bytes = std::min(size * count, body.size() - transfer.body_given);
  std::copy_n(body.data() + transfer.body_given, bytes, to);
  transfer.body_given += bytes;
  return bytes;
}

void set_what_never_changes(Transfer& transfer) {
  CURL* handle = transfer.handle;
  set(handle, CURLOPT_NOSIGNAL, 1L);
  set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  set(handle, CURLOPT_FOLLOWLOCATION, 0L);
  set(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(handle, CURLOPT_TCP_KEEPALIVE, 1L);
  set(handle, CURLOPT_USERAGENT, "tapir/" TAPIR_VERSION);
  set(handle, CURLOPT_PRIVATE, static_cast<void*>(&transfer));
  set(handle, CURLOPT_ERRORBUFFER, transfer.error.data());
  set(handle, CURLOPT_WRITEFUNCTION, &take_body);
  set(handle, CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
  set(handle, CURLOPT_HEADERFUNCTION, &take_header);
  set(handle, CURLOPT_HEADERDATA, static_cast<void*>(&transfer));
  set(handle, CURLOPT_READFUNCTION, &give_body);
  set(handle, CURLOPT_READDATA, static_cast<void*>(&transfer));
  if (const char* authorities = std::getenv("SSL_CERT_FILE")) {
    set(handle, CURLOPT_CAINFO, authorities);
  }
}

void set_call(Transfer& transfer) {
  CURL* handle = transfer.handle;
  const HttpCall& call = transfer.call;
  set(handle, CURLOPT_URL, call.url.c_str());
  curl_slist_free_all(std::exchange(transfer.headers, nullptr));
  transfer.headers = curl_slist_append(nullptr, "Expect:");  // never wait for a "100 Continue"
  for (const std::string& header : call.headers) {
    transfer.headers = curl_slist_append(transfer.headers, header.c_str());
  }
  set(handle, CURLOPT_HTTPHEADER, transfer.headers);
  if (call.post) {
    set(handle, CURLOPT_POST, 1L);
    set(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
  } else {
    set(handle, CURLOPT_HTTPGET, 1L);
  }
  // Over TLS rather another stream of a connection than a new one: the handshake tells at once
  // whether there are streams. Without TLS the first reply would have to be waited for.
  set(handle, CURLOPT_PIPEWAIT, call.url.starts_with("https") ? 1L : 0L);
  const std::string authority = call.url.substr(0, call.url.find('/', call.url.find("://") + 3));
  const char* no_proxy_at_all = is_loopback(host_of(authority)) ? "" : nullptr;
  set(handle, CURLOPT_PROXY, no_proxy_at_all);
  set(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(call.deadlines.connect.count()));
}

void begin(Transfer& transfer, std::uint64_t id, HttpCall call, HttpLoop::Done done) {
  transfer.id = id;
  transfer.call = std::move(call);
  transfer.done = std::move(done);
  transfer.body_given = transfer.head_bytes = 0;
  transfer.outcome = {};
  transfer.error.fill(0);
  transfer.start = Clock::now();
  transfer.first_byte_by = transfer.start + transfer.call.deadlines.first_byte;
  transfer.total_by = transfer.start + transfer.call.deadlines.total;
  transfer.end_by.reset();
}

HttpEnd end_of(CURLcode code, const Transfer& transfer) {
  switch (code) {
    case CURLE_OK:
      return HttpEnd::complete;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return HttpEnd::not_connected;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return HttpEnd::bad_certificate;
    case CURLE_OPERATION_TIMEDOUT:  // the connect time-out is the only one that libcurl knows of
      return HttpEnd::not_connected;
    case CURLE_WRITE_ERROR:
      return transfer.outcome.end == HttpEnd::complete ? HttpEnd::cut : transfer.outcome.end;
    default:
      return HttpEnd::cut;
  }
}

// The moment at which this transfer is over, and why.
struct Limit {
  Clock::time_point moment;
  HttpEnd end;
  const char* words;
};
Limit limit_of(const Transfer& t) {
  const bool begun = t.head_bytes > 0;
  Limit limit{t.total_by, HttpEnd::late, "the reply was not complete in time (request_timeout)"};
  if (!begun && t.first_byte_by < limit.moment) {
    limit = {t.first_byte_by, HttpEnd::late,
             "no byte of a reply came in time (first_byte_timeout)"};
  }
  if (t.end_by && *t.end_by < limit.moment) {
    limit = {*t.end_by, HttpEnd::cancelled, "given up: the run was stopped"};
  }
  return limit;
}

}  // namespace

class HttpLoop::Impl {
 public:
  Impl();
  ~Impl();

  std::uint64_t start(HttpCall call, Done done);
  void end_by(std::uint64_t id, Clock::time_point moment);
  std::size_t in_flight() const { return running_.size(); }
  void run_once(milliseconds longest);
  void wake() const { eventfd_write(wake_, 1); }

 private:
  static int watch(CURL* handle, curl_socket_t socket, int what, void* self, void* known);
  static int set_timer(CURLM* multi, long wait, void* self);
  int wait_time(milliseconds longest) const;
  void act(curl_socket_t socket, int events);
  void take_finished();
  void look_at_deadlines();
  void finish(std::unique_ptr<Transfer> transfer, HttpEnd end, std::string error);

  CURLM* multi_ = nullptr;
  int epoll_ = -1;
  int wake_ = -1;
  std::optional<Clock::time_point> curl_due_;
  Clock::time_point next_glance_ = Clock::now();
  std::uint64_t next_id_ = 1;
  std::unordered_map<std::uint64_t, std::unique_ptr<Transfer>> running_;  // by id
  std::vector<std::unique_ptr<Transfer>> idle_;
};

HttpLoop::Impl::Impl() {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  check(global == CURLE_OK, "libcurl can be used");
  multi_ = curl_multi_init();
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  check(multi_ != nullptr && epoll_ >= 0 && wake_ >= 0, "an event loop can be made");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Impl::watch);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Impl::set_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kKeptConnections);
}

HttpLoop::Impl::~Impl() {
  for (const auto& [id, transfer] : running_) curl_multi_remove_handle(multi_, transfer->handle);
  running_.clear();
  idle_.clear();
  curl_multi_cleanup(multi_);
  close(wake_);
  close(epoll_);
}

// libcurl says which sockets it wants to be told of.
int HttpLoop::Impl::watch(CURL*, curl_socket_t socket, int what, void* self, void* known) {
  auto& loop = *static_cast<Impl*>(self);
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(loop.epoll_, EPOLL_CTL_DEL, socket, nullptr);
    curl_multi_assign(loop.multi_, socket, nullptr);
    return 0;
  }
  epoll_event event{};
  event.data.fd = socket;
  if (what & CURL_POLL_IN) event.events |= EPOLLIN;
  if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
  epoll_ctl(loop.epoll_, known != nullptr ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
  curl_multi_assign(loop.multi_, socket, self);
  return 0;
}

int HttpLoop::Impl::set_timer(CURLM*, long wait, void* self) {
  auto& loop = *static_cast<Impl*>(self);
  loop.curl_due_.reset();
  if (wait >= 0) loop.curl_due_ = Clock::now() + milliseconds(wait);
  return 0;
}

std::uint64_t HttpLoop::Impl::start(HttpCall call, Done done) {
  std::unique_ptr<Transfer> transfer;
  if (idle_.empty()) {
    transfer = std::make_unique<Transfer>();
    set_what_never_changes(*transfer);
  } else {
    transfer = std::move(idle_.back());
    idle_.pop_back();
  }
  const std::uint64_t id = next_id_++;
  begin(*transfer, id, std::move(call), std::move(done));
  set_call(*transfer);
  check(curl_multi_add_handle(multi_, transfer->handle) == CURLM_OK, "libcurl takes a transfer");
  running_.emplace(id, std::move(transfer));
  return id;
}

void HttpLoop::Impl::end_by(std::uint64_t id, Clock::time_point moment) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  auto& limit = found->second->end_by;
  limit = limit ? std::min(*limit, moment) : moment;
}

int HttpLoop::Impl::wait_time(milliseconds longest) const {
  const auto now = Clock::now();
  auto until = now + longest;
  if (curl_due_) until = std::min(until, *curl_due_);
  if (!running_.empty()) until = std::min(until, std::max(now, next_glance_));
  const auto wait = std::chrono::ceil<milliseconds>(until - now);
  return static_cast<int>(std::max<std::int64_t>(0, wait.count()));
}

void HttpLoop::Impl::act(curl_socket_t socket, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, socket, events, &running);
}

void HttpLoop::Impl::run_once(milliseconds longest) {
  std::array<epoll_event, kEvents> events;
  const int count = epoll_wait(epoll_, events.data(), kEvents, wait_time(longest));
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.fd == wake_) {
      eventfd_t ignored = 0;
      eventfd_read(wake_, &ignored);
      continue;
    }
    int what = 0;
    if (event.events & EPOLLIN) what |= CURL_CSELECT_IN;
    if (event.events & EPOLLOUT) what |= CURL_CSELECT_OUT;
    if (event.events & (EPOLLERR | EPOLLHUP)) what |= CURL_CSELECT_ERR;
    act(event.data.fd, what);
  }
  if (curl_due_ && *curl_due_ <= Clock::now()) {
    curl_due_.reset();
    act(CURL_SOCKET_TIMEOUT, 0);
  }
  take_finished();
  if (!running_.empty() && next_glance_ <= Clock::now()) look_at_deadlines();
}

void HttpLoop::Impl::take_finished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    void* user = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user);
    const auto found = running_.find(static_cast<Transfer*>(user)->id);
    std::unique_ptr<Transfer> transfer = std::move(found->second);
    running_.erase(found);
    const CURLcode code = message->data.result;
    const HttpEnd end = end_of(code, *transfer);
    const char* words = transfer->error[0] != 0 ? transfer->error.data() : curl_easy_strerror(code);
    if (code == CURLE_SEND_FAIL_REWIND) words = "the server closed the kept connection";
    if (end == HttpEnd::too_large) words = "the reply is larger than 64 MiB";
    finish(std::move(transfer), end, end == HttpEnd::complete ? "" : words);
  }
}

void HttpLoop::Impl::look_at_deadlines() {
  const auto now = Clock::now();
  next_glance_ = now + kGlance;
  std::vector<std::uint64_t> over;
  for (const auto& [id, transfer] : running_) {
    if (limit_of(*transfer).moment <= now) over.push_back(id);
  }
  for (const std::uint64_t id : over) {
    const auto found = running_.find(id);
    if (found == running_.end()) continue;
    std::unique_ptr<Transfer> transfer = std::move(found->second);
    running_.erase(found);
    const Limit limit = limit_of(*transfer);
    finish(std::move(transfer), limit.end, limit.words);
  }
}

void HttpLoop::Impl::finish(std::unique_ptr<Transfer> transfer, HttpEnd end, std::string error) {
  HttpOutcome outcome = std::move(transfer->outcome);
  long status = 0;
  long sent = 0;
  curl_easy_getinfo(transfer->handle, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(transfer->handle, CURLINFO_REQUEST_SIZE, &sent);
  curl_multi_remove_handle(multi_, transfer->handle);
  outcome.end = end;
  outcome.status = static_cast<int>(status);
  outcome.error = std::move(error);
  outcome.sent = sent > 0;
  outcome.seconds = std::chrono::duration<double>(Clock::now() - transfer->start).count();
  const Done done = std::move(transfer->done);
  transfer->call = {};
  idle_.push_back(std::move(transfer));
  done(std::move(outcome));
}

HttpLoop::HttpLoop() : impl_(std::make_unique<Impl>()) {}
HttpLoop::~HttpLoop() = default;
std::uint64_t HttpLoop::start(HttpCall call, Done done) {
  return impl_->start(std::move(call), std::move(done));
}
void HttpLoop::end_by(std::uint64_t id, Clock::time_point moment) { impl_->end_by(id, moment); }
std::size_t HttpLoop::in_flight() const { return impl_->in_flight(); }
void HttpLoop::run_once(milliseconds longest) { impl_->run_once(longest); }
void HttpLoop::wake() { impl_->wake(); }

}  // namespace tapir::llm
