#include <algorithm>

#include "base/strings.h"
#include "gym/answering_model.h"
#include "gym/models.h"
#include "gym/request.h"
#include "gym/world.h"

namespace tapir::gym {
namespace {

constexpr int kMaxDraws = 2000;
constexpr int kLowLevel =
    2;  // expansions from a task's description alone are at most of this level

// The names the gym's taxonomy gives its styles; whatever else is asked for is answered in steps.
Style style_of(std::string_view payload) {
  const std::string name = lower_ascii(trim(payload.substr(0, payload.find('\n'))));
  if (name == "answer") return Style::answer;
  if (name == "brief" || name == "terse") return Style::terse;
  return Style::steps;
}

std::vector<const Family*> families_of(std::string_view task) {
  std::vector<const Family*> out;
  for (const Family* family : families()) {
    if (family->task() == task) out.push_back(family);
  }
  return out;
}

class Teacher {
 public:
  explicit Teacher(const TeacherOptions& options) : options_(options) {}

  llm::ModelIdentity identity() const {
    return {"gym", "gym-teacher",
            "version=1 error_rate=" + std::to_string(options_.error_rate) +
                " evolve_share=" + std::to_string(options_.evolve_share) + " mutate_share=" +
                std::to_string(options_.mutate_share) + " seed=" + std::to_string(options_.seed)};
  }

  llm::ChatReply reply_to(const llm::ModelIdentity& identity,
                          const llm::ChatRequest& request) const {
    const std::string text = last_user_text(request);
    RandomStream stream = stream_of(identity, options_.seed, request);
    const auto seed_instruction = read_payload(text, "seed_instruction");
    const auto instruction = read_payload(text, "instruction");
    const auto task = read_payload(text, "task");
    const auto style = read_payload(text, "answer_style");
    if (seed_instruction || (task && !instruction)) {
      return expand(request, seed_instruction.value_or(""), task.value_or(""), stream);
    }
    const std::string prompt = instruction ? *instruction : std::string(trim(text));
    const Family* family = recognise(prompt);
    if (family == nullptr) return refused("the instruction is no prompt of the gym");
    if (instruction && read_payload(text, "task_types")) {
      return answered(request, "<answer>" + std::string(family->task()) + "</answer>");
    }
    return answered(request,
                    answer(*family, prompt, style ? style_of(*style) : Style::answer, stream));
  }

 private:
  std::string answer(const Family& family, std::string_view prompt, Style style,
                     RandomStream& stream) const {
    if (!stream.chance(options_.error_rate)) return family.teacher(prompt, style);
    // A wrong answer of about the length that the style has.
    std::vector<std::string> wrong;
    for (const Variant& variant : family.variants(prompt, stream)) {
      if (variant.breaks == 'C' && !family.judge(prompt, variant.text).right())
        wrong.push_back(variant.text);
    }
    if (wrong.empty()) return family.teacher(prompt, style);
    const auto shorter = [](const auto& a, const auto& b) { return a.size() < b.size(); };
    const auto [low, high] = std::minmax_element(wrong.begin(), wrong.end(), shorter);
    return style == Style::steps ? *high : *low;
  }

  // Always of the train part: the held-out parts are never taught.
  llm::ChatReply expand(const llm::ChatRequest& request, std::string_view seed,
                        std::string_view task, RandomStream& stream) const {
    const Family* family = recognise(seed);
    if (family == nullptr && !trim(seed).empty())
      return refused("the given instruction is no prompt of the gym");
    const std::vector<const Family*> peers = families_of(family ? family->task() : task);
    if (peers.empty())
      return refused("the gym has no family of the task \"" + std::string(task) + "\"");
    const bool from_seed = family != nullptr;
    const int level =
        from_seed ? std::min(family->level(seed), kLevels) : stream.between(1, kLowLevel);
    const double draw = stream.uniform();
    const bool evolve = from_seed && draw < options_.evolve_share;
    const bool mutate =
        from_seed && !evolve && draw < options_.evolve_share + options_.mutate_share;
    if (!from_seed) family = stream.choose(peers);
    if (mutate && peers.size() > 1) {
      const Family* other = stream.choose(peers);
      while (other == family) other = stream.choose(peers);
      family = other;
    }
    for (int i = 0; i < kMaxDraws; ++i) {
      std::string prompt = evolve ? family->evolve(seed, stream) : family->make(level, stream);
      if (prompt != seed && may_teach(*family, prompt)) return answered(request, std::move(prompt));
    }
    return refused("no new instruction of the train part was found");
  }

  TeacherOptions options_;
};

}  // namespace

std::unique_ptr<llm::ChatModel> make_teacher(const TeacherOptions& options) {
  const Teacher teacher(options);
  return std::make_unique<AnsweringModel>(
      teacher.identity(),
      [teacher](const llm::ModelIdentity& identity, const llm::ChatRequest& request) {
        return teacher.reply_to(identity, request);
      });
}

}  // namespace tapir::gym
