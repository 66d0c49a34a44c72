#include <algorithm>
#include <array>
#include <cmath>

#include "gym/answering_model.h"
#include "gym/family.h"
#include "gym/models.h"
#include "gym/request.h"

namespace tapir::gym {
namespace {

class Judge {
 public:
  explicit Judge(const JudgeOptions& options) : options_(options) {}

  llm::ModelIdentity identity() const {
    return {"gym", "gym-judge",
            "version=1 noise=" + std::to_string(options_.noise) +
                " position_bias=" + std::to_string(options_.position_bias) +
                " length_bias=" + std::to_string(options_.length_bias) + " malformed_rate=" +
                std::to_string(options_.malformed_rate) + " seed=" + std::to_string(options_.seed)};
  }

  llm::ChatReply reply_to(const llm::ModelIdentity& identity,
                          const llm::ChatRequest& request) const {
    const std::string text = last_user_text(request);
    const auto instruction = read_payload(text, "instruction");
    const std::array answers = {read_payload(text, "answer_a"), read_payload(text, "answer_b")};
    if (!instruction || !answers[0] || !answers[1]) {
      return refused("the request has no instruction and two answers in fences");
    }
    const Family* family = recognise(*instruction);
    if (family == nullptr) return refused("the instruction is no prompt of the gym");

    RandomStream stream = stream_of(identity, options_.seed, request);
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

 private:
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
};

}  // namespace

std::unique_ptr<llm::ChatModel> make_judge(const JudgeOptions& options) {
  const Judge judge(options);
  return std::make_unique<AnsweringModel>(
      judge.identity(),
      [judge](const llm::ModelIdentity& identity, const llm::ChatRequest& request) {
        return judge.reply_to(identity, request);
      });
}

}  // namespace tapir::gym
