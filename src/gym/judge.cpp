#include <algorithm>
#include <array>
#include <cmath>

#include "gym/answering_pool.h"
#include "gym/family.h"
#include "gym/models.h"
#include "gym/request.h"

namespace tapir::gym {
namespace {

class Judge final : public llm::ChatModel {
 public:
  explicit Judge(const JudgeOptions& options)
      : options_(options),
        identity_{"gym", "gym-judge",
                  "version=1 noise=" + std::to_string(options.noise) +
                      " position_bias=" + std::to_string(options.position_bias) +
                      " length_bias=" + std::to_string(options.length_bias) +
                      " malformed_rate=" + std::to_string(options.malformed_rate) +
                      " seed=" + std::to_string(options.seed)},
        pool_([this](const llm::ChatRequest& request) { return reply_to(request); }) {}

  const llm::ModelIdentity& identity() const override { return identity_; }
  void submit(llm::ChatRequest request, llm::Completion done, std::stop_token stop) override {
    pool_.submit(std::move(request), std::move(done), stop);
  }

 private:
  llm::ChatReply reply_to(const llm::ChatRequest& request) const {
    const std::string text = last_user_text(request);
    const auto instruction = read_payload(text, "instruction");
    const std::array answers = {read_payload(text, "answer_a"), read_payload(text, "answer_b")};
    if (!instruction || !answers[0] || !answers[1]) {
      return refused("the request has no instruction and two answers in fences");
    }
    const Family* family = recognise(*instruction);
    if (family == nullptr) return refused("the instruction is no prompt of the gym");

    RandomStream stream = stream_of(identity_, options_.seed, request);
    const bool malformed = stream.chance(options_.malformed_rate);
    std::string words;
    std::array<int, 2> scores{};
    for (std::size_t i = 0; i < 2; ++i) {
      const Verdict verdict = family->judge(*instruction, *answers[i]);
      scores[i] = scored(verdict, /*first=*/i == 0, answers[i]->size(), stream);
      words += std::string("Answer ") + (i == 0 ? "A" : "B") + ": " + verdict.words + "\n";
    }
    if (malformed) return answered(request, misshapen(words, scores, stream));
    return answered(request, words + "\nScore A: " + std::to_string(scores[0]) +
                                 "\nScore B: " + std::to_string(scores[1]));
  }

  int scored(const Verdict& verdict, bool first, std::size_t length, RandomStream& stream) const {
    double score = verdict.score() + options_.length_bias * static_cast<double>(length) / 100;
    if (first) score += options_.position_bias;
    if (options_.noise > 0) score += options_.noise * stream.normal();
    return static_cast<int>(std::lround(std::clamp(score, 1.0, 10.0)));
  }

  // What judges are seen to do: no scores, half of them, words for numbers, a number out of range.
  static std::string misshapen(const std::string& words, const std::array<int, 2>& scores,
                               RandomStream& stream) {
    switch (stream.below(4)) {
      case 0:
        return words;
      case 1:
        return words + "\nScore A: " + std::to_string(scores[0]);
      case 2:
        return words + "\nScore A: good\nScore B: not so good";
      default:
        return words + "\nScore A: " + std::to_string(10 * scores[0] + 10) + "\nScore B: 0";
    }
  }

  JudgeOptions options_;
  llm::ModelIdentity identity_;
  AnsweringPool pool_;  // last: its threads end before the rest goes
};

}  // namespace

std::unique_ptr<llm::ChatModel> make_judge(const JudgeOptions& options) {
  return std::make_unique<Judge>(options);
}

}  // namespace tapir::gym
