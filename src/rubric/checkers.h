// The functions behind component_kinds(), one a kind. Internal to rubric.
#pragma once

#include <string_view>

#include "rubric/component.h"

namespace tapir::rubric {

using Checker = Finding(const Component& component, std::string_view answer);

// A count of something within the component's bounds.
Finding counted(const Component& component, std::int64_t count, std::string_view what);

// check_length.cpp
Checker check_words, check_sentences, check_paragraphs, check_paragraph_start, check_answers;
// check_content.cpp
Checker check_mention, check_avoid, check_phrase_count, check_letter_count, check_capital_words,
    check_one_of, check_case, check_language;
// check_format.cpp
Checker check_json, check_sections, check_bullets, check_numbered, check_highlights, check_title,
    check_placeholders, check_starts_with, check_ends_with, check_quotation, check_postscript;
// inline_list.cpp
Checker check_list_order, check_list_separator, check_list_prefix, check_list_brackets,
    check_list_title, check_list_end;

}  // namespace tapir::rubric
