// Rows as tokens in a file, so that the same data is tokenized once.
//
// The file: a header (magic, version, counts, the key, a digest of what follows), then by row where
// its tokens and its id begin and whether it was cut, then all tokens (int32), all loss flags
// (bytes) and all ids. Little endian. It is written aside and moved into place; one that is torn,
// damaged, of another version or another key is made anew, never read.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "student/batching.h"
#include "student/job.h"

namespace tapir::student {

// Digest of all that decides the rows: ids, segments, the files of the tokenizer and the chat
// template, the format and the length at which rows are cut.
std::string token_cache_key(std::span<const Example> examples, const std::filesystem::path& words,
                            std::string_view chat_format, std::int64_t limit);

// The rows of the file: they share its mapping, no copy of them is made. Nothing when there is
// none, when it is not this one, or when its digest (all of it is read once) says that it is
// damaged.
std::optional<std::vector<EncodedRow>> read_token_cache(const std::filesystem::path& file,
                                                        const std::string& key);

// Error{data} naming the file.
void write_token_cache(const std::filesystem::path& file, const std::string& key,
                       std::span<const EncodedRow> rows);

// Rows of <folder>/<first digits of the key>.tokens; made by `encode` and written there when they
// are not. An empty folder: no file. A folder that cannot be written is passed over: the cache
// saves time, it is not needed.
std::vector<EncodedRow> cached_rows(const std::filesystem::path& folder, const std::string& key,
                                    const std::function<std::vector<EncodedRow>()>& encode);

}  // namespace tapir::student
