#include "student/student_chat_model.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <iterator>
#include <mutex>
#include <numeric>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "student/adapter_file.h"
#include "student/answer_in_work.h"
#include "student/generate.h"
#include "student/generate_sample.h"
#include "student/job.h"
#include "student/load_weights.h"
#include "student/row_decoder.h"
#include "student/running_batch.h"
#include "student/torch_device.h"

namespace tapir::student {
namespace {

std::string name_of(const std::filesystem::path& folder) {
  const auto clean = std::filesystem::absolute(folder).lexically_normal();
  return (clean.has_filename() ? clean : clean.parent_path()).filename().string();
}

// How the work is shared out.
struct Arrangement {
  int workers, threads, slots;
  bool lent;  // a worker's threads beyond the first are its own only while others are idle
};

Arrangement arrange(const StudentChatOptions& options, const DecodeEngine& engine) {
  constexpr int kSlots = 16;  // of a thread
  const int cores = engine.most_workers();
  Arrangement chosen{options.workers, options.threads, options.slots, /*lent=*/false};
  if (chosen.workers == 0 && chosen.threads == 0) {
    chosen.workers = cores;
    chosen.threads = threads_for(engine.bytes(), cores);
    chosen.lent = true;
  }
  if (chosen.threads == 0) chosen.threads = 1;
  if (chosen.workers == 0) chosen.workers = std::max(1, cores / chosen.threads);
  if (chosen.slots == 0) chosen.slots = kSlots * (chosen.lent ? 1 : chosen.threads);
  return chosen;
}

class BatchedStudent final : public StudentChatModel {
 public:
  BatchedStudent(const std::filesystem::path& folder, const StudentChatOptions& options,
                 const Device& device);
  ~BatchedStudent() override;
  BatchedStudent(const BatchedStudent&) = delete;
  BatchedStudent& operator=(const BatchedStudent&) = delete;

  const llm::ModelIdentity& identity() const override { return identity_; }
  int parallel() const override { return arrangement_.workers * arrangement_.slots; }
  void submit(llm::ChatRequest request, llm::Completion done, std::stop_token stop) override {
    submit_streaming(std::move(request), {}, std::move(done), std::move(stop));
  }
  void submit_streaming(llm::ChatRequest request, llm::Streaming streaming, llm::Completion done,
                        std::stop_token stop) override;

 private:
  // What a worker decodes: answers in the slots of its batch.
  struct Worker {
    Worker(std::size_t number, const BatchedStudent& model)
        : index(number),
          batch(model.engine_, end_tokens(model.engine_->config(), *model.words_.format),
                model.arrangement_.slots, model.arrangement_.threads),
          answers(static_cast<std::size_t>(batch.slots())) {}

    std::optional<AnswerInWork>& at(int slot) { return answers[static_cast<std::size_t>(slot)]; }

    const std::size_t index;
    RunningBatch batch;
    std::vector<std::optional<AnswerInWork>> answers;
  };

  ChatJob prepare(llm::ChatRequest request, llm::Streaming streaming, llm::Completion done) const;
  void encode(ChatJob& job) const;
  std::vector<std::int32_t> prompt_of(const ChatJob& job) const;
  void work(std::size_t index);
  bool wait_for_work(Worker& worker);
  bool may_take(std::size_t index) const;
  void settle_waiting();
  std::optional<ChatJob> next_job(const Worker& worker);
  void fill(Worker& worker);
  void begin(Worker& worker, ChatJob job);
  void take(Worker& worker, const RowToken& token);
  void drop_unwanted(Worker& worker);
  void fail_all(Worker& worker, const std::string& error);
  void ended(const Worker* worker);
  void close(Worker& worker, int slot);

  const StudentChatOptions options_;
  std::shared_ptr<const DecodeEngine> engine_;
  Words words_;
  const Arrangement arrangement_;
  llm::ModelIdentity identity_;

  std::mutex mutex_;
  std::condition_variable_any not_full_;
  std::condition_variable not_empty_;
  std::deque<ChatJob> waiting_;
  std::vector<ChatJob> refused_;                   // that need no worker, only their reply
  std::chrono::steady_clock::time_point scanned_;  // when waiting_ was looked through
  std::size_t in_flight_ = 0;                      // admitted and not yet answered
  std::vector<std::size_t> in_work_;               // answers that each worker is decoding
  bool closing_ = false;
  std::vector<std::jthread> threads_;  // last: joined before the rest goes
};

BatchedStudent::BatchedStudent(const std::filesystem::path& folder,
                               const StudentChatOptions& options, const Device& device)
    : options_(options),
      engine_(load_decode_engine(folder, device)),
      words_(load_words(find_student(folder).words, engine_->config())),
      arrangement_(arrange(options, *engine_)) {
  identity_.kind = "student";
  identity_.model = options.name.empty() ? name_of(folder) : options.name;
  const auto workers = static_cast<std::size_t>(arrangement_.workers);
  in_work_.resize(workers);
  for (std::size_t i = 0; i < workers; ++i) threads_.emplace_back([this, i] { work(i); });
}

BatchedStudent::~BatchedStudent() {
  const std::lock_guard lock(mutex_);
  closing_ = true;
  not_empty_.notify_all();
}

// ---- the side of those who ask ----

ChatJob BatchedStudent::prepare(llm::ChatRequest request, llm::Streaming streaming,
                                llm::Completion done) const {
  ChatJob job;
  job.submitted = std::chrono::steady_clock::now();
  job.reply.row_id = request.row_id;
  job.reply.key = llm::reply_key(identity_, request);
  job.request = std::move(request);
  job.raw_text = job.request.messages.empty();
  job.streaming = std::move(streaming);
  job.done = std::move(done);
  try {
    encode(job);
  } catch (const Error& e) {
    job.reply.failure = llm::Failure::invalid_request;
    job.reply.error = e.what();
    if (!e.hint().empty()) job.reply.error += "; " + e.hint();
  }
  job.request.messages = {};
  job.request.prompt = {};
  return job;
}

void BatchedStudent::encode(ChatJob& job) const {
  const llm::Sampling& asked = job.request.sampling;
  if (asked.json_mode) {
    throw Error(ErrorKind::usage, "json_mode: a local student cannot be held to JSON");
  }
  job.draw_id = draw_id(job.request);
  SamplingParameters& sampling = job.sampling;
  sampling.temperature = asked.temperature;
  sampling.top_p = asked.top_p;
  sampling.top_k = asked.top_k;
  sampling.max_new_tokens = asked.max_tokens;
  sampling.seed = static_cast<std::uint64_t>(asked.seed.value_or(0));
  check_sampling(sampling);
  if (llm::SharedPrompt* shared = job.streaming.prompt.get()) {
    std::call_once(shared->encoded, [&] { shared->tokens = prompt_of(job); });
    job.prompt = shared->tokens;
  } else {
    job.prompt = prompt_of(job);
  }
  if (job.prompt.empty()) throw Error(ErrorKind::data, "the prompt has no token");
  const auto context = static_cast<std::size_t>(engine_->config().max_position_embeddings);
  if (job.prompt.size() < context) return;
  job.reply.error_code = "context_length_exceeded";
  throw Error(ErrorKind::data, "the prompt is " + std::to_string(job.prompt.size()) +
                                   " tokens, the context holds " + std::to_string(context) +
                                   " with the answer");
}

std::vector<std::int32_t> BatchedStudent::prompt_of(const ChatJob& job) const {
  return job.raw_text ? words_.tokenizer->encode_with_specials(job.request.prompt,
                                                               /*add_special_tokens=*/true)
                      : words_.format->encode_prompt(job.request.messages);
}

void BatchedStudent::submit_streaming(llm::ChatRequest request, llm::Streaming streaming,
                                      llm::Completion done, std::stop_token stop) {
  ChatJob job = prepare(std::move(request), std::move(streaming), std::move(done));
  const std::size_t capacity = options_.max_waiting + static_cast<std::size_t>(parallel());
  std::unique_lock lock(mutex_);
  if (!not_full_.wait(lock, stop, [&] { return in_flight_ < capacity; })) {
    job.reply.failure = llm::Failure::stopped;
    job.reply.error = "stopped before the request was admitted";
  }
  ++in_flight_;
  if (job.reply.failure == llm::Failure::none) {
    waiting_.push_back(std::move(job));
  } else {
    refused_.push_back(std::move(job));
  }
  not_empty_.notify_one();
}

// ---- the side of the workers ----

void BatchedStudent::work(std::size_t index) {
  Worker worker(index, *this);
  while (wait_for_work(worker)) {
    settle_waiting();
    drop_unwanted(worker);
    fill(worker);
    try {
      for (const RowToken& token : worker.batch.step()) take(worker, token);
    } catch (const std::exception& e) {
      fail_all(worker, e.what());
    }
  }
}

// False: nothing to do any more.
bool BatchedStudent::wait_for_work(Worker& worker) {
  std::unique_lock lock(mutex_);
  const auto asked = [&] { return may_take(worker.index) || !refused_.empty(); };
  const bool idle = worker.batch.running() == 0;
  not_empty_.wait(lock, [&] { return !idle || closing_ || asked(); });
  if (arrangement_.lent) {
    const auto idlers = std::count(in_work_.begin(), in_work_.end(), 0U);
    const auto busy = std::max<std::ptrdiff_t>(1, std::ssize(in_work_) - idlers);
    const int share = arrangement_.workers / static_cast<int>(busy);
    worker.batch.use_threads(std::clamp(share, 1, arrangement_.threads));
  }
  return !idle || asked();
}

// Under mutex_: whether the next request, if there is one, is this worker's. Few rows stand in one
// batch, whose threads read the weights together; many are shared out evenly, for workers with a
// thread each do not wait for one another.
bool BatchedStudent::may_take(std::size_t index) const {
  constexpr int kFew = 4;
  if (waiting_.empty() || closing_) return !waiting_.empty();
  const auto [least, most] = std::minmax_element(in_work_.begin(), in_work_.end());
  const auto rows = std::accumulate(in_work_.begin(), in_work_.end(), std::size_t{0});
  const bool few =
      arrangement_.lent && rows < static_cast<std::size_t>(std::min(kFew, arrangement_.slots));
  return in_work_[index] == (few ? *most : *least);
}

// Replies to requests that need no worker; and, now and then, to waiting ones that nobody wants any
// more: this runs at every token of every worker.
void BatchedStudent::settle_waiting() {
  constexpr std::chrono::milliseconds kScan{50};
  std::vector<ChatJob> settled;
  {
    const std::lock_guard lock(mutex_);
    settled.swap(refused_);
    const auto now = std::chrono::steady_clock::now();
    if (now - scanned_ >= kScan) {
      scanned_ = now;
      const auto rest = std::stable_partition(waiting_.begin(), waiting_.end(),
                                              [](const ChatJob& job) { return !job.unwanted(); });
      std::move(rest, waiting_.end(), std::back_inserter(settled));
      waiting_.erase(rest, waiting_.end());
    }
  }
  for (ChatJob& job : settled) {
    if (job.reply.failure == llm::Failure::none) job.cancel();
    job.finish();
    ended(nullptr);
  }
}

// The next request, unless another worker should take it.
std::optional<ChatJob> BatchedStudent::next_job(const Worker& worker) {
  const std::lock_guard lock(mutex_);
  if (!may_take(worker.index)) {
    if (!waiting_.empty()) not_empty_.notify_all();
    return std::nullopt;
  }
  ++in_work_[worker.index];
  ChatJob job = std::move(waiting_.front());
  waiting_.pop_front();
  return job;
}

// A request has got its reply; worker: which had it in work, if one had.
void BatchedStudent::ended(const Worker* worker) {
  const std::lock_guard lock(mutex_);
  --in_flight_;
  if (worker != nullptr) --in_work_[worker->index];
  not_full_.notify_one();
}

// New rows take free slots, as many as the rows in work can wait for.
void BatchedStudent::fill(Worker& worker) {
  int prefilled = 0;
  while (worker.batch.running() == 0 || prefilled < options_.prefill_tokens) {
    if (!worker.batch.free_slot()) return;
    std::optional<ChatJob> job = next_job(worker);
    if (!job) return;
    if (job->unwanted()) {
      job->cancel();
      job->finish();
      ended(&worker);
      continue;
    }
    prefilled += static_cast<int>(job->prompt.size());
    begin(worker, std::move(*job));
  }
}

void BatchedStudent::begin(Worker& worker, ChatJob job) {
  const int slot = *worker.batch.free_slot();
  std::optional<AnswerInWork>& answer = worker.at(slot);
  answer.emplace(std::move(job), *words_.tokenizer, *words_.format);
  try {
    take(worker, worker.batch.join(slot, answer->start()));
  } catch (const std::exception& e) {
    answer->fail(llm::Failure::server_error, e.what());
    close(worker, slot);
  }
}

void BatchedStudent::take(Worker& worker, const RowToken& token) {
  AnswerInWork& answer = *worker.at(token.slot);
  if (answer.take(token)) return;
  answer.finish(worker.batch.answer(token.slot));
  close(worker, token.slot);
}

void BatchedStudent::drop_unwanted(Worker& worker) {
  for (int slot = 0; slot < worker.batch.slots(); ++slot) {
    std::optional<AnswerInWork>& answer = worker.at(slot);
    if (!answer || !answer->unwanted()) continue;
    answer->fail(llm::Failure::stopped, "cancelled");
    close(worker, slot);
  }
}

void BatchedStudent::fail_all(Worker& worker, const std::string& error) {
  for (int slot = 0; slot < worker.batch.slots(); ++slot) {
    if (!worker.at(slot)) continue;
    worker.at(slot)->fail(llm::Failure::server_error, error);
    close(worker, slot);
  }
}

void BatchedStudent::close(Worker& worker, int slot) {
  worker.batch.leave(slot);
  worker.at(slot).reset();
  ended(&worker);
}

}  // namespace

std::string draw_id(const llm::ChatRequest& request) {
  std::string id = std::to_string(request.attempt);
  for (const Message& message : request.messages) {
    id = hash_fields({id, to_string(message.role), message.content});
  }
  return request.messages.empty() ? hash_fields({id, request.prompt}) : id;
}

std::shared_ptr<StudentChatModel> make_student_chat_model(const std::filesystem::path& folder,
                                                          const StudentChatOptions& options) {
  if (options.workers < 0 || options.threads < 0 || options.slots < 0 ||
      options.prefill_tokens < 1) {
    throw Error(ErrorKind::usage,
                "workers, threads and slots must be 0 or more, prefill_tokens 1 or more");
  }
  return std::make_shared<BatchedStudent>(folder, options,
                                          find_device(options.device, options.dtype));
}

}  // namespace tapir::student
