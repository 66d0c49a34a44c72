// Mistral in its published forms, Gemma, Phi-3.
#include "base/strings.h"
#include "text/chat_table_rows.h"

namespace tapir::text {
namespace {

// The text of a turn is what differs between the forms of Mistral: blanks around [INST], and where
// the system message stands. All of it is in the row.
std::string mistral_template(const ChatFormatSpec& f) {
  const bool has_system = f.system_place != SystemPlace::refused;
  const std::string place = f.system_place == SystemPlace::first_user ? "first" : "last";
  const std::string system = has_system ? "(system if loop." + place + " else '') + " : "";
  const std::string before = f.answer_before.empty() ? "" : quoted(f.answer_before) + " + ";
  return join({has_system ? turns_and_system(f) : "", "{{ bos_token }}{% for message in ",
               has_system ? "turns" : "messages", " %}", kTakeTurns,
               "{% if message['role'] == 'user' %}{{ ", quoted(f.user.before), " + ", system,
               "message['content'] + ", quoted(f.user.after), " }}{% else %}{{ ", before,
               "message['content']", f.trims.answer ? " | trim" : "",
               " + eos_token }}{% endif %}{% endfor %}"},
              "");
}

ChatFormatSpec mistral() {
  ChatFormatSpec f;
  f.name = "mistral";
  f.models = "Mistral-7B-Instruct-v0.1 and v0.2, Mixtral-8x7B-Instruct, as first published";
  f.begin = "{bos}";
  f.user = {"[INST] ", " [/INST]"};
  f.answer_end = "{eos}";
  f.system_place = SystemPlace::refused;
  f.alternates = true;
  f.jinja = mistral_template(f);
  return f;
}

ChatFormatSpec mistral_v1() {
  ChatFormatSpec f = mistral();
  f.name = "mistral-v1";
  f.models = "Mistral-7B-Instruct-v0.1 and v0.2, as published later";
  f.user = {" [INST] ", " [/INST]"};
  f.system = {"", "\n\n"};
  f.answer_before = " ";
  f.system_place = SystemPlace::first_user;
  f.jinja = mistral_template(f);
  return f;
}

ChatFormatSpec mistral_v3() {
  ChatFormatSpec f = mistral();
  f.name = "mistral-v3";
  f.models = "Mistral-7B-Instruct-v0.3, Mistral-Large-2407";
  f.control_tokens = {"[INST]", "[/INST]"};
  f.user = {"[INST] ", "[/INST]"};
  f.system = {"", "\n\n"};
  f.answer_before = " ";
  f.system_place = SystemPlace::last_user;
  f.trims = {.answer = true};
  f.jinja = mistral_template(f);
  return f;
}

ChatFormatSpec mistral_nemo() {
  ChatFormatSpec f = mistral_v3();
  f.name = "mistral-nemo";
  f.models = "Mistral-Nemo-Instruct-2407";
  f.user = {"[INST]", "[/INST]"};
  f.answer_before = "";
  f.trims = {};
  f.jinja = mistral_template(f);
  return f;
}

constexpr char kTurnHeader[] =
    "{{ '<start_of_turn>' + ('user' if message['role'] == 'user' else 'model') + '\\n' }}";

ChatFormatSpec gemma() {
  ChatFormatSpec f;
  f.name = "gemma";
  f.models = "gemma-it, gemma-2-it";
  f.control_tokens = {"<start_of_turn>", "<end_of_turn>"};
  f.begin = "{bos}";
  f.user = {"<start_of_turn>user\n", "<end_of_turn>\n"};
  f.assistant_before = "<start_of_turn>model\n";
  f.answer_end = "<end_of_turn>";
  f.assistant_after = "\n";
  f.system_place = SystemPlace::refused;
  f.alternates = true;
  f.trims = {.user = true, .answer = true};
  f.jinja = join(
      {"{{ bos_token }}{% for message in messages %}", kTakeTurns, kTurnHeader,
       "{{ message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}", generation_prompt(f)},
      "");
  return f;
}

ChatFormatSpec gemma3() {
  ChatFormatSpec f = gemma();
  f.name = "gemma3";
  f.models = "gemma-3-it";
  f.system = {"", "\n\n"};
  f.system_place = SystemPlace::first_user;
  f.trims = {.user_alone = true, .answer = true};
  const char* text =
      "{{ (system if loop.first else '') + message['content'] | trim + '<end_of_turn>\\n' }}"
      "{% endfor %}";
  f.jinja = join({turns_and_system(f), "{{ bos_token }}{% for message in turns %}", kTakeTurns,
                  kTurnHeader, text, generation_prompt(f)},
                 "");
  return f;
}

ChatFormatSpec phi3() {
  ChatFormatSpec f;
  f.name = "phi3";
  f.models = "Phi-3 and Phi-3.5-instruct";
  f.control_tokens = {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>"};
  f.system = {"<|system|>\n", "<|end|>\n"};
  f.user = {"<|user|>\n", "<|end|>\n"};
  f.assistant_before = "<|assistant|>\n";
  f.answer_end = "<|end|>";
  f.assistant_after = "\n";
  f.end = "{eos}";
  f.skips_empty_system = true;
  f.jinja =
      "{% for message in messages %}"
      "{% if message['role'] != 'system' or message['content'] %}"
      "{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}"
      "{% endif %}{% endfor %}" +
      generation_prompt(f, "", "{{ eos_token }}");
  return f;
}

}  // namespace

std::vector<ChatFormatSpec> instruct_rows() {
  return {mistral(), mistral_v1(), mistral_v3(), mistral_nemo(), gemma(), gemma3(), phi3()};
}

}  // namespace tapir::text
