// Continuous batching: the same bits as generate(), whatever runs beside; streams, stops, limits.
#include "student/student_chat_model.h"

#include <future>
#include <map>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/strings.h"
#include "student/bf16_kernels.h"
#include "student/student.h"
#include "student/trainer.h"
#include "test_data.h"
#include "tiny_student.h"

namespace tapir::student {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

class StudentChat : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new testing::TemporaryFolder;
    make_new_student(testing::tiny_student(), student_path());
  }
  static void TearDownTestSuite() { delete folder_; }
  static std::filesystem::path student_path() { return folder_->path() / "student"; }

  std::shared_ptr<llm::StreamingChatModel> make(int workers, int slots,
                                                std::size_t max_waiting = 1024) const {
    StudentChatOptions options;
    options.workers = workers;
    options.slots = slots;
    // A team spins: on a busy machine tests would take minutes. (A student this small has none.)
    options.threads = workers == 0 ? 0 : 1;
    options.max_waiting = max_waiting;
    return make_student_chat_model(student_path(), options);
  }

  static llm::ChatRequest request(int number, double temperature = 1) {
    llm::ChatRequest r;
    r.row_id = "row" + std::to_string(number);
    std::string text = "what is";
    for (int i = 0; i < number % 7; ++i) text += " " + std::to_string(number + i);
    if (number % 5 == 0) {
      r.prompt = text;
    } else {
      r.messages = {{Role::user, text}};
    }
    r.sampling.temperature = temperature;
    r.sampling.top_p = number % 3 == 0 ? 0.9 : 1.0;
    r.sampling.top_k = number % 4 == 0 ? 20 : 0;
    r.sampling.seed = number;
    r.sampling.max_tokens = 1 + number % 30;
    return r;
  }

  static llm::ChatReply ask(llm::StreamingChatModel& model, llm::ChatRequest r,
                            llm::Streaming streaming = {}) {
    std::promise<llm::ChatReply> done;
    model.submit_streaming(std::move(r), std::move(streaming),
                           [&](llm::ChatReply reply) { done.set_value(std::move(reply)); }, {});
    return done.get_future().get();
  }
  static std::vector<llm::ChatReply> ask_all(llm::StreamingChatModel& model,
                                             const std::vector<llm::ChatRequest>& requests) {
    std::vector<std::promise<llm::ChatReply>> done(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      model.submit(requests[i],
                   [&, i](llm::ChatReply reply) { done[i].set_value(std::move(reply)); }, {});
    }
    std::vector<llm::ChatReply> replies;
    for (auto& one : done) replies.push_back(one.get_future().get());
    return replies;
  }

  static inline testing::TemporaryFolder* folder_ = nullptr;
};

TEST_F(StudentChat, AnswersWithTheBitsOfGenerate) {
  const auto student = make_student_engine()->load(student_path());
  std::vector<llm::ChatRequest> requests;
  for (int i = 0; i < 60; ++i) requests.push_back(request(i, i % 2 == 0 ? 0.0 : 1.0));
  for (const auto& [workers, slots] : {std::pair{1, 1}, {2, 3}, {3, 16}, {0, 0}, {0, 2}}) {
    const auto model = make(workers, slots);
    const auto replies = ask_all(*model, requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const llm::ChatReply& reply = replies[i];
      ASSERT_TRUE(reply.ok()) << reply.error;
      EXPECT_EQ(reply.row_id, requests[i].row_id);
      EXPECT_EQ(reply.key, llm::reply_key(model->identity(), requests[i]));
      const llm::Sampling& s = requests[i].sampling;
      GenerateOptions options;
      options.workers = 1;
      options.sampling = {s.temperature, s.top_p, s.top_k, s.max_tokens,
                          static_cast<std::uint64_t>(*s.seed)};
      const GenerateRequest row{draw_id(requests[i]), requests[i].messages, requests[i].prompt};
      student->generate({&row, 1}, options,
                        [&](const Generation& g) {
                          EXPECT_EQ(reply.text, g.text);
                          EXPECT_EQ(reply.finish_reason, g.finish_reason);
                          EXPECT_EQ(reply.usage.prompt_tokens, g.prompt_tokens);
                          EXPECT_EQ(reply.usage.completion_tokens, g.completion_tokens);
                        },
                        {});
    }
  }
}

TEST_F(StudentChat, StreamsWhatItReplies) {
  const auto model = make(2, 4);
  for (int i = 0; i < 25; ++i) {
    const llm::ChatRequest r = request(i);
    std::string streamed;
    std::size_t pieces = 0;
    llm::Streaming streaming;
    streaming.on_delta = [&](const llm::ChatDelta& delta) {
      EXPECT_TRUE(is_valid_utf8(delta.text));
      streamed += delta.text;
      ++pieces;
    };
    const llm::ChatReply reply = ask(*model, r, streaming);
    EXPECT_EQ(reply.text, streamed);
    EXPECT_EQ(reply.text, ask(*model, r).text);
    EXPECT_TRUE(reply.text.size() < 20 || pieces > 1);
  }
}

// What the first one encoded serves the others; a prompt that is too long is so for all.
TEST_F(StudentChat, ASharedPromptIsEncodedOnce) {
  const auto model = make(1, 2);
  const llm::ChatRequest r = request(4, /*temperature=*/0);
  llm::Streaming streaming;
  streaming.prompt = std::make_shared<llm::SharedPrompt>();
  const llm::ChatReply alone = ask(*model, r);
  EXPECT_EQ(ask(*model, r, streaming).text, alone.text);
  std::vector<std::int32_t>& tokens = streaming.prompt->tokens;
  EXPECT_EQ(static_cast<std::int64_t>(tokens.size()), alone.usage.prompt_tokens);
  tokens.resize(3);
  EXPECT_EQ(ask(*model, r, streaming).usage.prompt_tokens, 3);

  llm::ChatRequest endless = r;
  endless.messages.back().content.assign(2000, '?');
  streaming.prompt = std::make_shared<llm::SharedPrompt>();
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(ask(*model, endless, streaming).error_code, "context_length_exceeded");
}

TEST_F(StudentChat, EndsBeforeAStopString) {
  const auto model = make(1, 2);
  int stopped = 0;
  for (int i = 21; i < 60; ++i) {
    llm::ChatRequest r = request(i);
    const std::string whole = ask(*model, r).text;
    if (count_code_points(whole) < 8 || !is_valid_utf8(whole)) continue;
    std::size_t middle = whole.size() / 2;
    while ((static_cast<unsigned char>(whole[middle]) & 0xC0U) == 0x80U) ++middle;
    std::size_t end = std::min(middle + 2, whole.size());
    while (end < whole.size() && (static_cast<unsigned char>(whole[end]) & 0xC0U) == 0x80U) ++end;
    const std::string stop = whole.substr(middle, end - middle);
    if (stop.find("\xEF\xBF\xBD") != std::string::npos) continue;
    r.sampling.stop = {"never in there", stop};
    r.sampling.logprobs = true;
    const llm::ChatReply reply = ask(*model, r);
    EXPECT_EQ(reply.finish_reason, FinishReason::stop);
    EXPECT_EQ(reply.text, whole.substr(0, whole.find(stop)));
    EXPECT_LE(reply.logprobs.size(), static_cast<std::size_t>(reply.usage.completion_tokens));
    ++stopped;
  }
  EXPECT_GT(stopped, 5);
}

TEST_F(StudentChat, GivesLogprobs) {
  const auto model = make(1, 2);
  llm::ChatRequest r = request(24, 0);
  r.sampling.logprobs = true;
  r.sampling.top_logprobs = 3;
  const llm::ChatReply reply = ask(*model, r);
  ASSERT_TRUE(reply.ok());
  ASSERT_FALSE(reply.logprobs.empty());
  ASSERT_EQ(reply.logprobs.size(), reply.top_logprobs.size());
  for (std::size_t i = 0; i < reply.logprobs.size(); ++i) {
    ASSERT_EQ(reply.top_logprobs[i].size(), 3U);
    EXPECT_EQ(reply.logprobs[i].token, reply.top_logprobs[i][0].token) << "greedy";
    EXPECT_EQ(reply.logprobs[i].logprob, reply.top_logprobs[i][0].logprob);
    EXPECT_LE(reply.logprobs[i].logprob, 0);
    EXPECT_GE(reply.top_logprobs[i][1].logprob, reply.top_logprobs[i][2].logprob);
  }
  std::size_t streamed = 0;
  llm::Streaming streaming;
  streaming.on_delta = [&](const llm::ChatDelta& delta) { streamed += delta.logprobs.size(); };
  EXPECT_EQ(ask(*model, r, streaming).logprobs.size(), streamed);
}

TEST_F(StudentChat, AnswersOnBf16UnitsWhenAsked) {
  if (bf16_kernels() == nullptr) GTEST_SKIP() << "this CPU has no bf16 units";
  StudentChatOptions options;
  options.workers = 1;
  std::vector<double> logprobs;
  for (const char* dtype : {"auto", "bfloat16"}) {
    options.dtype = dtype;
    llm::ChatRequest r = request(1);
    r.sampling.logprobs = true;
    const auto model = make_student_chat_model(student_path(), options);
    const llm::ChatReply reply = ask(*model, r);
    ASSERT_TRUE(reply.ok()) << reply.error;
    logprobs.push_back(reply.logprobs.front().logprob);
  }
  EXPECT_NE(logprobs[0], logprobs[1]);
  EXPECT_NEAR(logprobs[0], logprobs[1], 0.05);
}

TEST_F(StudentChat, NamesWhatItCannotAnswer) {
  const auto model = make(1, 2);
  const auto refused = [&](const std::function<void(llm::ChatRequest&)>& change) {
    llm::ChatRequest r = request(1);
    change(r);
    const llm::ChatReply reply = ask(*model, r);
    EXPECT_EQ(reply.failure, llm::Failure::invalid_request);
    return reply;
  };
  const auto long_prompt =
      refused([](llm::ChatRequest& r) { r.messages[0].content = std::string(3000, 'x'); });
  EXPECT_EQ(long_prompt.error_code, "context_length_exceeded");
  EXPECT_THAT(long_prompt.error, HasSubstr("the context holds 96"));
  EXPECT_THAT(refused([](llm::ChatRequest& r) { r.sampling.temperature = -1; }).error,
              HasSubstr("temperature"));
  EXPECT_THAT(refused([](llm::ChatRequest& r) { r.sampling.json_mode = true; }).error,
              HasSubstr("json_mode"));
  refused([](llm::ChatRequest& r) { r.messages = {{Role::tool, "x"}}; });
  refused([](llm::ChatRequest& r) { r.messages = {{Role::assistant, "x"}}; });
  llm::ChatRequest fills = request(3);
  fills.sampling.max_tokens = 1 << 30;
  const llm::ChatReply filled = ask(*model, fills);
  EXPECT_LE(filled.usage.prompt_tokens + filled.usage.completion_tokens, 96);
}

TEST_F(StudentChat, CancelledRequestsLeaveTheBatchAndTheQueue) {
  const auto model = make(1, 1);
  std::stop_source running, waiting;
  std::promise<void> begun;
  std::promise<llm::ChatReply> first, second;
  llm::ChatRequest endless = request(2);
  endless.sampling.max_tokens = 90;
  int pieces = 0;
  llm::Streaming streaming{[&](const llm::ChatDelta&) {
                             if (++pieces == 1) begun.set_value();
                             // Holds the worker until the second request waits behind it.
                             std::this_thread::sleep_for(5ms);
                           },
                           running.get_token()};
  model->submit_streaming(endless, streaming,
                          [&](llm::ChatReply r) { first.set_value(std::move(r)); }, {});
  begun.get_future().wait();
  model->submit_streaming(request(4), {nullptr, waiting.get_token()},
                          [&](llm::ChatReply r) { second.set_value(std::move(r)); }, {});
  waiting.request_stop();
  EXPECT_EQ(second.get_future().get().failure, llm::Failure::stopped);
  running.request_stop();
  const llm::ChatReply stopped = first.get_future().get();
  EXPECT_TRUE(stopped.failure == llm::Failure::stopped || stopped.ok());
  EXPECT_TRUE(ask(*model, request(6)).ok());
}

TEST_F(StudentChat, BlocksWhenFullAndStops) {
  const auto model = make(1, 1, /*max_waiting=*/0);
  std::promise<void> begun, release;
  std::promise<llm::ChatReply> first, second;
  llm::Streaming held{[&, once = false](const llm::ChatDelta&) mutable {
                        if (std::exchange(once, true)) return;
                        begun.set_value();
                        release.get_future().wait();
                      },
                      {}};
  llm::ChatRequest r = request(9);
  r.sampling.max_tokens = 90;
  model->submit_streaming(r, held, [&](llm::ChatReply reply) { first.set_value(std::move(reply)); },
                          {});
  begun.get_future().wait();
  std::stop_source stop;
  std::jthread blocked([&] {
    model->submit(
        request(1), [&](llm::ChatReply reply) { second.set_value(std::move(reply)); },
        stop.get_token());
  });
  std::this_thread::sleep_for(20ms);
  stop.request_stop();
  blocked.join();
  release.set_value();
  EXPECT_EQ(second.get_future().get().failure, llm::Failure::stopped);
  EXPECT_TRUE(first.get_future().get().ok());
}

TEST_F(StudentChat, ItsIdentityIsItsName) {
  const auto a = make(1, 1)->identity();
  EXPECT_EQ(a.kind, "student");
  EXPECT_EQ(a.model, "student");
  EXPECT_EQ(make_student_chat_model(student_path() / "")->identity().model, "student");
  const testing::TemporaryFolder other;
  StudentChatOptions named;
  named.name = "bob";
  EXPECT_EQ(make_student_chat_model(student_path(), named)->identity().model, "bob");
  named.slots = -1;
  EXPECT_THROW(make_student_chat_model(student_path(), named), Error);
  EXPECT_THROW(make_student_chat_model(other.path()), Error);
}

// As PEFT writes one: the tokenizer is the base's.
TEST_F(StudentChat, AnAdapterWithoutATokenizerIsServed) {
  const testing::TemporaryFolder folder;
  TrainJob job;
  job.model_dir = student_path();
  job.output_dir = folder.path() / "trained";
  job.examples = testing::sum_rows(4);
  job.options.finetuning_type = "lora";
  job.options.max_steps = 1;
  train(job, "here", silent_progress(), {});
  const auto adapter = folder.path() / "adapter";
  std::filesystem::create_directory(adapter);
  for (const char* name : {"adapter_config.json", "adapter_model.safetensors"})
    std::filesystem::copy(job.output_dir / name, adapter / name);
  const llm::ChatReply reply = ask(*make_student_chat_model(adapter), request(1));
  EXPECT_TRUE(reply.ok()) << reply.error;
  EXPECT_EQ(reply.text, ask(*make_student_chat_model(job.output_dir), request(1)).text);
}

TEST_F(StudentChat, EndsWithRequestsInFlight) {
  std::atomic<int> done{0};
  {
    const auto model = make(2, 2);
    for (int i = 0; i < 20; ++i) {
      model->submit(request(i), [&](const llm::ChatReply&) { ++done; }, {});
    }
  }
  EXPECT_EQ(done, 20);
}

}  // namespace
}  // namespace tapir::student
