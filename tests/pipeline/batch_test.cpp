// A judge that is asked by files of the Batch API: exit code 7, files out, replies in, and the same
// run in the end.
#include <algorithm>
#include <condition_variable>
#include <mutex>

#include <gmock/gmock.h>

#include "base/strings.h"
#include "error_of.h"
#include "gym/models.h"
#include "pipeline/alpaca_ask_files.h"
#include "pipeline/batch_files.h"
#include "pipeline/judge_file.h"
#include "pipeline/status.h"
#include "pipeline_fixture.h"

namespace tapir::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What a batch's machinery does with a file of requests, by a model of the gym.
class BatchServer {
 public:
  explicit BatchServer(std::unique_ptr<llm::ChatModel> model) : model_(std::move(model)) {}

  std::string answer(const std::filesystem::path& requests) {
    std::string replies;
    for_each_jsonl(requests, [&](const Json& line, const std::string&) {
      EXPECT_EQ(line["method"], "POST");
      EXPECT_EQ(line["url"], "/v1/chat/completions");
      const Json& body = line["body"];
      const Json completion = {{"choices",
                                {{{"message", {{"role", "assistant"}, {"content", ask(body)}}},
                                  {"finish_reason", "stop"}}}},
                               {"usage", {{"prompt_tokens", 100}, {"completion_tokens", 10}}}};
      replies += Json{{"id", "batch_req_1"},
                      {"custom_id", line["custom_id"]},
                      {"response", {{"status_code", 200}, {"body", completion}}},
                      {"error", nullptr}}
                     .dump() +
                 "\n";
    });
    return replies;
  }

 private:
  std::string ask(const Json& body) {
    llm::ChatRequest request;
    for (const Json& message : body["messages"]) {
      request.messages.push_back({message["role"] == "system" ? Role::system : Role::user,
                                  message["content"].get<std::string>()});
    }
    request.sampling.max_tokens = body["max_tokens"].get<int>();
    std::mutex mutex;
    std::condition_variable came;
    std::optional<llm::ChatReply> reply;
    model_->submit(request,
                   [&](llm::ChatReply one) {
                     const std::lock_guard lock(mutex);
                     reply = std::move(one);
                     came.notify_one();
                   },
                   {});
    std::unique_lock lock(mutex);
    came.wait(lock, [&] { return reply.has_value(); });
    EXPECT_TRUE(reply->ok()) << reply->error;
    return reply->text;
  }

  const std::unique_ptr<llm::ChatModel> model_;
};

class BatchTest : public PipelineTest {
 protected:
  const std::vector<std::string> kBatch = {
      "judge.kind=openai",
      "judge.model=gym-judge",
      "judge.mode=batch",
      "arms={}",
      "difficulty.threshold=7.5",
      "judge.price_per_million={input: 2, output: 8, batch_discount: 0.5}"};

  Error waits(const std::string& name) {
    return testing::error_of([&] { run(name, kBatch); });
  }
  std::vector<BatchFile> export_to(const std::string& name, BatchExportOptions options) const {
    options.folder = folder_.path() / options.folder;
    return export_batch(*open(name), options);
  }
  BatchImport import(const std::string& name, const std::string& text) {
    write_file(folder_.path() / "replies.jsonl", text);
    const auto store =
        store::RunStore::open(folder_.path() / name / "run.db", store::OpenMode::read_write);
    return import_batch(*store, {folder_.path() / "replies.jsonl"});
  }
  store::UsageRow judge_usage(const std::string& name) const {
    for (const store::UsageRow& row : open(name)->usage()) {
      if (row.role == "judge") return row;
    }
    return {};
  }
  BatchServer judge_{gym::make_judge({.position_bias = 1.5, .seed = 42})};
};

TEST_F(BatchTest, ARunByBatchesIsTheRunOverTheNetwork) {
  // A judge that prefers what it sees first: second orders are needed.
  run("inside", {"arms={}", "judge.gym.position_bias=1.5", "difficulty.threshold=7.5"});
  int batches = 0;
  std::int64_t requests = 0;
  for (bool finished = false; !finished;) {
    ASSERT_LT(++batches, 6);
    try {
      finished = run("a", kBatch).finished;
      continue;
    } catch (const Error& e) {
      ASSERT_EQ(e.kind(), ErrorKind::waiting) << e.what();
      EXPECT_EQ(exit_code(e.kind()), 7);
      EXPECT_THAT(e.what(), HasSubstr("requests of the judge wait for a batch"));
      EXPECT_THAT(e.hint(), HasSubstr("tapir batch export " + (folder_.path() / "a").string()));
    }
    const auto files = export_to("a", {.folder = "batch-" + std::to_string(batches)});
    ASSERT_EQ(files.size(), 1U);
    EXPECT_EQ(files[0].path.filename(), "judge-001.jsonl");
    requests += files[0].requests;
    EXPECT_EQ(judge_usage("a").waiting, files[0].requests);
    const BatchImport done = import("a", judge_.answer(files[0].path));
    EXPECT_TRUE(done.all_well());
    EXPECT_EQ(done.answered, files[0].requests);
    EXPECT_EQ(done.waiting, 0);
  }
  EXPECT_EQ(batches, 3) << "first orders with the pilot; second orders; then all is there";
  const auto fits = [&](const std::string& name) {
    std::string text;
    for (const Fit& fit : open(name)->fits("student/s0"))
      text += fit.instruction_id + std::to_string(fit.gap()) + std::to_string(fit.orders) + "\n";
    return text;
  };
  EXPECT_EQ(fits("a"), fits("inside"));
  EXPECT_EQ(rows_of("a"), rows_of("inside"));
  EXPECT_EQ(final_bytes("a"), final_bytes("inside"));
  const store::UsageRow usage = judge_usage("a");
  EXPECT_EQ(usage.replies, requests);
  EXPECT_EQ(usage.sends, requests);
  EXPECT_EQ(usage.waiting, 0);
  EXPECT_NEAR(usage.usd, 0.5 * static_cast<double>(requests) * (100 * 2 + 10 * 8) / 1e6, 1e-9);
}

TEST_F(BatchTest, ExportSplitsByBothLimits) {
  EXPECT_EQ(waits("a").kind(), ErrorKind::waiting);
  const std::int64_t all = judge_usage("a").waiting;
  const auto by_count = export_to("a", {.folder = "by_count", .max_requests = 100});
  std::int64_t sum = 0;
  std::string ids;
  std::size_t longest = 0;
  for (const BatchFile& file : by_count) {
    EXPECT_LE(file.requests, 100);
    sum += file.requests;
    for_each_line(file.path, [&](std::string_view line, std::size_t) {
      longest = std::max(longest, line.size() + 1);
    });
  }
  EXPECT_EQ(sum, all);
  EXPECT_EQ(by_count.size(), static_cast<std::size_t>((all + 99) / 100));
  const auto by_size = export_to("a", {.folder = "by_size", .max_bytes = 3 * longest});
  for (const BatchFile& file : by_size)
    EXPECT_LE(std::filesystem::file_size(file.path), 3 * longest);
  EXPECT_GT(by_size.size(), static_cast<std::size_t>(all / 20));
  // A folder of an earlier batch is not written into, a stage that does not wait has no files.
  EXPECT_EQ(testing::error_of([&] { export_to("a", {.folder = "by_size"}); }).kind(),
            ErrorKind::usage);
  EXPECT_EQ(testing::error_of([&] { export_to("a", {.stage = "tasks", .folder = "none"}); }).kind(),
            ErrorKind::data);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "none"));
}

TEST_F(BatchTest, EveryLineThatCannotBeUsedIsCountedAndNamed) {
  waits("a");
  const auto files = export_to("a", {.folder = "out"});
  std::vector<std::string> lines = split(judge_.answer(files[0].path), '\n');
  lines.resize(6);
  const auto id = [&](std::size_t line) {
    return Json::parse(lines[line])["custom_id"].get<std::string>();
  };
  const auto refused = [&](std::size_t line, int status, const Json& error) {
    lines[line] = Json{
        {"custom_id", id(line)},
        {"response", {{"status_code", status}, {"body", {{"error", error}}}}},
        {"error",
         nullptr}}.dump();
  };
  refused(1, 400, {{"message", "This model's maximum context length is 8192 tokens"}});
  refused(2, 429, {{"message", "slow down"}});
  lines[3] = Json{{"custom_id", id(3)},
                  {"response", nullptr},
                  {"error", {{"code", "batch_expired"}, {"message", "expired"}}}}
                 .dump();
  lines.push_back(lines[0]);
  lines.push_back(
      "{\"custom_id\": \"nobody\", \"response\": {\"status_code\": 200, \"body\": {}}}");
  lines.push_back("{\"response\": {\"status_code\": 200, \"body\": {}}}");
  lines.push_back(lines[4].substr(0, lines[4].size() / 2));
  const BatchImport done = import("a", join(lines, "\n"));
  EXPECT_EQ(done.lines, 10);
  EXPECT_EQ(done.answered, 3);
  EXPECT_EQ(done.failed, (std::map<std::string, std::int64_t>{
                             {"invalid_request", 1}, {"rate_limited", 1}, {"server_error", 1}}));
  EXPECT_EQ(done.refused, (std::map<std::string, std::int64_t>{
                              {"duplicate", 1}, {"unknown", 1}, {"unreadable", 2}}));
  EXPECT_EQ(done.waiting, files[0].requests - 4) << "throttled and expired ones wait for another";
  EXPECT_FALSE(done.all_well());
  const std::string words = import_text(done);
  EXPECT_THAT(words, HasSubstr("replies.jsonl:7: custom_id"));
  EXPECT_THAT(words, HasSubstr("replies.jsonl:8: custom_id nobody is none of this run's"));
  EXPECT_THAT(words, HasSubstr("replies.jsonl:9: no custom_id"));
  EXPECT_THAT(words, HasSubstr("replies.jsonl:10: no whole JSON object"));
  // Once more: nothing is booked again.
  const BatchImport again = import("a", lines[0] + "\n" + lines[4] + "\n");
  EXPECT_EQ(again.known, 2);
  EXPECT_EQ(again.usd, 0);
  EXPECT_TRUE(again.all_well());
}

// What is no longer asked for is not sent again, but its reply is taken.
TEST_F(BatchTest, ChangedRequestsLeaveTheirPlaceToNewOnes) {
  waits("a");
  const auto before = export_to("a", {.folder = "before"});
  RunOptions accept;
  accept.accept_changes = true;
  auto warmer = kBatch;
  warmer.push_back("judge.temperature=0.5");
  EXPECT_EQ(testing::error_of([&] { run("a", warmer, accept); }).kind(), ErrorKind::waiting);
  const auto after = export_to("a", {.folder = "after"});
  EXPECT_EQ(after[0].requests, before[0].requests);
  EXPECT_EQ(judge_usage("a").waiting, before[0].requests);
  EXPECT_EQ(import("a", judge_.answer(before[0].path)).answered, before[0].requests);
  EXPECT_EQ(judge_usage("a").waiting, before[0].requests);
}

TEST_F(BatchTest, NoMoreWaitsThanTheBudgetCanPayFor) {
  auto poor = kBatch;
  poor.push_back("budget.max_usd=0.3");
  const Error e = testing::error_of([&] { run("a", poor); });
  EXPECT_EQ(e.kind(), ErrorKind::waiting);
  EXPECT_THAT(e.what(), HasSubstr("the budget may not pay for more of them at once"));
  const std::int64_t waiting = judge_usage("a").waiting;
  EXPECT_GT(waiting, 10);
  EXPECT_LT(waiting, 300);
  const auto files = export_to("a", {.folder = "out"});
  import("a", judge_.answer(files[0].path));
  EXPECT_EQ(testing::error_of([&] { run("a", poor); }).kind(), ErrorKind::waiting);
  EXPECT_GT(judge_usage("a").waiting, 10) << "what the replies did not cost is free for others";
}

TEST_F(BatchTest, FileCommandsWaitToo) {
  write_file(folder_.path() / "rows.jsonl",
             "{\"id\": \"1\", \"instruction\": \"2 + 2?\", \"response\": \"4\", "
             "\"student_response\": \"5\"}\n");
  const Recipe with = load_settings({}, {"judge.kind=openai", "judge.model=m", "judge.mode=batch"});
  JudgeFileOptions options;
  options.files = {
      (folder_.path() / "rows.jsonl").string(), (folder_.path() / "judged.jsonl").string(), {}};
  const Error e = testing::error_of([&] { judge_file(with, options, silent_progress(), {}); });
  EXPECT_EQ(e.kind(), ErrorKind::waiting);
  EXPECT_THAT(e.hint(), HasSubstr("judged.jsonl.tapir"));
  const auto store = store::RunStore::open(folder_.path() / "judged.jsonl.tapir/run.db",
                                           store::OpenMode::read_only);
  EXPECT_EQ(export_batch(*store, {.folder = folder_.path() / "out"})[0].requests, 2);
}

// Of AlpacaEval's outputs some are cut; over the network they are answers, too.
TEST_F(BatchTest, ACutReplyAnswersWhoSaysSo) {
  write_file(folder_.path() / "set.json",
             "[{\"instruction\": \"Count to a million.\", \"output\": \"1\"}]");
  AlpacaAnswerFiles files;
  files.instructions = (folder_.path() / "set.json").string();
  files.output = (folder_.path() / "outputs.json").string();
  const Recipe with =
      load_settings({}, {"candidate.kind=openai", "candidate.model=m", "candidate.mode=batch"});
  const auto answer = [&] { return answer_alpaca_file(with, files, silent_progress(), {}); };
  EXPECT_EQ(testing::error_of([&] { answer(); }).kind(), ErrorKind::waiting);
  {
    const auto store = store::RunStore::open(folder_.path() / "outputs.json.tapir/run.db",
                                             store::OpenMode::read_write);
    const auto requests = export_batch(*store, {.folder = folder_.path() / "out"});
    const Json line = Json::parse(read_file(requests[0].path));
    const Json completion = {{"choices",
                              {{{"message", {{"role", "assistant"}, {"content", "1 2 3"}}},
                                {"finish_reason", "length"}}}},
                             {"usage", {{"prompt_tokens", 9}, {"completion_tokens", 3}}}};
    write_file(folder_.path() / "replies.jsonl",
               Json{{"custom_id", line["custom_id"]},
                    {"response", {{"status_code", 200}, {"body", completion}}}}
                       .dump() +
                   "\n");
    const BatchImport done = import_batch(*store, {folder_.path() / "replies.jsonl"});
    EXPECT_EQ(done.cut, 1);
    EXPECT_TRUE(done.all_well());
    EXPECT_EQ(done.waiting, 0);
  }
  const AlpacaAnswerSummary summary = answer();
  EXPECT_EQ(summary.answered, 1);
  EXPECT_EQ(summary.truncated, 1);
  EXPECT_THAT(read_file(files.output), HasSubstr("1 2 3"));
}

TEST_F(BatchTest, BatchesAreForEndpoints) {
  EXPECT_THROW(recipe({"judge.mode=batch"}), Error);
  EXPECT_NO_THROW(recipe(kBatch)) << "and need no address";
}

}  // namespace
}  // namespace tapir::pipeline
