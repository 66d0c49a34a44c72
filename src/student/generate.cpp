#include "student/generate.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/bounded_queue.h"
#include "base/error.h"
#include "student/decode.h"
#include "student/generate_sample.h"
#include "student/running_batch.h"

namespace tapir::student {
namespace {

// What all workers share.
struct Job {
  const GenerationContext& context;
  std::span<const GenerateRequest> requests;
  const GenerateOptions& options;
  std::vector<std::int32_t> stop_tokens;
  std::stop_token stop;              // the caller's
  std::atomic<std::size_t> next{0};  // the first request that no worker has taken
  std::atomic<bool> cancelled{false};
  BoundedQueue<Generation> finished{1024};
};

// Who decodes: no bit depends on it, but on the slots where an engine's rows are not independent.
struct Arrangement {
  int workers;
  int slots;    // of a worker
  int threads;  // of a worker
};

// A step reads all weights. Workers with a thread each do so for their own rows alone, without
// waiting for one another; threads of one worker share the reading, but meet many times in a step.
Arrangement arrange(const GenerateOptions& options, std::size_t requests,
                    const DecodeEngine& engine) {
  const int cores = engine.most_workers();
  const auto rows = static_cast<int>(std::min<std::size_t>(requests, 1 << 20));
  Arrangement chosen{options.workers, options.slots, options.threads};
  const bool few = rows < cores * options.slots;
  if (chosen.threads == 0) {
    chosen.threads = options.workers == 0 && few ? threads_for(engine.bytes(), cores) : 1;
  }
  if (chosen.workers == 0) chosen.workers = std::max(1, cores / chosen.threads);
  chosen.workers = std::min(chosen.workers, rows);
  // Few requests are shared out evenly, where that changes no row.
  if (engine.independent_rows()) {
    chosen.slots = std::min(chosen.slots, (rows + chosen.workers - 1) / chosen.workers);
  }
  return chosen;
}

// Decodes up to `slots` rows side by side; a slot that gets free is filled with the next request at
// once.
class Worker {
 public:
  Worker(Job& job, const Arrangement& arrangement)
      : job_(job),
        batch_(job.context.engine, job.stop_tokens, arrangement.slots, arrangement.threads),
        rows_(static_cast<std::size_t>(batch_.slots())) {}

  void run() {
    while (!ended()) {
      while (const auto slot = batch_.free_slot()) {
        if (!begin_next(*slot)) break;
      }
      if (batch_.running() == 0) return;
      for (const RowToken& token : batch_.step()) take(token);
    }
  }

 private:
  struct Row {
    const GenerateRequest* request = nullptr;
    std::size_t prompt_tokens = 0;
  };
  bool ended() const { return job_.stop.stop_requested() || job_.cancelled; }
  bool begin_next(int slot);
  void begin(int slot, const GenerateRequest& request);
  void take(const RowToken& token);
  std::vector<std::int32_t> encode(const GenerateRequest& request) const;

  Job& job_;
  RunningBatch batch_;
  std::vector<Row> rows_;  // of the slots
};

// False when there is no request left.
bool Worker::begin_next(int slot) {
  if (ended()) return false;
  const std::size_t index = job_.next++;
  if (index >= job_.requests.size()) return false;
  begin(slot, job_.requests[index]);
  return true;
}

std::vector<std::int32_t> Worker::encode(const GenerateRequest& request) const {
  if (request.messages.empty()) {
    return job_.context.tokenizer.encode_with_specials(request.prompt, /*add_special_tokens=*/true);
  }
  try {
    return job_.context.format.encode_prompt(request.messages);
  } catch (const Error& e) {
    throw Error(e.kind(), "request " + request.id + ": " + e.what(), e.hint());
  }
}

// A prompt that cannot be answered is a counted failure.
void Worker::begin(int slot, const GenerateRequest& request) {
  const std::vector<std::int32_t> prompt = encode(request);
  const auto context =
      static_cast<std::size_t>(job_.context.engine->config().max_position_embeddings);
  if (prompt.empty() || prompt.size() >= context) {
    Generation failed;
    failed.id = request.id;
    failed.finish_reason = FinishReason::length;
    failed.prompt_tokens = static_cast<int>(prompt.size());
    failed.failure = prompt.empty() ? "empty" : "too_long";
    job_.finished.push(std::move(failed));
    return;
  }
  rows_[static_cast<std::size_t>(slot)] = {&request, prompt.size()};
  take(batch_.join(slot, {prompt, job_.options.sampling, request.id}));
}

// The row's end, when this is one.
void Worker::take(const RowToken& token) {
  if (token.state == RowState::running) return;
  const auto& [request, prompt_tokens] = rows_[static_cast<std::size_t>(token.slot)];
  const std::vector<std::int32_t>& tokens = batch_.answer(token.slot);
  const bool ended = token.state == RowState::ended;
  Generation generation;
  generation.id = request->id;
  generation.finish_reason = ended ? FinishReason::stop : FinishReason::length;
  generation.prompt_tokens = static_cast<int>(prompt_tokens);
  generation.completion_tokens = static_cast<int>(tokens.size());
  const std::span<const std::int32_t> answer(tokens.data(), tokens.size() - (ended ? 1 : 0));
  generation.text = job_.context.tokenizer.decode(answer, /*skip_special_tokens=*/true);
  generation.tokens.assign(answer.begin(), answer.end());
  if (!request->messages.empty()) {
    generation.text = job_.context.format.answer_text(generation.text);
  }
  job_.finished.push(std::move(generation));
}

// Runs the workers; the first exception of one ends all and is thrown when the pool is joined.
class WorkerPool {
 public:
  WorkerPool(Job& job, const Arrangement& arrangement)
      : job_(job), arrangement_(arrangement), running_(arrangement.workers) {
    for (int i = 0; i < arrangement.workers; ++i) threads_.emplace_back([this] { work(); });
  }
  // When the sink threw: nobody takes results any more.
  ~WorkerPool() {
    job_.cancelled = true;
    job_.finished.close();
  }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void join() {
    for (std::jthread& thread : threads_) thread.join();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void work() {
    try {
      Worker(job_, arrangement_).run();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      job_.cancelled = true;
    }
    if (--running_ == 0) job_.finished.close();
  }

  Job& job_;
  const Arrangement arrangement_;
  std::atomic<int> running_;
  std::mutex mutex_;
  std::exception_ptr failure_;
  std::vector<std::jthread> threads_;  // last: joined before the rest goes
};

}  // namespace

int threads_for(std::int64_t bytes, int cores) {
  constexpr std::int64_t kThreadBytes = 4 << 20;  // of weights: what makes a thread worth it
  return static_cast<int>(std::clamp<std::int64_t>(bytes / kThreadBytes, 1, cores));
}

std::vector<std::int32_t> end_tokens(const ModelConfig& config, const text::ChatFormat& format) {
  std::vector<std::int32_t> tokens = format.stop_tokens();
  tokens.insert(tokens.end(), config.eos_token_ids.begin(), config.eos_token_ids.end());
  return tokens;
}

void generate(const GenerationContext& context, std::span<const GenerateRequest> requests,
              const GenerateOptions& options, const GenerationSink& sink, std::stop_token stop) {
  check_sampling(options.sampling);
  if (options.slots < 1) {
    throw Error(ErrorKind::usage,
                "slots: expected 1 or more, found " + std::to_string(options.slots));
  }
  if (requests.empty()) return;
  Job job{context, requests, options, end_tokens(context.engine->config(), context.format),
          std::move(stop)};
  WorkerPool pool(job, arrange(options, requests.size(), *job.context.engine));
  while (auto generation = job.finished.pop()) sink(std::move(*generation));
  pool.join();
}

}  // namespace tapir::student
