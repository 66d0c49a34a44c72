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

namespace tapir::student {
namespace {

// What all workers share.
struct Job {
  const GenerationContext& context;
  std::shared_ptr<const DecodeWeights> weights;
  std::span<const GenerateRequest> requests;
  const GenerateOptions& options;
  std::vector<std::int32_t> stop_tokens;
  std::stop_token stop;              // the caller's
  std::atomic<std::size_t> next{0};  // the first request that no worker has taken
  std::atomic<bool> cancelled{false};
  BoundedQueue<Generation> finished{1024};
};

// A row in work.
struct Slot {
  explicit Slot(const ModelConfig& config) : cache(config) {}

  KvCache cache;
  const GenerateRequest* request = nullptr;  // none: the slot is free
  RandomStream random{0, "generate"};
  std::int64_t prompt_tokens = 0;
  std::int64_t limit = 0;            // tokens that may be generated
  std::vector<std::int32_t> answer;  // the newest is not yet in the cache
};

// Decodes up to `slots` rows side by side; a slot that gets free is filled with the next request at
// once.
class Worker {
 public:
  Worker(Job& job, int slots)
      : job_(job), decode_(job.weights), sampler_(job.options.sampling, job.weights->decode) {
    for (int i = 0; i < slots; ++i) slots_.emplace_back(job.weights->config);
  }

  void run() {
    while (!job_.stop.stop_requested() && !job_.cancelled) {
      for (Slot& slot : slots_) {
        while (slot.request == nullptr && begin_next(slot)) {
        }
      }
      if (!step()) return;
    }
  }

 private:
  bool begin_next(Slot& slot);
  void begin(Slot& slot, const GenerateRequest& request);
  bool step();
  void take(Slot& slot, const float* logits);
  void finish(Slot& slot, FinishReason reason, bool stopped);
  std::vector<std::int32_t> encode(const GenerateRequest& request) const;

  Job& job_;
  DecodeWorker decode_;
  TokenSampler sampler_;
  std::vector<Slot> slots_;
  std::vector<DecodeRow> rows_;
  std::vector<Slot*> active_;
};

// False when there is no request left.
bool Worker::begin_next(Slot& slot) {
  if (job_.stop.stop_requested() || job_.cancelled) return false;
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

// Prefills the prompt, alone, and chooses the first token. A prompt that cannot be answered is a
// counted failure.
void Worker::begin(Slot& slot, const GenerateRequest& request) {
  const std::vector<std::int32_t> prompt = encode(request);
  const auto tokens = static_cast<std::int64_t>(prompt.size());
  const std::int64_t room = job_.weights->config.max_position_embeddings - tokens;
  if (prompt.empty() || room <= 0) {
    Generation failed;
    failed.id = request.id;
    failed.finish_reason = FinishReason::length;
    failed.prompt_tokens = static_cast<int>(tokens);
    failed.failure = prompt.empty() ? "empty" : "too_long";
    job_.finished.push(std::move(failed));
    return;
  }
  const SamplingParameters& sampling = job_.options.sampling;
  slot.request = &request;
  slot.random = RandomStream(sampling.seed, "generate", request.id);
  slot.prompt_tokens = tokens;
  slot.limit = std::min<std::int64_t>(sampling.max_new_tokens, room);
  slot.answer.clear();
  slot.cache.reset(tokens + slot.limit);
  take(slot, decode_.prefill(prompt, slot.cache));
}

// Every row in work one token further. False when there is none.
bool Worker::step() {
  rows_.clear();
  active_.clear();
  for (Slot& slot : slots_) {
    if (slot.request == nullptr) continue;
    const auto newest = slot.prompt_tokens + static_cast<std::int64_t>(slot.answer.size()) - 1;
    rows_.push_back({&slot.cache, slot.answer.back(), static_cast<std::int32_t>(newest)});
    active_.push_back(&slot);
  }
  if (rows_.empty()) return false;
  const float* logits = decode_.step(rows_);
  for (Slot* slot : active_) {
    take(*slot, logits);
    logits += job_.weights->config.vocab_size;
  }
  return true;
}

// The next token of a row; the row's end, when it is one.
void Worker::take(Slot& slot, const float* logits) {
  const auto vocab = static_cast<std::size_t>(job_.weights->config.vocab_size);
  const std::int32_t token = sampler_.choose({logits, vocab}, slot.random);
  slot.answer.push_back(token);
  const std::vector<std::int32_t>& stops = job_.stop_tokens;
  if (std::find(stops.begin(), stops.end(), token) != stops.end()) {
    finish(slot, FinishReason::stop, /*stopped=*/true);
  } else if (static_cast<std::int64_t>(slot.answer.size()) >= slot.limit) {
    finish(slot, FinishReason::length, /*stopped=*/false);
  }
}

void Worker::finish(Slot& slot, FinishReason reason, bool stopped) {
  const GenerateRequest& request = *std::exchange(slot.request, nullptr);
  Generation generation;
  generation.id = request.id;
  generation.finish_reason = reason;
  generation.prompt_tokens = static_cast<int>(slot.prompt_tokens);
  generation.completion_tokens = static_cast<int>(slot.answer.size());
  const std::span<const std::int32_t> answer(slot.answer.data(),
                                             slot.answer.size() - (stopped ? 1 : 0));
  generation.text = job_.context.tokenizer.decode(answer, /*skip_special_tokens=*/true);
  if (!request.messages.empty()) {
    generation.text = job_.context.format.answer_text(generation.text);
  }
  job_.finished.push(std::move(generation));
}

// Runs the workers; the first exception of one ends all and is thrown when the pool is joined.
class WorkerPool {
 public:
  WorkerPool(Job& job, int workers, int slots) : job_(job), slots_(slots), running_(workers) {
    for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
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
      Worker(job_, slots_).run();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      job_.cancelled = true;
    }
    if (--running_ == 0) job_.finished.close();
  }

  Job& job_;
  const int slots_;  // of one worker
  std::atomic<int> running_;
  std::mutex mutex_;
  std::exception_ptr failure_;
  std::vector<std::jthread> threads_;  // last: joined before the rest goes
};

int worker_count(const GenerateOptions& options, std::size_t requests) {
  const int wanted = options.workers > 0
                         ? options.workers
                         : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return std::max(1, std::min(wanted, static_cast<int>(std::min<std::size_t>(requests, 1024))));
}

}  // namespace

std::shared_ptr<const DecodeWeights> make_decode_weights(const Model& model) {
  return std::make_shared<DecodeWeights>(model.config, model.layout,
                                         model.parameters.const_data_ptr<float>());
}

void generate(const GenerationContext& context, std::span<const GenerateRequest> requests,
              const GenerateOptions& options, const GenerationSink& sink, std::stop_token stop) {
  check_sampling(options.sampling);
  if (options.slots < 1) {
    throw Error(ErrorKind::usage,
                "slots: expected 1 or more, found " + std::to_string(options.slots));
  }
  if (requests.empty()) return;
  std::vector<std::int32_t> stop_tokens = context.format.stop_tokens();
  stop_tokens.insert(stop_tokens.end(), context.model.config.eos_token_ids.begin(),
                     context.model.config.eos_token_ids.end());
  Job job{context,
          context.weights ? context.weights : make_decode_weights(context.model),
          requests,
          options,
          std::move(stop_tokens),
          std::move(stop)};
  const int workers = worker_count(options, requests.size());
  // Few requests are shared out evenly: the number of slots in use changes no row.
  const std::size_t share =
      (requests.size() + static_cast<std::size_t>(workers) - 1) / static_cast<std::size_t>(workers);
  WorkerPool pool(job, workers,
                  static_cast<int>(std::min(static_cast<std::size_t>(options.slots), share)));
  while (auto generation = job.finished.pop()) sink(std::move(*generation));
  pool.join();
}

}  // namespace tapir::student
