#include <algorithm>
#include <array>
#include <cmath>

#include "base/strings.h"
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
    const auto answer = read_payload(text, "answer");
    if (instruction && answer) return rating_of(identity, request, *instruction, *answer);
    const auto assistant_a = read_payload(text, "assistant_a");
    const auto assistant_b = read_payload(text, "assistant_b");
    if (instruction && assistant_a && assistant_b)
      return verdict_of(identity, request, *instruction, {*assistant_a, *assistant_b});
    const std::array answers = {read_payload(text, "answer_a"), read_payload(text, "answer_b")};
    if (!instruction || !answers[0] || !answers[1]) {
      return refused("the request has no instruction and two answers in fences");
    }
    return scores_of(identity, request, *instruction, {*answers[0], *answers[1]});
  }

 private:
  // MT-Bench's single grading, of the last turn.
  llm::ChatReply rating_of(const llm::ModelIdentity& identity, const llm::ChatRequest& request,
                           std::string_view instruction, std::string_view answer) const {
    const std::string_view question = last_turn(instruction);
    const std::string_view graded = last_turn(answer);
    const Family* family = recognise(question);
    if (family == nullptr) return refused("the instruction is no prompt of the gym");
    RandomStream stream = stream_of(identity, options_.seed, request);
    const bool malformed = stream.chance(options_.malformed_rate);
    const Verdict verdict = family->judge(question, graded);
    const int score = scored(verdict, /*first=*/true, graded.size(), stream);
    if (malformed) return answered(request, verdict.words + "\n\nRating: rather good");
    return answered(request, verdict.words + "\n\nRating: [[" + std::to_string(score) + "]]");
  }

  // A pair as the judge sees it: a line of words and a score for each, A first.
  struct Pair {
    std::string words;
    std::array<int, 2> scores{};
    bool malformed = false;  // the reply is not to have its form
    RandomStream stream;     // for the rest of its draws
  };

  // who: what the two are called. Nothing: the question is no prompt of the gym.
  std::optional<Pair> look_at(const llm::ModelIdentity& identity, const llm::ChatRequest& request,
                              std::string_view question,
                              const std::array<std::string_view, 2>& answers,
                              const std::string& who) const {
    const Family* family = recognise(question);
    if (family == nullptr) return std::nullopt;
    Pair pair{.stream = stream_of(identity, options_.seed, request)};
    pair.malformed = pair.stream.chance(options_.malformed_rate);
    for (std::size_t i = 0; i < 2; ++i) {
      const Verdict verdict = family->judge(question, answers[i]);
      pair.scores[i] = scored(verdict, /*first=*/i == 0, answers[i].size(), pair.stream);
      pair.words += who + (i == 0 ? " A: " : " B: ") + verdict.words + "\n";
    }
    return pair;
  }

  llm::ChatReply scores_of(const llm::ModelIdentity& identity, const llm::ChatRequest& request,
                           std::string_view instruction,
                           const std::array<std::string_view, 2>& answers) const {
    std::optional<Pair> pair = look_at(identity, request, instruction, answers, "Answer");
    if (!pair) return refused("the instruction is no prompt of the gym");
    if (pair->malformed)
      return answered(request, misshapen(pair->words, pair->scores, pair->stream));
    return answered(request, pair->words + "\nScore A: " + std::to_string(pair->scores[0]) +
                                 "\nScore B: " + std::to_string(pair->scores[1]));
  }

  // MT-Bench's comparison of two assistants, of the last turn.
  llm::ChatReply verdict_of(const llm::ModelIdentity& identity, const llm::ChatRequest& request,
                            std::string_view instruction,
                            const std::array<std::string_view, 2>& answers) const {
    const std::array graded = {last_turn(answers[0]), last_turn(answers[1])};
    const std::optional<Pair> pair =
        look_at(identity, request, last_turn(instruction), graded, "Assistant");
    if (!pair) return refused("the instruction is no prompt of the gym");
    if (pair->malformed) return answered(request, pair->words + "\nBoth have something.");
    const int ahead = pair->scores[0] - pair->scores[1];
    const char* verdict = ahead == 0 ? "[[C]]" : (ahead > 0 ? "[[A]]" : "[[B]]");
    return answered(request, pair->words + "\n" + verdict);
  }

  // Of a payload that tells its turns apart ("[turn 2]"); else all of it.
  static std::string_view last_turn(std::string_view payload) {
    constexpr std::string_view kMark = "[turn 2]\n";
    const std::size_t at = payload.rfind(kMark);
    return at == std::string_view::npos ? payload : trim(payload.substr(at + kMark.size()));
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
