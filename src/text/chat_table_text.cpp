// Formats in plain words, for models without control tokens of their own; and the shortest one
// with.
#include "base/strings.h"
#include "text/chat_table_rows.h"

namespace tapir::text {
namespace {

ChatFormatSpec alpaca() {
  ChatFormatSpec f;
  f.name = "alpaca";
  f.models = "Stanford Alpaca and base models trained on it";
  f.begin = "{bos}";
  f.system = {"", "\n\n"};
  f.default_system =
      "Below is an instruction that describes a task. Write a response that appropriately "
      "completes "
      "the request.";
  f.user = {"### Instruction:\n", "\n\n"};
  f.assistant_before = "### Response:\n";
  f.answer_end = "{eos}";
  f.assistant_after = "\n\n";
  f.jinja = join(
      {"{{ bos_token }}", turns_after_default_system(f),
       "{% for message in turns %}"
       "{% if message['role'] == 'user' %}"
       "{{ '### Instruction:\\n' + message['content'] + '\\n\\n' }}"
       "{% else %}{{ '### Response:\\n' + message['content'] + eos_token + '\\n\\n' }}{% endif %}"
       "{% endfor %}",
       generation_prompt(f)},
      "");
  return f;
}

ChatFormatSpec vicuna() {
  ChatFormatSpec f;
  f.name = "vicuna";
  f.models = "Vicuna v1.1 to v1.5, as FastChat writes it";
  f.begin = "{bos}";
  f.system = {"", " "};
  f.default_system =
      "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
      "helpful, detailed, and polite answers to the user's questions.";
  f.user = {"USER: ", " "};
  f.assistant_before = "ASSISTANT:";
  f.answer_before = " ";
  f.answer_end = "{eos}";
  f.jinja = join({"{{ bos_token }}", turns_after_default_system(f),
                  "{% for message in turns %}"
                  "{% if message['role'] == 'user' %}{{ 'USER: ' + message['content'] + ' ' }}"
                  "{% else %}{{ 'ASSISTANT: ' + message['content'] + eos_token }}{% endif %}"
                  "{% endfor %}",
                  generation_prompt(f)},
                 "");
  return f;
}

// For models without any format: the texts, a blank line after each question.
ChatFormatSpec plain() {
  ChatFormatSpec f;
  f.name = "plain";
  f.models = "none: for base models, no words of its own";
  f.begin = "{bos}";
  f.system = {"", "\n\n"};
  f.user = {"", "\n\n"};
  f.answer_end = "{eos}";
  f.jinja =
      "{{ bos_token }}"
      "{% for message in messages %}"
      "{{ message['content'] + (eos_token if message['role'] == 'assistant' else '\\n\\n') }}"
      "{% endfor %}";
  return f;
}

// Small students: three control tokens a row and nothing else.
ChatFormatSpec compact() {
  ChatFormatSpec f;
  f.name = "compact";
  f.models = "tapir's own small students";
  f.control_tokens = {"<|user|>", "<|assistant|>", "<|system|>", "<|end|>"};
  f.system = {"<|system|>", ""};
  f.user = {"<|user|>", ""};
  f.assistant_before = "<|assistant|>";
  f.answer_end = "<|end|>";
  f.jinja =
      "{% for message in messages %}"
      "{{ '<|' + message['role'] + '|>' + message['content'] }}"
      "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}"
      "{% endfor %}" +
      generation_prompt(f);
  return f;
}

}  // namespace

std::vector<ChatFormatSpec> text_rows() { return {alpaca(), vicuna(), plain(), compact()}; }

}  // namespace tapir::text
