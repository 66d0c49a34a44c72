#include "text/chat_table.h"

namespace tapir::text {
namespace {

ChatFormatSpec chatml() {
  ChatFormatSpec f;
  f.name = "chatml";
  f.control_tokens = {"<|im_start|>", "<|im_end|>"};
  f.system = {"<|im_start|>system\n", "<|im_end|>\n"};
  f.user = {"<|im_start|>user\n", "<|im_end|>\n"};
  f.assistant_before = "<|im_start|>assistant\n";
  f.answer_end = "<|im_end|>";
  f.assistant_after = "\n";
  f.markers = {"<|im_start|>", "<|im_end|>"};
  f.not_markers = {"<think>", "reasoning_content"};
  f.jinja =
      "{% for message in messages %}"
      "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
      "{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
  return f;
}

ChatFormatSpec llama2() {
  ChatFormatSpec f;
  f.name = "llama2";
  f.system = {"<<SYS>>\n", "\n<</SYS>>\n\n"};
  f.user = {"{bos}[INST] ", " [/INST]"};
  f.answer_before = " ";
  f.answer_after = " ";
  f.answer_end = "{eos}";
  f.system_inside_user = true;
  f.trims = true;
  f.markers = {"[INST]", "<<SYS>>"};
  f.jinja =
      "{% if messages[0]['role'] == 'system' %}"
      "{% set system = '<<SYS>>\\n' + messages[0]['content'] | trim + '\\n<</SYS>>\\n\\n' %}"
      "{% set turns = messages[1:] %}"
      "{% else %}{% set system = '' %}{% set turns = messages %}{% endif %}"
      "{% for message in turns %}"
      "{% if message['role'] == 'user' %}"
      "{{ bos_token + '[INST] ' + (system if loop.first else '') + message['content'] | trim }}"
      "{{ ' [/INST]' }}"
      "{% else %}{{ ' ' + message['content'] | trim + ' ' + eos_token }}{% endif %}"
      "{% endfor %}";
  return f;
}

ChatFormatSpec llama3() {
  ChatFormatSpec f;
  f.name = "llama3";
  f.control_tokens = {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"};
  f.begin = "{bos}";
  f.system = {"<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"};
  f.user = {"<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"};
  f.assistant_before = "<|start_header_id|>assistant<|end_header_id|>\n\n";
  f.answer_end = "<|eot_id|>";
  f.trims = true;
  f.markers = {"<|start_header_id|>", "<|eot_id|>"};
  f.not_markers = {"Cutting Knowledge Date"};
  f.jinja =
      "{{ bos_token }}"
      "{% for message in messages %}"
      "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}"
      "{{ message['content'] | trim + '<|eot_id|>' }}"
      "{% endfor %}"
      "{% if add_generation_prompt %}"
      "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}";
  return f;
}

// As llama3, with the dates that its later releases put before every system message. The day is the
// one that the published template falls back on, so that a row's tokens do not depend on the day.
ChatFormatSpec llama3_dated() {
  ChatFormatSpec f = llama3();
  f.name = "llama3.1";
  f.default_system = "";
  f.always_system = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";
  f.markers = {"<|start_header_id|>", "<|eot_id|>", "Cutting Knowledge Date: December 2023",
               "26 Jul 2024"};
  f.not_markers = {};
  f.jinja =
      "{{ bos_token + '<|start_header_id|>system<|end_header_id|>\\n\\n' }}"
      "{{ 'Cutting Knowledge Date: December 2023\\nToday Date: 26 Jul 2024\\n\\n' }}"
      "{% if messages[0]['role'] == 'system' %}"
      "{{ messages[0]['content'] | trim }}{% set turns = messages[1:] %}"
      "{% else %}{% set turns = messages %}{% endif %}"
      "{{ '<|eot_id|>' }}"
      "{% for message in turns %}"
      "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}"
      "{{ message['content'] | trim + '<|eot_id|>' }}"
      "{% endfor %}"
      "{% if add_generation_prompt %}"
      "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}";
  return f;
}

ChatFormatSpec alpaca() {
  ChatFormatSpec f;
  f.name = "alpaca";
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
  f.markers = {"### Instruction:", "### Response:", *f.default_system};
  f.jinja =
      "{{ bos_token }}"
      "{% if messages[0]['role'] == 'system' %}"
      "{{ messages[0]['content'] + '\\n\\n' }}{% set turns = messages[1:] %}"
      "{% else %}"
      "{{ 'Below is an instruction that describes a task. Write a response that appropriately "
      "completes the request.\\n\\n' }}"
      "{% set turns = messages %}{% endif %}"
      "{% for message in turns %}"
      "{% if message['role'] == 'user' %}"
      "{{ '### Instruction:\\n' + message['content'] + '\\n\\n' }}"
      "{% else %}{{ '### Response:\\n' + message['content'] + eos_token + '\\n\\n' }}{% endif %}"
      "{% endfor %}"
      "{% if add_generation_prompt %}{{ '### Response:\\n' }}{% endif %}";
  return f;
}

ChatFormatSpec vicuna() {
  ChatFormatSpec f;
  f.name = "vicuna";
  f.begin = "{bos}";
  f.system = {"", " "};
  f.default_system =
      "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
      "helpful, detailed, and polite answers to the user's questions.";
  f.user = {"USER: ", " "};
  f.assistant_before = "ASSISTANT:";
  f.answer_before = " ";
  f.answer_end = "{eos}";
  f.markers = {"USER: ", "ASSISTANT:", "A chat between a curious user"};
  f.jinja =
      "{{ bos_token }}"
      "{% if messages[0]['role'] == 'system' %}"
      "{{ messages[0]['content'] + ' ' }}{% set turns = messages[1:] %}"
      "{% else %}"
      "{{ \"A chat between a curious user and an artificial intelligence assistant. The assistant "
      "gives helpful, detailed, and polite answers to the user's questions. \" }}"
      "{% set turns = messages %}{% endif %}"
      "{% for message in turns %}"
      "{% if message['role'] == 'user' %}{{ 'USER: ' + message['content'] + ' ' }}"
      "{% else %}{{ 'ASSISTANT: ' + message['content'] + eos_token }}{% endif %}"
      "{% endfor %}"
      "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}";
  return f;
}

// For models without any format: the texts, a blank line after each question.
ChatFormatSpec plain() {
  ChatFormatSpec f;
  f.name = "plain";
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
  f.control_tokens = {"<|user|>", "<|assistant|>", "<|system|>", "<|end|>"};
  f.system = {"<|system|>", ""};
  f.user = {"<|user|>", ""};
  f.assistant_before = "<|assistant|>";
  f.answer_end = "<|end|>";
  f.jinja =
      "{% for message in messages %}"
      "{{ '<|' + message['role'] + '|>' + message['content'] }}"
      "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}"
      "{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";
  return f;
}

}  // namespace

const std::vector<ChatFormatSpec>& chat_table() {
  static const std::vector<ChatFormatSpec> table = {chatml(), llama2(), llama3(), llama3_dated(),
                                                    alpaca(), vicuna(), plain(),  compact()};
  return table;
}

}  // namespace tapir::text
