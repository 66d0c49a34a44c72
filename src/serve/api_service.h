// The OpenAI API over a ChatModel: paths, keys, admission, answers and streams.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "llm/chat_model.h"
#include "serve/admission.h"
#include "serve/answer_feed.h"
#include "serve/api_fault.h"
#include "serve/api_reply.h"
#include "serve/api_request.h"
#include "serve/http.h"
#include "serve/metrics.h"

namespace tapir::serve {

struct ServedModel {
  std::string name;  // that clients ask for
  llm::ChatModel& model;
};
using ServedModels = std::vector<ServedModel>;

struct ApiOptions {
  std::string api_key;          // empty: none is asked for
  std::size_t parallel = 32;    // answers that the model works on at once
  std::size_t max_queue = 256;  // answers that may wait besides; above it: 429
  int max_choices = 128;        // answers of one request
  std::chrono::milliseconds answer_timeout{600'000};
  // A request without a seed gets a random one; false: none, for a model that answers by a function
  // of the request.
  bool draw_seeds = true;
};

// Thread-safe.
class ApiService final : public HttpHandler {
 public:
  // One model or more; they must outlive it, and should admit parallel + max_queue requests at
  // once, or connections wait in their submit().
  ApiService(ServedModels models, ApiOptions options);
  ~ApiService() override;  // waits until the models have replied to everything

  std::optional<HttpReply> screen(const HttpRequest& head) override;
  HttpReply answer(const HttpRequest& request, const HttpPeer& peer) override;
  HttpReply failure(int status, const std::string& message) override;

  // New requests get 503; those in work go on.
  void close();
  bool wait_empty(std::chrono::milliseconds longest) { return admission_.wait_empty(longest); }
  // Those in work end with an error.
  void cancel_all() { cancelled_ = true; }

 private:
  using Clock = std::chrono::steady_clock;
  // One request for answers.
  struct Call {
    Call(const ApiRequest& request, ReplyHead reply_head, const HttpPeer& the_peer)
        : choices(request.choices()),
          prompts(request.prompts.size()),
          head(std::move(reply_head)),
          peer(the_peer) {}
    const std::size_t choices;
    const std::size_t prompts;
    const ReplyHead head;
    const HttpPeer& peer;
    AnswerFeed feed;
    Clock::time_point start = Clock::now();
  };

  void check(const HttpRequest& head) const;
  void check_local(const HttpRequest& head) const;
  HttpReply reply_to(const HttpRequest& request, const HttpPeer& peer);
  HttpReply health() const;
  HttpReply metrics() const;
  HttpReply models(const std::string& path) const;
  const ServedModel& find_model(const std::string& name) const;
  HttpReply complete(const ApiRequest& request, const HttpPeer& peer);
  void admit(std::size_t answers);
  std::optional<AnswerEvent> next_event(Call& call) const;
  HttpReply whole(Call& call) const;
  HttpReply stream(std::shared_ptr<Call> call);
  void write_stream(Call& call, AnswerEvent first, const BodyWriter& write);

  const ServedModels models_;
  const ApiOptions options_;
  Admission admission_;
  Metrics metrics_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> cancelled_{false};
};

}  // namespace tapir::serve
