#include "text/chat_recognise.h"

#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "text/chat_format.h"
#include "text/jinja.h"

namespace tapir::text {
namespace {

struct Probe {
  std::string_view what;
  Messages messages;
  bool add_generation_prompt;
};

// Blanks at the edges tell what is trimmed. The first two say what is done without and with a
// system message.
const std::vector<Probe>& probes() {
  static const std::vector<Probe> all = {
      {"a question", {{Role::user, "Q1"}}, true},
      {"a system message and a question", {{Role::system, "S"}, {Role::user, "Q1"}}, true},
      {"a question with its answer", {{Role::user, " Q1\n"}, {Role::assistant, "A1"}}, false},
      {"blanks around messages",
       {{Role::user, " Q1 "}, {Role::assistant, " A1\n"}, {Role::user, "\nQ2 "}},
       true},
      {"two questions with answers",
       {{Role::user, "Q1"}, {Role::assistant, "A1"}, {Role::user, "Q2"}, {Role::assistant, " A2 "}},
       false},
      {"a system message and two questions",
       {{Role::system, " S\n"}, {Role::user, " Q1"}, {Role::assistant, "A1"}, {Role::user, "Q2 "}},
       true},
      {"reasoning in answers",
       {{Role::user, "Q1"},
        {Role::assistant, "<think>\nR1\n</think>\n\nA1"},
        {Role::user, "Q2"},
        {Role::assistant, "<think>\nR2\n</think>\n\nA2"}},
       false}};
  return all;
}

// What came of each probe; nothing where the template refuses it.
using Answers = std::vector<std::optional<std::string>>;

class Recogniser {
 public:
  Recogniser(std::string_view jinja, std::string where, std::string_view bos, std::string_view eos)
      : where_(std::move(where)), bos_(bos), eos_(eos) {
    const JinjaTemplate compiled(jinja, where_);
    for (const Probe& probe : probes()) {
      JinjaResult result = ask(compiled, probe);
      if (answers_.empty()) refusal_ = result.refusal;
      answers_.push_back(std::move(result.text));
    }
  }

  RecognisedFormat run() const;

 private:
  JinjaResult ask(const JinjaTemplate& compiled, const Probe& probe) const;
  std::optional<std::string> write(const ChatLayout& layout, const Probe& probe) const;
  ChatVariant fit_variant(const ChatFormatSpec& spec) const;
  bool agrees(const ChatLayout& layout, std::size_t probe) const;
  std::size_t first_difference(const ChatLayout& layout) const;
  std::string describe(const ChatLayout& closest, std::size_t probe) const;

  std::string where_;
  std::string_view bos_;
  std::string_view eos_;
  Answers answers_;
  std::optional<std::string> refusal_;  // of the plain question, in the template's words
};

JinjaResult Recogniser::ask(const JinjaTemplate& compiled, const Probe& probe) const {
  Json variables = {{"messages", parse_json(messages_to_json(probe.messages), "probe")},
                    {"add_generation_prompt", probe.add_generation_prompt},
                    {"bos_token", bos_},
                    {"eos_token", eos_},
                    {"tools", nullptr},
                    {"documents", nullptr}};
  return compiled.render(variables);
}

std::optional<std::string> Recogniser::write(const ChatLayout& layout, const Probe& probe) const {
  try {
    return render_text(layout, probe.messages, probe.add_generation_prompt, bos_, eos_);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// The row, with what the template does in its own way where a row may vary.
ChatVariant Recogniser::fit_variant(const ChatFormatSpec& spec) const {
  ChatVariant variant = variant_of(spec);
  const std::optional<std::string>& plain = answers_[0];
  const std::optional<std::string>& with_system = answers_[1];
  const std::optional<std::string>& answered = answers_[2];
  if (!plain) return variant;
  if (!bos_.empty()) {
    const std::string_view begin = spec.user.before;
    variant.bos = plain->starts_with(bos_) && !begin.starts_with("{bos}");
  }
  if (!spec.end.empty() && answered && !eos_.empty()) variant.end = answered->ends_with(eos_);
  // A system message that is refused, or left out.
  if (!with_system || with_system == plain) variant.system = false;
  if (spec.default_system || spec.system_place != SystemPlace::own_turn) return variant;
  // A default one: what stands where "S" stands when there is one.
  ChatVariant without = variant;
  without.system = true;
  const auto expected = write(ChatLayout(spec, without), probes()[1]);
  const std::string mark = std::string(spec.system.before) + "S";
  const std::size_t turn = expected ? expected->find(mark) : std::string::npos;
  if (turn == std::string::npos) return variant;
  const std::string before = expected->substr(0, turn + spec.system.before.size());
  const std::string after = expected->substr(turn + mark.size());
  if (plain->size() > before.size() + after.size() && plain->starts_with(before) &&
      plain->ends_with(after)) {
    variant.default_system =
        plain->substr(before.size(), plain->size() - before.size() - after.size());
  }
  return variant;
}

bool Recogniser::agrees(const ChatLayout& layout, std::size_t probe) const {
  const auto ours = write(layout, probes()[probe]);
  const std::optional<std::string>& theirs = answers_[probe];
  if (ours == theirs) return true;
  // Some templates ask for an answer whether it is wanted or not.
  return ours && theirs && !probes()[probe].add_generation_prompt &&
         *theirs == *ours + std::string(layout.spec().assistant_before);
}

// The number of probes when there is none.
std::size_t Recogniser::first_difference(const ChatLayout& layout) const {
  const bool last_user = layout.spec().system_place == SystemPlace::last_user;
  for (std::size_t i = 0; i < probes().size(); ++i) {
    const Probe& probe = probes()[i];
    const bool system = probe.messages.front().role == Role::system;
    // Such templates leave the system message out once the answer is there; training must not.
    if (system && last_user && !probe.add_generation_prompt) continue;
    if (system && !layout.variant().system) {
      // We refuse a system message where the template does, or passes over it.
      if (answers_[1] && answers_[1] != answers_[0]) return i;
      continue;
    }
    if (!agrees(layout, i)) return i;
  }
  return probes().size();
}

std::string quoted(const std::optional<std::string>& text) {
  if (!text) return "(refused)";
  return Json(valid_utf8(text->substr(0, 300))).dump();
}

std::string Recogniser::describe(const ChatLayout& closest, std::size_t probe) const {
  return "the closest is " + std::string(closest.spec().name) + ", but for " +
         std::string(probes()[probe].what) + " the template writes " + quoted(answers_[probe]) +
         ", " + std::string(closest.spec().name) + " " + quoted(write(closest, probes()[probe]));
}

RecognisedFormat Recogniser::run() const {
  const auto known = "known: " + join(chat_format_names(), ", ");
  if (!answers_[0]) {
    throw Error(ErrorKind::data,
                where_ + ": the chat template refuses a plain question: " + quoted(refusal_),
                "set `template` to the format that the model was trained with; " + known);
  }
  for (const ChatFormatSpec& spec : chat_table()) {
    if (first_difference(ChatLayout(spec, variant_of(spec))) == probes().size())
      return {&spec, variant_of(spec)};
  }
  std::optional<ChatLayout> closest;
  std::size_t difference = 0;
  for (const ChatFormatSpec& spec : chat_table()) {
    ChatLayout layout(spec, fit_variant(spec));
    const std::size_t first = first_difference(layout);
    if (first == probes().size()) return {&spec, layout.variant()};
    if (closest && first <= difference) continue;
    difference = first;
    closest.emplace(std::move(layout));
  }
  throw Error(
      ErrorKind::data,
      where_ + ": the chat template is none of the known ones; " + describe(*closest, difference),
      "set `template` to the format that comes closest; " + known);
}

}  // namespace

RecognisedFormat recognise_template(std::string_view jinja, const std::string& where,
                                    std::string_view bos, std::string_view eos) {
  try {
    return Recogniser(jinja, where, bos, eos).run();
  } catch (const Error& error) {
    if (!error.hint().empty()) throw;
    throw Error(error.kind(), std::string("the chat template cannot be read: ") + error.what(),
                "set `template` to the format that the model was trained with; known: " +
                    join(chat_format_names(), ", "));
  }
}

}  // namespace tapir::text
