#include "text/chat_table_rows.h"

#include "base/strings.h"

namespace tapir::text {

std::string quoted(std::string_view text) {
  const std::string quote = text.find('\'') == std::string_view::npos ? "'" : "\"";
  return quote + replace_all(std::string(text), "\n", "\\n") + quote;
}

std::string turns_after_system(std::string_view with, std::string_view without) {
  return join({"{% if messages[0]['role'] == 'system' %}", std::string(with),
               "{% set turns = messages[1:] %}{% else %}", std::string(without),
               "{% set turns = messages %}{% endif %}"},
              "");
}

std::string turns_and_system(const ChatFormatSpec& row) {
  const std::string before = row.system.before.empty() ? "" : quoted(row.system.before) + " + ";
  return turns_after_system(
      "{% set system = " + before + "messages[0]['content'] + " + quoted(row.system.after) + " %}",
      "{% set system = '' %}");
}

std::string turns_after_default_system(const ChatFormatSpec& row) {
  const std::string text = std::string(row.default_system.value()) + std::string(row.system.after);
  return turns_after_system("{{ messages[0]['content'] + " + quoted(row.system.after) + " }}",
                            "{{ " + quoted(text) + " }}");
}

std::string generation_prompt(const ChatFormatSpec& row, std::string_view more,
                              std::string_view otherwise) {
  std::string text = "{% if add_generation_prompt %}{{ " + quoted(row.assistant_before) + " }}";
  text += more;
  if (!otherwise.empty()) text += "{% else %}" + std::string(otherwise);
  return text + "{% endif %}";
}

}  // namespace tapir::text
