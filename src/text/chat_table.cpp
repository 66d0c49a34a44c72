#include "text/chat_table.h"

#include "base/strings.h"
#include "text/chat_table_rows.h"

namespace tapir::text {
namespace {

// ---- <|im_start|> ----

constexpr char kImTurn[] =
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}";

ChatFormatSpec chatml() {
  ChatFormatSpec f;
  f.name = "chatml";
  f.models = "OpenHermes-2.5, Hermes 2 and 3, and others";
  f.control_tokens = {"<|im_start|>", "<|im_end|>"};
  f.system = {"<|im_start|>system\n", "<|im_end|>\n"};
  f.user = {"<|im_start|>user\n", "<|im_end|>\n"};
  f.assistant_before = "<|im_start|>assistant\n";
  f.answer_end = "<|im_end|>";
  f.assistant_after = "\n";
  f.jinja =
      join({"{% for message in messages %}", kImTurn, "{% endfor %}", generation_prompt(f)}, "");
  return f;
}

std::string default_system_turn(const ChatFormatSpec& f) {
  std::string turn(f.system.before);
  turn += f.default_system.value();
  turn += f.system.after;
  return "{% if messages[0]['role'] != 'system' %}{{ " + quoted(turn) + " }}{% endif %}";
}

ChatFormatSpec qwen2() {
  ChatFormatSpec f = chatml();
  f.name = "qwen2";
  f.models = "Qwen1.5 and Qwen2 chat models";
  f.default_system = "You are a helpful assistant.";
  f.jinja = default_system_turn(f) + f.jinja;
  return f;
}

void add_tool_responses(ChatFormatSpec& f) {
  f.tool = {"\n<tool_response>\n", "\n</tool_response>"};
  f.tools = {"<|im_start|>user", "<|im_end|>\n"};
}

// One message; content: the expression that gives its text.
std::string tool_or_else(const ChatFormatSpec& f, const std::string& content,
                         const std::string& otherwise) {
  const std::string open =
      "{% if loop.first or messages[loop.index0 - 1]['role'] != 'tool' %}"
      "{{ " +
      quoted(f.tools.before) + " }}{% endif %}";
  const std::string text =
      "{{ " + quoted(f.tool->before) + " + " + content + " + " + quoted(f.tool->after) + " }}";
  const std::string close =
      "{% if loop.last or messages[loop.index0 + 1]['role'] != 'tool' %}"
      "{{ " +
      quoted(f.tools.after) + " }}{% endif %}";
  return join({"{% if message['role'] == 'tool' %}", open, text, close, "{% else %}", otherwise,
               "{% endif %}"},
              "");
}

ChatFormatSpec qwen2_5() {
  ChatFormatSpec f = chatml();
  f.name = "qwen2.5";
  f.models = "Qwen2.5-Instruct";
  f.default_system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";
  add_tool_responses(f);
  f.jinja =
      join({default_system_turn(f), "{% for message in messages %}",
            tool_or_else(f, "message['content']", kImTurn), "{% endfor %}", generation_prompt(f)},
           "");
  return f;
}

// `asked`: the index of the last question, which is not a tool's response in a user turn.
constexpr char kFindQuestion[] =
    "{% set ns = namespace(asked=messages|length - 1, searching=true) %}"
    "{% for message in messages[::-1] %}"
    "{% if ns.searching and message['role'] == 'user' and not "
    "(message['content'].startswith('<tool_response>') and "
    "message['content'].endswith('</tool_response>')) %}"
    "{% set ns.searching = false %}{% set ns.asked = messages|length - 1 - loop.index0 %}"
    "{% endif %}{% endfor %}";

constexpr char kThinkingTurn[] =
    "{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' %}{% set thought = '' %}"
    "{% if '</think>' in content %}"
    "{% set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1] %}"
    "{% set content = content.split('</think>')[-1].lstrip('\\n') %}{% endif %}"
    "{% if loop.index0 > ns.asked and (loop.last or thought.lstrip('\\n')) %}"
    "{{ '<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' }}"
    "{% set content = content.lstrip('\\n') %}{% endif %}{% endif %}"
    "{{ content + '<|im_end|>\\n' }}";

// The answer that is asked for, and it alone, begins with its reasoning; one without reasoning has
// an empty block. Earlier answers are shown without.
ChatFormatSpec qwen3() {
  ChatFormatSpec f = chatml();
  f.name = "qwen3";
  f.models = "Qwen3";
  f.thinks = true;
  add_tool_responses(f);
  const std::string no_thought =
      "{% if enable_thinking is defined and enable_thinking is false %}"
      "{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}";
  f.jinja = join(
      {kFindQuestion, "{% for message in messages %}{% set content = message['content'] %}",
       tool_or_else(f, "content", kThinkingTurn), "{% endfor %}", generation_prompt(f, no_thought)},
      "");
  return f;
}

// ---- Llama ----

ChatFormatSpec llama2() {
  ChatFormatSpec f;
  f.name = "llama2";
  f.models = "Llama-2-chat, CodeLlama-Instruct";
  f.system = {"<<SYS>>\n", "\n<</SYS>>\n\n"};
  f.user = {"{bos}[INST] ", " [/INST]"};
  f.answer_before = " ";
  f.answer_after = " ";
  f.answer_end = "{eos}";
  f.system_place = SystemPlace::first_user;
  f.alternates = true;
  f.trims = {.user = true, .answer = true};
  f.jinja = join(
      {turns_and_system(f), "{% for message in turns %}", kTakeTurns,
       "{% if message['role'] == 'user' %}"
       "{% set content = (system if loop.first else '') + message['content'] %}"
       "{{ bos_token + '[INST] ' + content | trim + ' [/INST]' }}"
       "{% else %}{{ ' ' + message['content'] | trim + ' ' + eos_token }}{% endif %}{% endfor %}"},
      "");
  return f;
}

constexpr char kHeaderTurn[] =
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}"
    "{{ message['content'] | trim + '<|eot_id|>' }}";

ChatFormatSpec llama3() {
  ChatFormatSpec f;
  f.name = "llama3";
  f.models = "Llama-3-Instruct";
  f.control_tokens = {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"};
  f.begin = "{bos}";
  f.system = {"<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"};
  f.user = {"<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"};
  f.assistant_before = "<|start_header_id|>assistant<|end_header_id|>\n\n";
  f.answer_end = "<|eot_id|>";
  f.trims = {.system = true, .user = true, .answer = true};
  f.jinja = join({"{{ bos_token }}{% for message in messages %}", kHeaderTurn, "{% endfor %}",
                  generation_prompt(f)},
                 "");
  return f;
}

// As llama3, with the dates that its later releases put before every system message. The day is the
// one that the published template falls back on, so that a row's tokens do not depend on the day.
ChatFormatSpec llama3_dated() {
  ChatFormatSpec f = llama3();
  f.name = "llama3.1";
  f.models = "Llama-3.1, 3.2 and 3.3-Instruct";
  f.default_system = "";
  f.always_system = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";
  f.jinja = join(
      {"{{ bos_token + ", quoted(f.system.before), " }}{{ ", quoted(f.always_system), " }}",
       turns_after_system("{{ messages[0]['content'] | trim }}", ""), "{{ ", quoted(f.system.after),
       " }}", "{% for message in turns %}", kHeaderTurn, "{% endfor %}", generation_prompt(f)},
      "");
  return f;
}

}  // namespace

const std::vector<ChatFormatSpec>& chat_table() {
  static const std::vector<ChatFormatSpec> table = [] {
    std::vector<ChatFormatSpec> rows = {chatml(), qwen2(),  qwen2_5(),     qwen3(),
                                        llama2(), llama3(), llama3_dated()};
    for (ChatFormatSpec& row : instruct_rows()) rows.push_back(std::move(row));
    for (ChatFormatSpec& row : text_rows()) rows.push_back(std::move(row));
    return rows;
  }();
  return table;
}

}  // namespace tapir::text
