#include "backends/served_student.h"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/random.h"
#include "base/strings.h"
#include "llm/ask_all.h"
#include "llm/limits.h"
#include "llm/openai_model.h"
#include "llm/retry.h"

namespace tapir::backends {
namespace {

using student::GenerateOptions;
using student::GenerateRequest;
using student::Generation;

constexpr std::chrono::milliseconds kLook{200};
constexpr std::uint64_t kSeeds = 0x80000000;  // what servers take: below 2^31

llm::ChatRequest chat_request(const GenerateRequest& row, const student::SamplingParameters& how) {
  llm::ChatRequest request;
  request.row_id = row.id;
  request.messages = row.messages;
  request.prompt = row.prompt;
  request.cut_is_answer = true;
  request.sampling.temperature = how.temperature;
  request.sampling.top_p = how.top_p;
  request.sampling.top_k = how.top_k;
  request.sampling.max_tokens = how.max_new_tokens;
  if (how.temperature > 0) {
    request.sampling.seed =
        static_cast<std::int64_t>(RandomStream(how.seed, "generate", row.id).next() % kSeeds);
  }
  return request;
}

class Rows final : public llm::RequestSource {
 public:
  Rows(std::span<const GenerateRequest> rows, const student::SamplingParameters& how)
      : rows_(rows), how_(how) {}
  std::optional<llm::ChatRequest> next() override {
    if (at_ == rows_.size()) return std::nullopt;
    return chat_request(rows_[at_++], how_);
  }

 private:
  std::span<const GenerateRequest> rows_;
  const student::SamplingParameters& how_;
  std::size_t at_ = 0;
};

std::string failed_row(const llm::ChatReply& reply) {
  const bool too_long = reply.error_code == "context_length_exceeded" ||
                        (reply.failure == llm::Failure::invalid_request &&
                         lower_ascii(reply.error).find("context") != std::string::npos);
  return too_long ? "too_long" : std::string(llm::to_string(reply.failure));
}

class Answers final : public llm::ReplySink {
 public:
  explicit Answers(const student::GenerationSink& sink) : sink_(sink) {}
  void take(llm::ChatReply reply) override {
    if (llm::is_transient(reply.failure)) {
      ++missing;
      if (reply.failure != llm::Failure::stopped) {
        words = fmt::format("{}: {}", llm::to_string(reply.failure), reply.error);
      }
      return;
    }
    Generation row;
    row.id = reply.row_id;
    if (reply.ok()) {
      row.text = std::move(reply.text);
      row.finish_reason = reply.finish_reason;
      row.prompt_tokens = static_cast<int>(reply.usage.prompt_tokens);
      row.completion_tokens = static_cast<int>(reply.usage.completion_tokens);
    } else {
      row.failure = failed_row(reply);
    }
    sink_(std::move(row));
  }

  std::int64_t missing = 0;
  std::string words;  // of the last that is missing

 private:
  const student::GenerationSink& sink_;
};

// Asks the sources to stop when all servers have ended.
class Watch {
 public:
  Watch(ModelServers& servers, const std::stop_token& asked)
      : servers_(servers),
        forward_(asked, [this] { stop_.request_stop(); }),
        thread_([this](const std::stop_token& end) { watch(end); }) {}
  // The servers are the caller's again afterwards.
  void end() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  std::stop_token token() const { return stop_.get_token(); }

 private:
  void watch(const std::stop_token& end) {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    while (!end.stop_requested()) {
      if (servers_.look() == 0) {
        stop_.request_stop();
        return;
      }
      changed.wait_for(lock, end, kLook, [] { return false; });
    }
  }

  ModelServers& servers_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> forward_;
  std::jthread thread_;  // last: it uses everything above
};

class ServedStudent final : public student::Student {
 public:
  ServedStudent(std::shared_ptr<const student::StudentEngine> engine, std::filesystem::path folder,
                const ServedOptions& options, ProgressSink& progress)
      : engine_(std::move(engine)),
        folder_(std::move(folder)),
        options_(options),
        progress_(progress) {
    options_.servers.name = options_.name_student(folder_);
  }

  std::int64_t parameter_count() const override { return own().parameter_count(); }
  int context_length() const override { return own().context_length(); }
  std::string chat_format() const override { return own().chat_format(); }
  void generate(std::span<const GenerateRequest> requests, const GenerateOptions& options,
                const student::GenerationSink& sink, std::stop_token stop) const override;
  std::vector<student::TokenLosses> token_losses(std::span<const Example> examples) const override {
    return own().token_losses(examples);
  }
  student::TokenLosses completion_losses(const std::string& prompt,
                                         const std::string& completion) const override {
    return own().completion_losses(prompt, completion);
  }
  std::vector<std::int32_t> tokenize(const std::string& text, bool special) const override {
    return own().tokenize(text, special);
  }
  std::vector<std::int32_t> tokenize_chat(const Messages& messages) const override {
    return own().tokenize_chat(messages);
  }

 private:
  const student::Student& own() const {
    const std::lock_guard lock(mutex_);
    if (own_ == nullptr) own_ = engine_->load(folder_);
    return *own_;
  }

  const std::shared_ptr<const student::StudentEngine> engine_;
  const std::filesystem::path folder_;
  ServedOptions options_;
  ProgressSink& progress_;
  mutable std::mutex mutex_;  // of own_
  mutable std::shared_ptr<const student::Student> own_;
  mutable std::mutex serving_;  // one generate() at a time
  mutable std::unique_ptr<ModelServers> servers_;
};

void ServedStudent::generate(std::span<const GenerateRequest> requests,
                             const GenerateOptions& options, const student::GenerationSink& sink,
                             std::stop_token stop) const {
  if (requests.empty()) return;
  const std::lock_guard lock(serving_);
  if (servers_ == nullptr)
    servers_ = std::make_unique<ModelServers>(folder_, options_.servers, progress_, stop);
  llm::OpenAiTransport transport;
  transport.endpoints = servers_->addresses();
  transport.pool.most_in_flight = options_.max_concurrent_requests;
  transport.pool.first_window = options_.max_concurrent_requests;
  transport.notice = [this](const std::string& line) { progress_.message(line); };
  llm::OpenAiModel model({servers_->model(), "", ""}, std::move(transport));
  const std::size_t in_flight = options_.max_concurrent_requests * servers_->addresses().size();
  llm::LimitedModel limited(model, {in_flight});
  llm::RetryModel retried(limited);
  Rows rows(requests, options.sampling);
  Answers answers(sink);
  Watch watch(*servers_, stop);
  llm::ask_all(retried, rows, answers, {2 * in_flight}, watch.token());
  watch.end();
  if (stop.stop_requested()) return;
  const std::string ended = servers_->obituary();
  if (answers.missing == 0 && ended.empty()) return;
  if (!ended.empty()) servers_.reset();  // the next call starts others
  if (answers.missing == 0 && !watch.token().stop_requested()) return;
  throw Error(ErrorKind::endpoint,
              ended.empty() ? fmt::format("{} rows have no answer from the servers over {}: {}",
                                          answers.missing, options_.servers.name, answers.words)
                            : "all servers have ended\n" + ended,
              "what was answered is kept; the same command starts the servers again and goes on");
}

class ServingEngine final : public student::StudentEngine {
 public:
  ServingEngine(std::shared_ptr<const student::StudentEngine> engine, ServedOptions options,
                ProgressSink& progress)
      : engine_(std::move(engine)), options_(std::move(options)), progress_(progress) {}

  std::shared_ptr<const student::Student> load(const std::filesystem::path& folder) const override {
    return std::make_shared<ServedStudent>(engine_, folder, options_, progress_);
  }
  student::Preflight preflight(const student::TrainJob& job) const override {
    return engine_->preflight(job);
  }
  std::vector<student::PreviewRow> preview(const student::TrainJob& job,
                                           std::size_t rows) const override {
    return engine_->preview(job, rows);
  }
  student::TrainResult train(const student::TrainJob& job, ProgressSink& progress,
                             std::stop_token stop) const override {
    return engine_->train(job, progress, std::move(stop));
  }
  std::string version() const override { return engine_->version(); }

 private:
  const std::shared_ptr<const student::StudentEngine> engine_;
  const ServedOptions options_;
  ProgressSink& progress_;
};

}  // namespace

std::shared_ptr<const student::StudentEngine> serve_students(
    std::shared_ptr<const student::StudentEngine> engine, ServedOptions options,
    ProgressSink& progress) {
  return std::make_shared<ServingEngine>(std::move(engine), std::move(options), progress);
}

}  // namespace tapir::backends
