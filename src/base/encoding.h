// Texts that are not in UTF-8.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace tapir {

// The text in UTF-8, without a byte-order mark. encoding: any name that iconv knows ("utf-8",
// "utf-16", "latin1", "windows-1252"). Error{data} naming `where` and the first byte that does not
// belong to the encoding, Error{usage} when the encoding is not known.
std::string to_utf8(std::string_view bytes, const std::string& encoding, std::string_view where);

// A whole file (base/file.h: read_input) in that encoding.
std::string read_text(const std::filesystem::path& path, const std::string& encoding);

}  // namespace tapir
