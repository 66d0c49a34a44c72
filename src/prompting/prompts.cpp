#include "prompting/prompts.h"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <iterator>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/strings.h"

namespace tapir::prompting {

// Generated from prompts/*.md by embed_texts.cmake.
std::string_view built_in_prompt(std::string_view name);

namespace {

struct Contract {
  std::string_view name;
  std::vector<std::string> fences;  // each exactly once in the template, as {{name}}
};

const std::vector<Contract>& contracts() {
  static const std::vector<Contract> all = {
      {"judge_pair", {"instruction", "answer_a", "answer_b"}},
      {"judge_pair_again", {"instruction", "answer_a", "answer_b", "last_reply", "complaint"}},
      {"judge_components", {"instruction", "answer", "components"}},
      {"judge_components_again",
       {"instruction", "answer", "components", "last_reply", "complaint"}},
      {"expand", {"task", "task_description", "seed_instruction"}},
      {"expand_layered", {"task", "task_description", "seed_instruction", "requirements"}},
      {"refine", {"instruction", "current_answer", "task", "style"}},
      {"answer", {"instruction", "task", "style"}},
      {"classify", {"instruction", "task_types"}},
      {"classify_again", {"instruction", "task_types", "last_reply", "complaint"}},
      {"mt_single", {"instruction", "answer"}},
      {"mt_single_reference", {"instruction", "reference_answer", "answer"}},
      {"mt_pair", {"instruction", "assistant_a", "assistant_b"}},
      {"mt_pair_reference", {"instruction", "reference_answer", "assistant_a", "assistant_b"}},
  };
  return all;
}

// The tag of a slot's fence: its name, but for the one that web pages use as a tag, too often to be
// escaped in them.
std::string_view tag_of(std::string_view slot) { return slot == "style" ? "answer_style" : slot; }

[[noreturn]] void fail(const std::string& file, std::size_t line, const std::string& what,
                       const std::string& hint) {
  throw Error(ErrorKind::usage, file + ":" + std::to_string(line) + ": " + what, hint);
}

std::string list_of(const std::vector<std::string>& fences) {
  std::vector<std::string> shown;
  for (const std::string& fence : fences) shown.push_back("{{" + fence + "}}");
  return join(shown, ", ");
}

// Calls found(name, offset) for every {{name}}; on_unclosed(offset) for a {{ without its end on the
// line.
template <typename Found, typename Unclosed>
void for_each_slot(std::string_view text, Found found, Unclosed on_unclosed) {
  std::size_t at = 0;
  while ((at = text.find("{{", at)) != std::string_view::npos) {
    const std::size_t end = text.find("}}", at);
    if (end == std::string_view::npos ||
        text.substr(at, end - at).find('\n') != std::string_view::npos) {
      on_unclosed(at);
      at += 2;
      continue;
    }
    found(text.substr(at + 2, end - at - 2), at);
    at = end + 2;
  }
}

std::string known_fence_of_line(std::string_view line, const std::vector<std::string>& fences) {
  for (const std::string& fence : fences) {
    const std::string tag(tag_of(fence));
    if (line == "<" + tag + ">" || line == "</" + tag + ">") return fence;
  }
  return {};
}

// The two parts of a template file, with the line at which each begins.
struct Parts {
  std::string system;
  std::string user;
  std::size_t user_line = 1;
};

Parts split_parts(std::string_view text, const std::string& file) {
  std::vector<std::string> lines = split(text, '\n');
  std::size_t system_at = lines.size();
  std::size_t user_at = lines.size();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].empty() && lines[i].back() == '\r') lines[i].pop_back();
    const std::string_view line = trim(lines[i]);
    if (line == "# system" && system_at == lines.size()) system_at = i;
    if (line == "# user" && user_at == lines.size()) user_at = i;
  }
  const std::string hint =
      "a template has a line \"# system\", the system part, a line \"# user\", the user part";
  if (system_at == lines.size()) fail(file, 1, "expected a line \"# system\", found none", hint);
  if (user_at == lines.size())
    fail(file, lines.size(), "expected a line \"# user\", found none", hint);
  if (user_at < system_at)
    fail(file, user_at + 1, "the part \"# user\" stands before \"# system\"", hint);
  const auto part = [&](std::size_t from, std::size_t to) {
    return std::string(trim(join({lines.begin() + static_cast<std::ptrdiff_t>(from),
                                  lines.begin() + static_cast<std::ptrdiff_t>(to)},
                                 "\n")));
  };
  for (std::size_t i = 0; i < system_at; ++i) {
    if (!trim(lines[i]).empty()) fail(file, i + 1, "text before the line \"# system\"", hint);
  }
  return {part(system_at + 1, user_at), part(user_at + 1, lines.size()), user_at + 1};
}

// Every fence of the contract exactly once, in the user part; nothing else in double braces.
void check_slots(std::string_view text, const Parts& parts, const Contract& contract,
                 const std::string& file) {
  const std::string hint = "prompt " + std::string(contract.name) + " takes " +
                           list_of(contract.fences) + ", each once, below \"# user\"";
  const auto line_of = [&](std::size_t offset) {
    std::size_t line = 1;
    for (const char c : text.substr(0, offset)) line += c == '\n' ? 1 : 0;
    return line;
  };
  std::vector<std::string> seen;
  const auto found = [&](std::string_view name, std::size_t offset) {
    const std::string fence(name);
    const std::size_t line = line_of(offset);
    bool known = false;
    for (const std::string& one : contract.fences) known = known || one == fence;
    if (!known) {
      const auto near = nearest(fence, contract.fences);
      fail(file, line, "unknown slot {{" + fence + "}}",
           near ? "did you mean {{" + *near + "}}? " + hint : hint);
    }
    if (line <= parts.user_line)
      fail(file, line, "slot {{" + fence + "}} in the system part", hint);
    for (const std::string& one : seen) {
      if (one == fence) fail(file, line, "slot {{" + fence + "}} a second time", hint);
    }
    seen.push_back(fence);
  };
  for_each_slot(text, found, [&](std::size_t offset) {
    fail(file, line_of(offset), "\"{{\" without \"}}\" on the same line", hint);
  });
  for (const std::string& fence : contract.fences) {
    bool there = false;
    for (const std::string& one : seen) there = there || one == fence;
    if (!there) fail(file, parts.user_line, "slot {{" + fence + "}} is missing in this part", hint);
  }
  std::size_t number = 0;
  for (const std::string& line : split(text, '\n')) {
    ++number;
    const std::string fence = known_fence_of_line(trim(line), contract.fences);
    if (!fence.empty()) {
      fail(file, number, "a fence written by hand",
           "write {{" + fence + "}}: the tags come by themselves");
    }
  }
}

using Payloads = std::initializer_list<std::pair<std::string_view, std::string_view>>;

std::string render(std::string_view text, Payloads payloads) {
  std::string out;
  std::size_t done = 0;
  const auto found = [&](std::string_view name, std::size_t offset) {
    out += text.substr(done, offset - done);
    done = offset + name.size() + 4;
    for (const auto& [fence, payload] : payloads) {
      if (fence == name) out += fenced(tag_of(fence), payload);
    }
  };
  for_each_slot(text, found, [](std::size_t) {});
  out += text.substr(done);
  return out;
}

// A single user message is its text alone; a conversation is written turn by turn.
std::string conversation(const Messages& messages) {
  if (messages.size() == 1 && messages.front().role == Role::user) return messages.front().content;
  std::string out;
  for (const Message& message : messages) {
    if (!out.empty()) out += "\n\n";
    out.append("[").append(to_string(message.role)).append("]\n").append(message.content);
  }
  return out;
}

std::string style_payload(std::string_view style, std::string_view guidance) {
  return std::string(style) + "\n" + std::string(guidance);
}

Messages chat(std::string system, std::string user) {
  Messages messages;
  if (!system.empty()) messages.push_back({Role::system, std::move(system)});
  messages.push_back({Role::user, std::move(user)});
  return messages;
}

// The end of a reply is where its result should have been; a rambling one would only crowd out the
// rest.
constexpr std::size_t kLastReplyBytes = 2000;

// The last part of a text, at a character's start.
std::string_view tail(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  std::size_t start = text.size() - bytes;
  while (start < text.size() && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) ++start;
  return text.substr(start);
}

// "name: what it is", one a line.
std::string named_lines(const std::vector<std::pair<std::string, std::string>>& named) {
  std::vector<std::string> lines;
  for (const auto& [name, what] : named) lines.push_back(what.empty() ? name : name + ": " + what);
  return join(lines, "\n");
}

// One turn is its text alone; two are told apart.
std::string by_turn(const std::vector<std::string>& turns) {
  if (turns.size() == 1) return turns.front();
  std::string out;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    out.append(i == 0 ? "[turn " : "\n\n[turn ").append(std::to_string(i + 1));
    out.append("]\n").append(turns[i]);
  }
  return out;
}

// A template under a name that nobody asks for would be passed over in silence.
void check_names(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder)) {
    throw Error(ErrorKind::usage, "prompts folder " + folder.string() + ": not a folder",
                "name a folder with templates such as judge_pair.md, or leave it out");
  }
  std::vector<std::string> known;
  for (const Contract& contract : contracts()) known.emplace_back(contract.name);
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    const std::string name = file.path().stem().string();
    if (file.path().extension() != ".md" || lower_ascii(name) == "readme") continue;
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const auto near = nearest(name, known);
    fail(file.path().string(), 1, "there is no prompt of this name",
         near ? "did you mean " + *near + ".md?" : "known: " + join(known, ", "));
  }
}

}  // namespace

PromptSet PromptSet::load(const std::filesystem::path& folder) {
  if (!folder.empty()) check_names(folder);
  PromptSet set;
  for (const Contract& contract : contracts()) {
    const std::string name(contract.name);
    std::string file = "prompts/" + name + ".md";
    std::string text(built_in_prompt(name));
    const std::filesystem::path own = folder / (name + ".md");
    if (!folder.empty() && std::filesystem::exists(own)) {
      file = own.string();
      text = read_file(own);
    }
    const Parts parts = split_parts(text, file);
    check_slots(text, parts, contract, file);
    set.templates_.push_back(
        {name, parts.system, parts.user, short_id({name, parts.system, parts.user})});
  }
  return set;
}

const PromptSet::Template& PromptSet::find(std::string_view name) const {
  for (const Template& one : templates_) {
    if (one.name == name) return one;
  }
  throw Error(ErrorKind::bug, "no prompt named " + std::string(name));
}

Messages PromptSet::judge_pair(const Messages& instruction, std::string_view answer_a,
                               std::string_view answer_b) const {
  const Template& prompt = find("judge_pair");
  return chat(prompt.system, render(prompt.user, {{"instruction", conversation(instruction)},
                                                  {"answer_a", answer_a},
                                                  {"answer_b", answer_b}}));
}

Messages PromptSet::judge_pair_again(const Messages& instruction, std::string_view answer_a,
                                     std::string_view answer_b, std::string_view last_reply,
                                     std::string_view complaint) const {
  const Template& prompt = find("judge_pair_again");
  return chat(prompt.system, render(prompt.user, {{"instruction", conversation(instruction)},
                                                  {"answer_a", answer_a},
                                                  {"answer_b", answer_b},
                                                  {"last_reply", tail(last_reply, kLastReplyBytes)},
                                                  {"complaint", complaint}}));
}

Messages PromptSet::judge_components(const Messages& instruction, std::string_view answer,
                                     const Requirements& requirements) const {
  const Template& prompt = find("judge_components");
  return chat(prompt.system, render(prompt.user, {{"instruction", conversation(instruction)},
                                                  {"answer", answer},
                                                  {"components", named_lines(requirements)}}));
}

Messages PromptSet::judge_components_again(const Messages& instruction, std::string_view answer,
                                           const Requirements& requirements,
                                           std::string_view last_reply,
                                           std::string_view complaint) const {
  const Template& prompt = find("judge_components_again");
  return chat(prompt.system, render(prompt.user, {{"instruction", conversation(instruction)},
                                                  {"answer", answer},
                                                  {"components", named_lines(requirements)},
                                                  {"last_reply", tail(last_reply, kLastReplyBytes)},
                                                  {"complaint", complaint}}));
}

Messages PromptSet::expand(std::string_view task, std::string_view task_description,
                           std::string_view seed_instruction) const {
  const Template& prompt = find("expand");
  return chat(prompt.system, render(prompt.user, {{"task", task},
                                                  {"task_description", task_description},
                                                  {"seed_instruction", seed_instruction}}));
}

Messages PromptSet::expand_layered(std::string_view task, std::string_view task_description,
                                   std::string_view seed_instruction,
                                   std::string_view requirements) const {
  const Template& prompt = find("expand_layered");
  return chat(prompt.system, render(prompt.user, {{"task", task},
                                                  {"task_description", task_description},
                                                  {"seed_instruction", seed_instruction},
                                                  {"requirements", requirements}}));
}

Messages PromptSet::refine(const Messages& instruction, std::string_view current_answer,
                           std::string_view task, std::string_view style,
                           std::string_view style_guidance) const {
  const Template& prompt = find("refine");
  return chat(prompt.system,
              render(prompt.user, {{"instruction", conversation(instruction)},
                                   {"current_answer", current_answer},
                                   {"task", task},
                                   {"style", style_payload(style, style_guidance)}}));
}

Messages PromptSet::answer(const Messages& instruction, std::string_view task,
                           std::string_view style, std::string_view style_guidance) const {
  const Template& prompt = find("answer");
  return chat(prompt.system,
              render(prompt.user, {{"instruction", conversation(instruction)},
                                   {"task", task},
                                   {"style", style_payload(style, style_guidance)}}));
}

Messages PromptSet::classify(const Messages& instruction, const LabelledTasks& tasks) const {
  const Template& prompt = find("classify");
  return chat(prompt.system, render(prompt.user, {{"instruction", conversation(instruction)},
                                                  {"task_types", named_lines(tasks)}}));
}

Messages PromptSet::classify_again(const Messages& instruction, const LabelledTasks& tasks,
                                   std::string_view last_reply, std::string_view complaint) const {
  const Template& prompt = find("classify_again");
  return chat(prompt.system, render(prompt.user, {{"instruction", conversation(instruction)},
                                                  {"task_types", named_lines(tasks)},
                                                  {"last_reply", tail(last_reply, kLastReplyBytes)},
                                                  {"complaint", complaint}}));
}

std::string question_text(const Messages& instruction) {
  Messages turns;
  std::copy_if(instruction.begin(), instruction.end(), std::back_inserter(turns),
               [](const Message& message) { return message.role != Role::system; });
  return conversation(turns);
}

Messages PromptSet::mt_single(const GradedTurns& turns,
                              const std::vector<std::string>& answers) const {
  check(!answers.empty() && answers.size() == turns.questions.size(), "mt_single: answers");
  const Template& prompt = find(turns.references.empty() ? "mt_single" : "mt_single_reference");
  return chat(prompt.system, render(prompt.user, {{"instruction", by_turn(turns.questions)},
                                                  {"reference_answer", by_turn(turns.references)},
                                                  {"answer", by_turn(answers)}}));
}

Messages PromptSet::mt_pair(const GradedTurns& turns, const std::vector<std::string>& answers_a,
                            const std::vector<std::string>& answers_b) const {
  check(!answers_a.empty() && answers_a.size() == turns.questions.size() &&
            answers_a.size() == answers_b.size(),
        "mt_pair: answers");
  const Template& prompt = find(turns.references.empty() ? "mt_pair" : "mt_pair_reference");
  return chat(prompt.system, render(prompt.user, {{"instruction", by_turn(turns.questions)},
                                                  {"reference_answer", by_turn(turns.references)},
                                                  {"assistant_a", by_turn(answers_a)},
                                                  {"assistant_b", by_turn(answers_b)}}));
}

std::string PromptSet::version(std::string_view name) const {
  for (const Template& one : templates_) {
    if (one.name == name) return one.version;
  }
  return {};
}

std::string PromptSet::fingerprint() const {
  std::string versions;
  for (const Template& one : templates_) versions += one.name + " " + one.version + "\n";
  return short_id({versions});
}

}  // namespace tapir::prompting
