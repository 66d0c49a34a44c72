// Command lines that a user writes with slots in them: "vllm serve {model} --port {port}".
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tapir {

// One word for a shell: as it is where nothing in it means anything to a shell, else in quotes.
std::string shell_quoted(std::string_view word);

// A slot is a name of lower-case letters and '_' in braces. Its value stands as one word, quoted
// as its place needs it (bare, in '...' or in "..."); an empty value stands as nothing when bare.
// "{{name}}" stands for "{name}", "${NAME}" and all other braces for themselves.
// Error{usage} naming `where`, a slot that has no value, and those that have one.
std::string expand_template(std::string_view text, const std::map<std::string, std::string>& values,
                            const std::string& where);

// The slots of a template, in order, with repetitions.
std::vector<std::string> slots_of(std::string_view text);

// The program that a command line starts: its first word that sets no variable, without quotes;
// empty when there is none.
std::string program_of(std::string_view command);

// Where a program is: of this name in PATH, or at this path when it has a slash; nothing when there
// is none that may be executed.
std::optional<std::filesystem::path> find_program(std::string_view name);

}  // namespace tapir
