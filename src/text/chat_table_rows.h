// The table of chat formats is written in several files; here is what they share. Inside this
// folder only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/chat_table.h"

namespace tapir::text {

std::vector<ChatFormatSpec> instruct_rows();  // mistral, gemma, phi3
std::vector<ChatFormatSpec> text_rows();      // in plain words, and compact

// ---- Parts of the rows' Jinja templates; those of a row write what stands in it ----

// In a loop over messages: an error where user and assistant do not take turns.
inline constexpr char kTakeTurns[] =
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('user and assistant must take turns') }}{% endif %}";

std::string quoted(std::string_view text);  // as a string literal
// Sets `turns`: the messages behind a system message. Also what is written with one, and without.
std::string turns_after_system(std::string_view with, std::string_view without);
// Sets `turns`, and `system`: the system message with what the row has around it, or nothing.
std::string turns_and_system(const ChatFormatSpec& row);
// Sets `turns`; the system message is written, or the row's default one.
std::string turns_after_default_system(const ChatFormatSpec& row);
// Where the assistant is asked to begin: `more` follows there, `otherwise` where it is not asked.
std::string generation_prompt(const ChatFormatSpec& row, std::string_view more = "",
                              std::string_view otherwise = "");

}  // namespace tapir::text
