#include <deque>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "evaluate/mt_bench_ask.h"
#include "llm/ask_all.h"

namespace tapir::evaluate {
namespace {

constexpr const char* kStage = "mtbench answer";

// The conversations in work. Requests of second turns come before those of further questions, so
// that conversations end.
class Conversations : public llm::RequestSource, public llm::ReplySink {
 public:
  Conversations(std::span<const MtQuestion> questions, const MtAnswerOptions& options,
                ProgressSink& progress)
      : questions_(questions), options_(options), progress_(progress), turns_(questions.size()) {
    update_.stage = kStage;
    update_.total = questions.size() * kMtTurns;
  }

  std::optional<llm::ChatRequest> next() override {
    std::size_t at = 0;
    if (!goes_on_.empty()) {
      at = goes_on_.front();
      goes_on_.pop_front();
    } else if (begun_ < questions_.size()) {
      at = begun_++;
    } else {
      return std::nullopt;
    }
    return request(at);
  }

  void take(llm::ChatReply reply) override {
    const auto found = in_flight_.find(reply.row_id);
    check(found != in_flight_.end(), "mtbench answer: a reply to a request in flight");
    const std::size_t at = found->second;
    in_flight_.erase(found);
    update_.usd += reply.usd;
    const bool cut = reply.ok() && reply.finish_reason == FinishReason::length;
    // Cut before it had any words, it is no answer.
    if (cut && trim(reply.text).empty()) reply.failure = llm::Failure::length;
    if (reply.ok()) {
      truncated_[at] = truncated_[at] || cut;
      turns_[at].push_back(std::move(reply.text));
      ++update_.done;
      if (turns_[at].size() < kMtTurns) goes_on_.push_back(at);
    } else {
      failed_[at] = reply.failure;
      update_.failed += kMtTurns - turns_[at].size();
    }
    progress_.update(update_);
  }

  MtAnswered answered(const std::string& name) {
    MtAnswered out;
    for (std::size_t at = 0; at < questions_.size(); ++at) {
      if (turns_[at].size() == kMtTurns) {
        out.truncated += truncated_[at] ? 1 : 0;
        out.answers.push_back({questions_[at].id, name, std::move(turns_[at]), ""});
        continue;
      }
      const auto failure = failed_.find(at);
      if (failure == failed_.end() || is_transient(failure->second)) {
        out.complete = false;
      } else {
        ++out.failed[std::string(to_string(failure->second))];
      }
    }
    return out;
  }

 private:
  llm::ChatRequest request(std::size_t at) {
    const MtQuestion& question = questions_[at];
    llm::ChatRequest request;
    for (std::size_t turn = 0; turn <= turns_[at].size(); ++turn) {
      request.messages.push_back({Role::user, question.turns[turn]});
      if (turn < turns_[at].size()) request.messages.push_back({Role::assistant, turns_[at][turn]});
    }
    request.row_id = fmt::format("{}/{}", question.id, turns_[at].size() + 1);
    request.stage = kStage;
    request.cut_is_answer = true;
    request.sampling.max_tokens = options_.max_tokens;
    request.sampling.seed = options_.seed;
    request.sampling.temperature = options_.temperature.value_or(
        question.temperature.value_or(mt_temperature(question.category)));
    in_flight_[request.row_id] = at;
    return request;
  }

  std::span<const MtQuestion> questions_;
  const MtAnswerOptions& options_;
  ProgressSink& progress_;
  ProgressUpdate update_;
  std::vector<std::vector<std::string>> turns_;  // answers so far, by question
  std::map<std::size_t, bool> truncated_;
  std::map<std::size_t, llm::Failure> failed_;
  std::deque<std::size_t> goes_on_;  // questions whose second turn can be asked
  std::size_t begun_ = 0;
  std::map<std::string, std::size_t> in_flight_;
};

}  // namespace

MtAnswered answer_mt_bench(llm::ChatModel& model, const std::string& name,
                           std::span<const MtQuestion> questions, const MtAnswerOptions& options,
                           ProgressSink& progress, std::stop_token stop) {
  Conversations conversations(questions, options, progress);
  llm::ask_all(model, conversations, conversations, {options.max_in_flight}, std::move(stop));
  return conversations.answered(name);
}

}  // namespace tapir::evaluate
